import type { DatabaseSourceSpec } from "../../contract/operations.ts";
import { accountForTables } from "../../core/database/account-for-tables.ts";
import { Failure } from "../../core/failure.ts";
import { backupPrefix } from "../../core/repository/layout.ts";
import type { StoredFile } from "../../core/repository/metadata.ts";
import type { Connection } from "../../postgres/connection.ts";
import { dumpArchive, type DumpedArchive } from "../../databases/postgres/dump-archive.ts";
import { rowsWarningFilter } from "../../databases/postgres/dump-selection.ts";
import type { ArchivedContents } from "../../databases/postgres/read-inventory.ts";
import type { HeldSnapshot } from "../../databases/postgres/snapshot.ts";
import type { ToolSet } from "../../databases/postgres/tools.ts";
import type { ArchivesPlan } from "./plan-archives.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { ProgressReporter } from "../report-progress.ts";
import { createStoredFile, type StoredFilePlace, type StoredFileWriter } from "../streams/stored-file.ts";
import type { TaskRun } from "../task.ts";

export interface DumpJob {
  readonly run: TaskRun;
  readonly place: StoredFilePlace;
  /** Names of the archives begin with this, relative to the backup. */
  readonly prefix: string;
  readonly connection: Connection;
  readonly tools: ToolSet;
  readonly snapshot: HeldSnapshot;
  readonly archives: ArchivesPlan;
  readonly source: DatabaseSourceSpec;
}

export interface DumpedDatabase {
  /** The main archive first. */
  readonly archives: readonly StoredFile[];
  readonly toc: StoredFile;
  readonly contents: ArchivedContents;
  readonly excluded: ReadonlySet<number>;
  readonly warnings: readonly string[];
  /** Every file that was committed, to `discard` if the backup fails afterwards. */
  readonly stored: StoredFile[];
}

/**
 * Reads all archives of a plan at the same time and stores them. Resolves when each is whole and together
 * they hold what the catalog has; otherwise ends every tool, deletes what was stored and rejects with the
 * first failure.
 */
export async function dumpAll(job: DumpJob): Promise<DumpedDatabase> {
  const failed = new AbortController();
  const signal = AbortSignal.any([job.run.signal, failed.signal]);
  const limiter = new RateLimiter(job.run.context.maxRateBytesPerSecond, signal);
  const progress = new ProgressReporter(job.run, {
    component: "database",
    phase: "reading",
    bytes: 0,
    totalBytes: job.archives.estimatedBytes,
  });
  const stored: StoredFile[] = [];
  const streams = job.archives.selections.map((_, index) =>
    dumpOne(job, index, { signal, limiter, progress, stored }).catch((error: unknown) => {
      // The first failure ends the others; theirs are its consequence.
      failed.abort(error);
      throw error;
    }),
  );
  try {
    const dumped = await Promise.race([Promise.all(streams), job.snapshot.lost]);
    progress.end();
    return { ...combine(job.archives, dumped), stored };
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(streams);
    await discard(job.place, stored);
    job.run.signal.throwIfAborted();
    throw error;
  }
}

interface StreamedArchive extends DumpedArchive {
  readonly file: StoredFile;
  readonly toc: StoredFile | undefined;
}

interface Shared {
  readonly signal: AbortSignal;
  readonly limiter: RateLimiter;
  readonly progress: ProgressReporter;
  /** Every file that was committed. */
  readonly stored: StoredFile[];
}

async function dumpOne(job: DumpJob, index: number, shared: Shared): Promise<StreamedArchive> {
  const { run, place, prefix } = job;
  const isMain = index === 0;
  const writers: StoredFileWriter[] = [];
  const start = async (name: string): Promise<StoredFileWriter> => {
    const writer = await createStoredFile(place, name);
    writers.push(writer);
    return writer;
  };
  try {
    const archive = await start(isMain ? `${prefix}.dump` : `${prefix}.rows-${index}.dump`);
    const toc = isMain ? await start(`${prefix}.toc`) : undefined;
    const dumped = await dumpArchive({
      connection: job.connection,
      tools: job.tools,
      env: run.env,
      applicationName: `lc2 ${place.backupId}`,
      snapshotId: job.snapshot.id,
      lockTimeoutMs: lockTimeoutOf(job.source),
      selection: job.archives.selections[index] ?? [],
      scratchDirectory: run.scratchDirectory,
      buffers: makeBuffers(job.archives.selections.length),
      async take(piece, headBytes) {
        const head = headBytes > 0 ? toc?.write(piece.subarray(0, headBytes)) : undefined;
        await Promise.all([archive.write(piece), head]);
        shared.progress.add(piece.length);
      },
      pace: (bytes) => shared.limiter.take(bytes),
      onWarning: (message) => run.report({ type: "log", level: "warn", message }),
      ...(isMain ? {} : { keepLine: rowsWarningFilter() }),
      signal: shared.signal,
    });
    const finish = async (writer: StoredFileWriter): Promise<StoredFile> => {
      const file = await writer.finish();
      shared.stored.push(file);
      return file;
    };
    return { ...dumped, file: await finish(archive), toc: toc && (await finish(toc)) };
  } catch (error) {
    for (const writer of writers) await writer.abort();
    throw error;
  }
}

/** By default long enough for an ordinary migration, short enough to be noticed. */
export const lockTimeoutOf = (source: DatabaseSourceSpec): number => source.lockTimeoutMs ?? 60_000;

/** One is filled while two are compressed. Several streams share the memory of two. */
function makeBuffers(streams: number): Buffer[] {
  const bytes = streams > 2 ? 2 << 20 : 4 << 20;
  return Array.from({ length: 3 }, () => Buffer.allocUnsafeSlow(bytes));
}

function combine(plan: ArchivesPlan, dumped: readonly StreamedArchive[]): Omit<DumpedDatabase, "stored"> {
  const [main, ...others] = dumped;
  if (main?.toc === undefined) throw new Error("there is no main archive");
  const tables = dumped.flatMap((archive) => archive.summary.tables);
  const problems = accountForTables(plan.accounting, tables);
  if (others.some(({ summary }) => summary.sequences.length > 0 || summary.largeObjects.count > 0)) {
    problems.push("an archive of rows holds sequences or large objects too");
  }
  if (problems.length > 0) {
    throw new Failure(
      "dump-incomplete",
      `pg_dump reported success, but its archives are not what the catalog has: ${problems.slice(0, 5).join("; ")}` +
        `${problems.length > 5 ? `; and ${problems.length - 5} more` : ""}. ` +
        "Check which pg_dump is used (--tools), and run again.",
    );
  }
  return {
    archives: dumped.map((archive) => archive.file),
    toc: main.toc,
    contents: {
      tables: new Map(tables.map((table) => [table.oid, table])),
      sequences: main.summary.sequences,
      largeObjects: main.summary.largeObjects,
    },
    excluded: plan.excluded,
    warnings: [...new Set(dumped.flatMap((archive) => archive.warnings))],
  };
}

/** Deletes stored files of a backup that failed. */
export async function discard(place: StoredFilePlace, stored: readonly StoredFile[]): Promise<void> {
  for (const file of stored) {
    // What cannot be deleted now is garbage of an unsealed attempt, which a sweep removes.
    await place.store.delete(backupPrefix(place.projectId, place.backupId) + file.name).catch(() => {});
  }
}
