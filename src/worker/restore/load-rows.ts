import { Failure } from "../../core/failure.ts";
import type { StoredFile } from "../../core/repository/metadata.ts";
import { batchIndexes, type IndexBatch } from "../../core/restore/index-batches.ts";
import type { SectionedEntry } from "../../core/restore/select-tables.ts";
import { ArchiveWalker, type WalkedTable } from "../../databases/postgres/archive-walker.ts";
import {
  restoreEntries,
  restoreRows,
  type ArchiveOptions,
} from "../../databases/postgres/restore-archive.ts";
import type { RestoreTarget } from "../../databases/postgres/restore-tool.ts";
import { readStoredFile } from "../streams/stored-file.ts";
import { sectionedEntries, type DatabaseSource } from "./restore-source.ts";
import type { TaskRun } from "../task.ts";

export interface RowsLoad {
  readonly source: DatabaseSource;
  readonly target: RestoreTarget;
  readonly options: ArchiveOptions;
  readonly run: TaskRun;
  /** Called before indexes are made; throws when the work must not go on. */
  readonly between: () => Promise<void>;
  /** Dump ids of what the restore makes after the rows. */
  readonly postData: readonly number[];
  /** Told the plain bytes of archives that have been read, now and then. */
  readonly onBytes: (bytes: number) => void;
}

/** Indexes are made in about so many batches: the last ones are short, and no tool is started for each index. */
const batchCount = 6;
/** Of a row no more is read for an index: the server keeps longer values apart. */
const longestRowBytes = 2048;
/** Rows of less are read sooner than a tool has started. */
const leastBatchBytes = 32 << 20;

/**
 * What the tool may hold of an archive before it goes on with it (its pipe, a few hundred KiB). Where it held more,
 * an index would wait for the rows: the server locks a table for both.
 */
const heldBytes = 8 << 20;

/**
 * Loads the archives, the largest first. A session that has none left makes indexes of tables whose rows are in
 * while others are loaded. Gives the dump ids of what it made. Rejects on the first error of any of them, with the
 * others stopped.
 */
export async function loadRows(load: RowsLoad): Promise<ReadonlySet<number>> {
  const { source, run } = load;
  const stop = new AbortController();
  const target = { ...load.target, signal: AbortSignal.any([run.signal, stop.signal]) };
  const archives = source.component.archives.toSorted((a, b) => a.plainBytes - b.plainBytes);
  const countBytes = byteCounter(load);
  const indexes = new IndexPool(load);
  let loading = 0;

  const makeIndexes = async ({ dumpIds }: IndexBatch): Promise<void> => {
    await load.between();
    await restoreEntries(target, headOf(load), "indexes", dumpIds, load.options);
    indexes.noteMade(dumpIds);
  };
  const loadArchive = async (file: StoredFile): Promise<void> => {
    loading += 1;
    try {
      await loadOne(load, target, file, countBytes, (tables) => indexes.addTables(tables));
    } finally {
      loading -= 1;
      indexes.change();
    }
  };
  const work = async (): Promise<void> => {
    for (;;) {
      const archive = archives.pop();
      const batch = archive === undefined ? indexes.take() : undefined;
      if (archive !== undefined) await loadArchive(archive);
      else if (batch !== undefined) await makeIndexes(batch);
      else if (loading > 0) await indexes.changed;
      else return;
    }
  };
  for (let parents = indexes.ofParents(); parents.length > 0; parents = indexes.ofParents())
    for (const batch of parents) await makeIndexes(batch);
  const sessions = Array.from({ length: Math.max(1, load.options.jobs) }, () =>
    work().catch((error: unknown) => {
      stop.abort(error);
      throw error;
    }),
  );
  const outcomes = await Promise.allSettled(sessions);
  run.signal.throwIfAborted();
  if (stop.signal.aborted) throw firstReason(stop.signal.reason, outcomes);
  return indexes.made;
}

/** Loads one archive; tells of tables whose rows are in, some at a time. */
async function loadOne(
  { source, options }: RowsLoad,
  target: RestoreTarget,
  file: StoredFile,
  onChunk: (length: number) => void,
  onTables: (tables: readonly WalkedTable[]) => void,
): Promise<void> {
  const walker = new ArchiveWalker("data-damaged");
  const passed: { readonly table: WalkedTable; readonly atBytes: number }[] = [];
  const tell = (untilBytes: number): void => {
    const count = passed.findLastIndex(({ atBytes }) => atBytes <= untilBytes) + 1;
    if (count > 0) onTables(passed.splice(0, count).map(({ table }) => table));
  };
  let known = 0;
  const chunks = readStoredFile(source.place, file, { releasePieces: true });
  await restoreRows(
    target,
    watched(chunks, (chunk) => {
      tell(walker.bytes - heldBytes);
      walker.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      for (; known < walker.tables.length; known++) {
        const table = walker.tables[known];
        if (table !== undefined) passed.push({ table, atBytes: walker.bytes });
      }
      onChunk(chunk.length);
    }),
    options,
  );
  tell(walker.bytes);
}

/** The indexes that may be made while rows are loaded. */
class IndexPool {
  readonly made = new Set<number>();
  readonly #batchBytes: number;
  /** By schema and name; of a partitioned table there is none. */
  readonly #rowBytes: ReadonlyMap<string, number>;
  readonly #entries: readonly SectionedEntry[];
  /** Of tables, by their oids. */
  readonly #dumpIds = new Map<number, number>();
  readonly #wanted: ReadonlySet<number>;
  #batches: IndexBatch[] = [];
  /** Tables whose rows are in, whose indexes are not among the batches yet. */
  #tables = new Map<number, number>();
  #tablesBytes = 0;
  #change = Promise.withResolvers<void>();

  constructor(load: RowsLoad) {
    const { archives } = load.source.component;
    const total = archives.reduce((sum, file) => sum + file.plainBytes, 0);
    this.#batchBytes = Math.max(total / batchCount, leastBatchBytes);
    this.#entries = sectionedEntries(load.source);
    this.#wanted = new Set(load.postData);
    this.#rowBytes = new Map(
      load.source.inventory.tables.map(({ schema, name, rows = 0, bytes = 0 }) => [
        nameOf(schema, name),
        Math.min(bytes, rows * longestRowBytes),
      ]),
    );
    for (const { desc, oid, dumpId } of load.source.toc.entries)
      if (desc === "TABLE") this.#dumpIds.set(oid, dumpId);
  }

  /** Resolves at the next change: more batches, or an archive less that is loaded. */
  get changed(): Promise<void> {
    return this.#change.promise;
  }

  /** Those of partitioned tables, which have no rows of their own, and which partitions' indexes need. */
  ofParents(): IndexBatch[] {
    const parents = this.#entries.filter(
      ({ kind, schema, name }) => kind === "TABLE" && !this.#rowBytes.has(nameOf(schema, name)),
    );
    return this.#batch(new Map(parents.map(({ dumpId }) => [dumpId, 0])));
  }

  /** The tables are those of an archive: their dump ids are its own, their oids the source's. */
  addTables(tables: readonly WalkedTable[]): void {
    for (const { oid, schema, name } of tables) {
      const dumpId = this.#dumpIds.get(oid);
      const bytes = this.#rowBytes.get(nameOf(schema, name)) ?? 0;
      if (dumpId !== undefined) this.#tables.set(dumpId, bytes);
      this.#tablesBytes += bytes;
    }
    if (this.#tablesBytes >= Math.max(this.#batchBytes / 4, leastBatchBytes)) this.change();
  }

  /** Indexes of all tables whose rows are in become batches; who waits looks again. */
  change(): void {
    const found = this.#batch(this.#tables);
    this.#batches = [...this.#batches, ...found].toSorted((a, b) => b.bytes - a.bytes);
    this.#tables = new Map();
    this.#tablesBytes = 0;
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }

  /** The largest batch there is. */
  take(): IndexBatch | undefined {
    return this.#batches.shift();
  }

  noteMade(dumpIds: readonly number[]): void {
    for (const dumpId of dumpIds) this.made.add(dumpId);
  }

  #batch(tables: ReadonlyMap<number, number>): IndexBatch[] {
    return batchIndexes(this.#entries, this.#wanted, this.made, tables, this.#batchBytes);
  }
}

const nameOf = (schema: string, name: string): string => JSON.stringify([schema, name]);

const reportEveryMs = 250;

function byteCounter({ run, onBytes }: RowsLoad): (length: number) => void {
  let bytes = 0;
  let reportedAtMs = 0;
  return (length) => {
    bytes += length;
    const nowMs = run.clock.nowMs();
    if (Math.abs(nowMs - reportedAtMs) < reportEveryMs) return;
    reportedAtMs = nowMs;
    onBytes(bytes);
  };
}

const headOf = ({ source, run }: RowsLoad) => ({
  tocFile: source.tocFile,
  scratchDirectory: run.scratchDirectory,
});

/** The archive that failed, not the ones that were stopped because of it. */
function firstReason(reason: unknown, outcomes: readonly PromiseSettledResult<void>[]): unknown {
  if (reason instanceof Failure) return reason;
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  return reason ?? failed?.reason;
}

async function* watched(
  chunks: AsyncIterable<Uint8Array>,
  onChunk: (chunk: Uint8Array) => void,
): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    onChunk(chunk);
    yield chunk;
  }
}
