import type { FailureRecord } from "../failure.ts";
import type { Decision } from "../operation/advance.ts";
import {
  decideByLook,
  endOf,
  failureOf,
  pauseOf,
  type AttemptObservation,
  type EndWords,
} from "../operation/attempts.ts";
import { decideRetry } from "../operation/decide-retry.ts";
import type { TaskFacts } from "../operation/operation.ts";

/** What exists of the copying of a backup. Its tasks: `copy`, `look`. */
export interface CopyObservation extends AttemptObservation {
  readonly backupId: string;
  /** What `look` found: the destination has the backup, sealed, as the source has it. */
  readonly isThere?: boolean;
}

export type CopyTaskName = "copy" | "look";
export type CopyAction =
  | { readonly do: "start"; readonly task: CopyTaskName }
  /** Ends every running task; idempotent. */
  | { readonly do: "stop" };

/**
 * What to do next for a copy. Each attempt goes on where the one before stopped.
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
  return isKnown ? decideKnownFailure(seen, copy.failure) : decideAfterSilence(seen, copy);
}

function decideStart(seen: CopyObservation): Decision<CopyAction> {
  const start: Decision<CopyAction> = { type: "act", action: { do: "start", task: "copy" } };
  return endOf(seen, wordsOf(seen)) ?? pauseOf(seen) ?? start;
}

const decideAfterSilence = (seen: CopyObservation, copy: TaskFacts): Decision<CopyAction> =>
  decideByLook(seen, {
    ...wordsOf(seen),
    isThere: seen.isThere,
    failure: failureOf(copy, "the copy"),
    unknown: (look) => unknown(seen.backupId, look),
  });

/** It was told to stop, or its parent was gone: what it did before is not said. */
const isStopped = ({ code }: FailureRecord): boolean => code === "cancelled" || code === "interrupted";

/** The cause says more than that the process which waited for it is gone. */
const decideKnownFailure = (seen: CopyObservation, failure: FailureRecord): Decision<CopyAction> =>
  endOf(seen, { ...wordsOf(seen), interrupted: failure }) ?? decideRetry(failure, seen.budget);

const goesOn = "Run the command again when it is wanted: what arrived whole is not copied again.";

const wordsOf = ({ backupId }: CopyObservation): EndWords => ({
  cancelled: {
    code: "cancelled",
    message: `The copying of ${backupId} was cancelled. Nothing of it can be seen in the destination. ${goesOn}`,
    retry: "never",
  },
  interrupted: {
    code: "interrupted",
    message: `The process that copied ${backupId} died before it was done. ${goesOn}`,
    retry: "never",
  },
});

const unknown = (backupId: string, look: TaskFacts): FailureRecord => ({
  code: look.failure?.code ?? "worker-died",
  message:
    `It is not known whether ${backupId} was copied whole, because the destination could not be read: ` +
    `${look.failure?.message ?? "the worker that looked died."} Run the command again: it will say so or go on.`,
  retry: "never",
});
