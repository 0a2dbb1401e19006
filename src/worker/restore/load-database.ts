import { Failure } from "../../core/failure.ts";
import type { DatabasePlan } from "../../core/restore/restore.ts";
import {
  restoreRows,
  restoreSection,
  writeLists,
  type ArchiveOptions,
} from "../../databases/postgres/restore-archive.ts";
import type { RestoreTarget } from "../../databases/postgres/restore-tool.ts";
import { readStoredFile } from "../streams/stored-file.ts";
import type { DatabaseSource } from "./restore-source.ts";
import type { TaskRun } from "../task.ts";

/** Called between steps; throws when the work must not go on. */
export type BetweenSteps = () => Promise<void>;

/** Only some of a backup. */
export interface LoadSelection {
  /** Whether an entry of the main archive's definitions is made. */
  readonly selects: (dumpId: number) => boolean;
  /** Tables whose rows, and sequences whose values, are loaded. */
  readonly tables: readonly { readonly schema: string; readonly name: string }[];
}

/**
 * Definitions, rows, indexes and constraints, grants: all of a backup into one database. Rows go from the store
 * through decryption and decompression into pg_restore, several archives at once; no row touches a disk here.
 * Rejects on the first error of any archive, with the others stopped.
 */
export async function loadDatabase(
  source: DatabaseSource,
  plan: DatabasePlan,
  target: RestoreTarget,
  run: TaskRun,
  between: BetweenSteps,
  selection?: LoadSelection,
): Promise<void> {
  const options: ArchiveOptions = {
    ...(selection === undefined ? {} : { tables: selection.tables }),
    noOwner: plan.noOwner,
    noTablespaces: plan.noTablespaces ?? false,
    jobs: plan.jobs,
  };
  const leftOut = new Set(plan.leaveOut.map((item) => item.dumpId));
  const lists = await writeLists(
    target,
    source.tocFile,
    run.scratchDirectory,
    (id) => !leftOut.has(id) && (selection?.selects(id) ?? true),
  );
  const say = (phase: string, bytes: number): void =>
    run.report({
      type: "progress",
      progress: { component: "database", phase, bytes, totalBytes: plainBytes(source) },
    });
  say("creating", 0);
  await restoreSection(target, source.tocFile, "pre-data", lists, options);
  await between();
  await loadRows(source, target, options, run, (bytes) => say("loading", bytes));
  await between();
  say("indexing", plainBytes(source));
  await restoreSection(target, source.tocFile, "post-data", lists, options);
  await between();
  await restoreSection(target, source.tocFile, "last", lists, options);
}

const plainBytes = (source: DatabaseSource): number =>
  source.component.archives.reduce((sum, file) => sum + file.plainBytes, 0);

const reportEveryMs = 250;

async function loadRows(
  source: DatabaseSource,
  target: RestoreTarget,
  options: ArchiveOptions,
  run: TaskRun,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([run.signal, stop.signal]);
  // The largest first, so that the last ones are short.
  const queue = source.component.archives.toSorted((a, b) => a.plainBytes - b.plainBytes);
  let bytes = 0;
  let reportedAtMs = 0;
  const work = async (): Promise<void> => {
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      const chunks = counted(readStoredFile(source.place, file, { releasePieces: true }), (length) => {
        bytes += length;
        const nowMs = run.clock.nowMs();
        if (Math.abs(nowMs - reportedAtMs) < reportEveryMs) return;
        reportedAtMs = nowMs;
        onBytes(bytes);
      });
      await restoreRows({ ...target, signal }, chunks, options);
    }
  };
  const workers = Array.from({ length: Math.max(1, Math.min(options.jobs, queue.length)) }, () =>
    work().catch((error: unknown) => {
      stop.abort(error);
      throw error;
    }),
  );
  const outcomes = await Promise.allSettled(workers);
  run.signal.throwIfAborted();
  if (stop.signal.aborted) throw firstReason(stop.signal.reason, outcomes);
}

/** The archive that failed, not the ones that were stopped because of it. */
function firstReason(reason: unknown, outcomes: readonly PromiseSettledResult<void>[]): unknown {
  if (reason instanceof Failure) return reason;
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  return reason ?? failed?.reason;
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onChunk: (length: number) => void,
): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    onChunk(chunk.length);
    yield chunk;
  }
}
