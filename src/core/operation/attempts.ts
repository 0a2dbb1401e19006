import type { FailureRecord } from "../failure.ts";
import type { Decision } from "./advance.ts";
import { decideRetry, isAhead, type RetryBudget } from "./decide-retry.ts";
import type { TaskFacts, TaskFactsByName } from "./operation.ts";

/** What every operation that may be tried again is seen by, read anew before every decision. */
export interface AttemptObservation {
  readonly budget: RetryBudget;
  readonly notBeforeMs?: number;
  readonly cancelRequested: boolean;
  /** The process that ran the attempt is dead; the observer has taken the operation over. */
  readonly ownerDied: boolean;
  /** Tasks of this attempt, by name. */
  readonly tasks: TaskFactsByName;
}

/** The pause before the attempt, while it lasts. */
export function pauseOf({ notBeforeMs, budget }: AttemptObservation): Decision<never> | undefined {
  if (notBeforeMs === undefined || !isAhead(notBeforeMs, budget.nowMs)) return undefined;
  return { type: "wait", untilMs: notBeforeMs };
}

/** What an operation says when it ends before it is done. */
export interface EndWords {
  readonly cancelled: FailureRecord;
  readonly interrupted: FailureRecord;
}

/** How it ends because somebody wants it to, or because its process is gone; undefined while neither is so. */
export function endOf(
  { cancelRequested, ownerDied }: AttemptObservation,
  { cancelled, interrupted }: EndWords,
): Decision<never> | undefined {
  if (cancelRequested) return { type: "cancel", failure: cancelled };
  return ownerDied ? { type: "fail", failure: interrupted } : undefined;
}

/** What is known of a commit whose task ended without saying whether it made it. */
export interface LookWords extends EndWords {
  /** What the look found; undefined: it could not tell. */
  readonly isThere: boolean | undefined;
  /** Of the task that should have committed. */
  readonly failure: FailureRecord;
  readonly unknown: (look: TaskFacts) => FailureRecord;
}

/** Nothing is concluded from silence: the task `look` reads what there is, and that decides. */
export function decideByLook(
  seen: AttemptObservation,
  words: LookWords,
): Decision<{ readonly do: "start"; readonly task: "look" }> {
  const { look } = seen.tasks;
  if (look === undefined) return { type: "act", action: { do: "start", task: "look" } };
  if (look.state === "running") return { type: "wait" };
  if (words.isThere === true) return { type: "complete" };
  if (look.state !== "done") return lookLater(seen, look) ?? { type: "fail", failure: words.unknown(look) };
  return endOf(seen, words) ?? decideRetry(words.failure, seen.budget);
}

/** Where nobody waits, another attempt may begin although nothing is known: it adopts what is there already. */
function lookLater(
  { budget, cancelRequested }: AttemptObservation,
  look: TaskFacts,
): Decision<never> | undefined {
  if (look.failure === undefined || cancelRequested || !budget.isQueued) return undefined;
  const later = decideRetry(look.failure, budget);
  return later.type === "retry" ? later : undefined;
}

/** A task's own word on why it failed, or that it died without one. `of`: "the copy", "the seal task". */
export const failureOf = (task: TaskFacts, of: string): FailureRecord =>
  task.failure ?? {
    code: "worker-died",
    message:
      `The worker of ${of} ended without a result: killed, out of memory, or crashed. ` +
      "Look for the kernel's out-of-memory messages, then run again.",
    retry: "backoff",
  };
