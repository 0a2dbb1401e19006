import type { FailureRecord } from "../failure.ts";
import type { Decision } from "../operation/advance.ts";
import type { TaskFacts, TaskFactsByName } from "../operation/operation.ts";

/** What exists of a backup, read anew before every decision. */
export interface BackupObservation {
  readonly backupId: string;
  readonly wantsDatabase: boolean;
  readonly wantsFiles: boolean;
  readonly attempt: number;
  readonly nowMs: number;
  readonly notBeforeMs?: number;
  readonly cancelRequested: boolean;
  /** The process that ran the attempt is dead; the observer has taken the operation over. */
  readonly ownerDied: boolean;
  /** Tasks of this attempt: `prepare`, `database`, `files`, `seal`, `look`. */
  readonly tasks: TaskFactsByName;
  /** The database task holds its snapshot. */
  readonly recoveryPointKnown: boolean;
  /** What `look` found: metadata.json is there. */
  readonly sealed?: boolean;
}

export type BackupTaskName = "prepare" | "database" | "files" | "seal" | "look";
export type BackupAction =
  | { readonly do: "start"; readonly task: BackupTaskName }
  /** Ends every running task; idempotent. */
  | { readonly do: "stop" };

/** Attempts in all, the first included. */
const maximumAttempts = 3;
const backoffMs = [2_000, 15_000];

/**
 * What to do next for a backup.
 *
 * Whether a backup exists is decided by metadata.json alone. So when the seal task ended without a word
 * (or in the middle of being stopped), nothing is concluded: a look at the repository decides.
 */
export function decideBackup(seen: BackupObservation): Decision<BackupAction> {
  const { seal, look } = seen.tasks;
  if (seal?.state === "done") return { type: "complete" };
  if (seal?.state === "running") return { type: "wait" };
  if (seal !== undefined) return decideAfterBrokenSeal(seen, seal, look);
  return seen.cancelRequested || seen.ownerDied || firstFailure(seen) !== undefined
    ? decideEnd(seen)
    : decideProgress(seen);
}

function decideProgress(seen: BackupObservation): Decision<BackupAction> {
  const { prepare } = seen.tasks;
  if (prepare === undefined) {
    if (seen.notBeforeMs !== undefined && seen.nowMs < seen.notBeforeMs) {
      return { type: "wait", untilMs: seen.notBeforeMs };
    }
    return start("prepare");
  }
  return prepare.state === "done" ? decideComponents(seen) : { type: "wait" };
}

function decideComponents(seen: BackupObservation): Decision<BackupAction> {
  const { database, files } = seen.tasks;
  if (seen.wantsDatabase && database === undefined) return start("database");
  const isDatabaseDone = !seen.wantsDatabase || database?.state === "done";
  // The file listing starts after the database's instant, so that no file the database names is missed.
  const mayList = isDatabaseDone || seen.recoveryPointKnown;
  if (seen.wantsFiles && files === undefined) return mayList ? start("files") : { type: "wait" };
  const areFilesDone = !seen.wantsFiles || files?.state === "done";
  return isDatabaseDone && areFilesDone ? start("seal") : { type: "wait" };
}

/** Something ended the attempt: first everything stops, then the reason decides how it ends. */
function decideEnd(seen: BackupObservation): Decision<BackupAction> {
  if (componentTasks(seen).some((task) => task.state === "running"))
    return { type: "act", action: { do: "stop" } };
  if (seen.cancelRequested) return { type: "cancel", failure: cancelled(seen.backupId) };
  if (seen.ownerDied) return { type: "fail", failure: interrupted(seen.backupId) };
  return failOrRetry(seen, firstFailure(seen) ?? interrupted(seen.backupId));
}

function decideAfterBrokenSeal(
  seen: BackupObservation,
  seal: TaskFacts,
  look: TaskFacts | undefined,
): Decision<BackupAction> {
  if (look === undefined) return start("look");
  if (look.state === "running") return { type: "wait" };
  if (seen.sealed === true) return { type: "complete" };
  if (look.state !== "done") return { type: "fail", failure: sealUnknown(seen.backupId, look) };
  if (seen.cancelRequested) return { type: "cancel", failure: cancelled(seen.backupId) };
  if (seen.ownerDied) return { type: "fail", failure: interrupted(seen.backupId) };
  return failOrRetry(seen, failureOf("seal", seal));
}

function failOrRetry(seen: BackupObservation, failure: FailureRecord): Decision<BackupAction> {
  if (failure.retry === "never" || seen.attempt >= maximumAttempts) return { type: "fail", failure };
  return { type: "retry", afterMs: backoffMs[seen.attempt - 1] ?? 60_000, failure };
}

const start = (task: BackupTaskName): Decision<BackupAction> => ({
  type: "act",
  action: { do: "start", task },
});

function componentTasks(seen: BackupObservation): TaskFacts[] {
  const { prepare, database, files } = seen.tasks;
  return [prepare, database, files].filter((task) => task !== undefined);
}

/** The failure that names the cause: one a worker stated, before one that only says it died. */
function firstFailure(seen: BackupObservation): FailureRecord | undefined {
  const { prepare, database, files } = seen.tasks;
  const broken = Object.entries({ prepare, database, files }).flatMap(([name, task]) =>
    task === undefined || task.state === "running" || task.state === "done" ? [] : [failureOf(name, task)],
  );
  return (
    broken.find((failure) => failure.code !== "cancelled" && failure.code !== "worker-died") ?? broken[0]
  );
}

function failureOf(name: string, task: TaskFacts): FailureRecord {
  return (
    task.failure ?? {
      code: "worker-died",
      message:
        `The worker of the ${name} task ended without a result: killed, out of memory, or crashed. ` +
        "Look for the kernel's out-of-memory messages, then run again.",
      retry: "backoff",
    }
  );
}

const cancelled = (backupId: string): FailureRecord => ({
  code: "cancelled",
  message: `${backupId} was cancelled. Nothing of it can be seen; run the command again when it is wanted.`,
  retry: "never",
});

const interrupted = (backupId: string): FailureRecord => ({
  code: "interrupted",
  message:
    `The process that ran ${backupId} died before it was done. ` +
    "Run the command again: stored bytes that are whole are used again.",
  retry: "never",
});

const sealUnknown = (backupId: string, look: TaskFacts): FailureRecord => ({
  code: look.failure?.code ?? "worker-died",
  message:
    `It is not known whether ${backupId} was sealed, because the repository could not be read: ` +
    `${look.failure?.message ?? "the worker that looked died."} ` +
    "`lc2 repository scan` will list the backup if it is there.",
  retry: "never",
});
