import { Failure } from "../../core/failure.ts";
import type { StoredFile } from "../../core/repository/metadata.ts";
import { batchIndexes, type IndexBatch } from "../../core/restore/index-batches.ts";
import { ArchiveHeadReader, type ArchiveEntry } from "../../databases/postgres/archive.ts";
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
 * Loads the archives, the largest first. A session that has none left makes indexes of tables whose rows are in
 * while others are loaded. Gives the dump ids of what it made. Rejects on the first error of any of them, with the
 * others stopped.
 */
export async function loadRows(load: RowsLoad): Promise<ReadonlySet<number>> {
  const { source, run } = load;
  const stop = new AbortController();
  const target = { ...load.target, signal: AbortSignal.any([run.signal, stop.signal]) };
  const archives = source.component.archives.toSorted((a, b) => a.plainBytes - b.plainBytes);
  const loading = new Set<Promise<void>>();
  const made = new Set<number>();
  const countBytes = byteCounter(load);
  let batches: IndexBatch[] = [];

  const loadArchive = async (file: StoredFile): Promise<void> => {
    const tables = await loadOne(load, target, file, countBytes);
    batches = [...batches, ...indexesOf(load, tables)].toSorted((a, b) => b.bytes - a.bytes);
  };
  const makeIndexes = async ({ dumpIds }: IndexBatch): Promise<void> => {
    await load.between();
    await restoreEntries(target, headOf(load), "indexes", dumpIds, load.options);
    for (const dumpId of dumpIds) made.add(dumpId);
  };
  const work = async (): Promise<void> => {
    for (;;) {
      const archive = archives.pop();
      const batch = archive === undefined ? batches.shift() : undefined;
      if (archive !== undefined) {
        const loaded = loadArchive(archive).finally(() => loading.delete(loaded));
        loading.add(loaded);
        await loaded;
      } else if (batch !== undefined) await makeIndexes(batch);
      else if (loading.size > 0) await Promise.race(loading);
      else return;
    }
  };
  const sessions = Array.from({ length: Math.max(1, load.options.jobs) }, () =>
    work().catch((error: unknown) => {
      stop.abort(error);
      throw error;
    }),
  );
  const outcomes = await Promise.allSettled(sessions);
  run.signal.throwIfAborted();
  if (stop.signal.aborted) throw firstReason(stop.signal.reason, outcomes);
  return made;
}

/** Loads one archive; gives the tables whose rows it holds. */
async function loadOne(
  { source, options }: RowsLoad,
  target: RestoreTarget,
  file: StoredFile,
  onChunk: (length: number) => void,
): Promise<readonly ArchiveEntry[]> {
  const tables: ArchiveEntry[] = [];
  const head = new ArchiveHeadReader((entry) => {
    if (entry.desc === "TABLE DATA") tables.push(entry);
  }, "data-damaged");
  const chunks = readStoredFile(source.place, file, { releasePieces: true });
  await restoreRows(
    target,
    watched(chunks, (chunk) => {
      head.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      onChunk(chunk.length);
    }),
    options,
  );
  return tables;
}

/** What can be made of tables whose rows are in. The tables are those of an archive, found again by their oids. */
function indexesOf(load: RowsLoad, loaded: readonly ArchiveEntry[]): IndexBatch[] {
  const { source, postData } = load;
  const oids = new Set(loaded.map((entry) => entry.oid));
  const bytes = new Map(
    source.inventory.tables.map(({ schema, name, rows = 0, bytes: all = 0 }) => [
      JSON.stringify([schema, name]),
      Math.min(all, rows * longestRowBytes),
    ]),
  );
  const tables = new Map(
    source.toc.entries
      .filter(({ desc, oid }) => desc === "TABLE" && oids.has(oid))
      .map((entry) => [entry.dumpId, bytes.get(JSON.stringify([entry.namespace, entry.tag])) ?? 0]),
  );
  const total = source.component.archives.reduce((sum, file) => sum + file.plainBytes, 0);
  return batchIndexes(
    sectionedEntries(source),
    new Set(postData),
    tables,
    Math.max(total / batchCount, leastBatchBytes),
  );
}

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
