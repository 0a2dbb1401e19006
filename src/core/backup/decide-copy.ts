import type { FailureRecord } from "../failure.ts";
import type { Decision } from "../operation/advance.ts";
import type { TaskFacts, TaskFactsByName } from "../operation/operation.ts";

/** What exists of the copying of a backup, read anew before every decision. */
export interface CopyObservation {
  readonly backupId: string;
  readonly attempt: number;
  readonly nowMs: number;
  readonly notBeforeMs?: number;
  readonly cancelRequested: boolean;
  /** The process that ran the attempt is dead; the observer has taken the operation over. */
  readonly ownerDied: boolean;
  /** Tasks of this attempt: `copy`, `look`. */
  readonly tasks: TaskFactsByName;
  /** What `look` found: the destination has the backup, sealed, as the source has it. */
  readonly isThere?: boolean;
}

export type CopyTaskName = "copy" | "look";
export type CopyAction =
  | { readonly do: "start"; readonly task: CopyTaskName }
  /** Ends every running task; idempotent. */
  | { readonly do: "stop" };

/** Attempts in all, the first included. Each goes on where the one before stopped. */
const maximumAttempts = 3;
const backoffMs = [2_000, 15_000];

/**
 * What to do next for a copy.
 *
 * Whether the destination has the backup is decided by the metadata.json there alone. A worker that says why it
 * failed knows that it did not commit; one that was stopped, or ended without a word, may have: a look decides.
 */
export function decideCopy(seen: CopyObservation): Decision<CopyAction> {
  const { copy } = seen.tasks;
  if (copy === undefined) return decideStart(seen);
  if (copy.state === "done") return { type: "complete" };
  if (copy.state === "running") {
    return seen.cancelRequested ? { type: "act", action: { do: "stop" } } : { type: "wait" };
  }
  const isKnown = copy.state === "failed" && copy.failure !== undefined && !isStopped(copy.failure);
  return isKnown ? failOrRetry(seen, copy.failure) : decideAfterLook(seen, copy);
}

function decideStart(seen: CopyObservation): Decision<CopyAction> {
  if (seen.cancelRequested) return { type: "cancel", failure: cancelled(seen.backupId) };
  if (seen.ownerDied) return { type: "fail", failure: interrupted(seen.backupId) };
  if (seen.notBeforeMs !== undefined && seen.nowMs < seen.notBeforeMs) {
    return { type: "wait", untilMs: seen.notBeforeMs };
  }
  return { type: "act", action: { do: "start", task: "copy" } };
}

function decideAfterLook(seen: CopyObservation, copy: TaskFacts): Decision<CopyAction> {
  const { look } = seen.tasks;
  if (look === undefined) return { type: "act", action: { do: "start", task: "look" } };
  if (look.state === "running") return { type: "wait" };
  if (seen.isThere === true) return { type: "complete" };
  if (look.state !== "done") return { type: "fail", failure: unknown(seen.backupId, look) };
  if (seen.cancelRequested) return { type: "cancel", failure: cancelled(seen.backupId) };
  if (seen.ownerDied) return { type: "fail", failure: interrupted(seen.backupId) };
  return failOrRetry(seen, copy.failure ?? died);
}

/** It was told to stop, or its parent was gone: what it did before is not said. */
const isStopped = ({ code }: FailureRecord): boolean => code === "cancelled" || code === "interrupted";

function failOrRetry(seen: CopyObservation, failure: FailureRecord): Decision<CopyAction> {
  if (seen.cancelRequested) return { type: "cancel", failure: cancelled(seen.backupId) };
  if (seen.ownerDied || failure.retry === "never" || seen.attempt >= maximumAttempts) {
    return { type: "fail", failure };
  }
  return { type: "retry", afterMs: backoffMs[seen.attempt - 1] ?? 60_000, failure };
}

const goesOn = "Run the command again when it is wanted: what arrived whole is not copied again.";

const died: FailureRecord = {
  code: "worker-died",
  message:
    "The worker of the copy ended without a result: killed, out of memory, or crashed. " +
    "Look for the kernel's out-of-memory messages, then run again.",
  retry: "backoff",
};

const cancelled = (backupId: string): FailureRecord => ({
  code: "cancelled",
  message: `The copying of ${backupId} was cancelled. Nothing of it can be seen in the destination. ${goesOn}`,
  retry: "never",
});

const interrupted = (backupId: string): FailureRecord => ({
  code: "interrupted",
  message: `The process that copied ${backupId} died before it was done. ${goesOn}`,
  retry: "never",
});

const unknown = (backupId: string, look: TaskFacts): FailureRecord => ({
  code: look.failure?.code ?? "worker-died",
  message:
    `It is not known whether ${backupId} was copied whole, because the destination could not be read: ` +
    `${look.failure?.message ?? "the worker that looked died."} Run the command again: it will say so or go on.`,
  retry: "never",
});
