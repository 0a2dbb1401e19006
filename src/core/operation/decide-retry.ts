import type { FailureCode, FailureRecord } from "../failure.ts";
import type { OperationTask } from "./operation.ts";

/**
 * What a failure says of a next attempt:
 *
 * - `throttled`: the store asks to be left alone for a while,
 * - `away`: a store or a server does not answer; it has nothing to do with this operation,
 * - `conflict`: another process is in the way, and will not be for ever,
 * - `transient`: it may pass, and may be this operation's own fault,
 * - `permanent`: it will not pass by itself.
 */
export type FailureClass = "throttled" | "away" | "conflict" | "transient" | "permanent";

const classOfCode: Partial<Record<FailureCode, FailureClass>> = {
  "store-throttled": "throttled",
  "store-unreachable": "away",
  "database-unreachable": "away",
  "database-busy": "away",
  "repository-busy": "conflict",
  "place-busy": "conflict",
};

export function classifyFailure({ code, retry }: FailureRecord): FailureClass {
  return retry === "never" ? "permanent" : (classOfCode[code] ?? "transient");
}

/** What has been spent on an operation so far. */
export interface RetryBudget {
  /** Makes the pauses of different operations different ones. */
  readonly operationId: string;
  /** The attempt that failed; counts from 1. */
  readonly attempt: number;
  /** Attempts before it that count; see `countSpentAttempts`. */
  readonly spentAttempts: number;
  readonly createdAtMs: number;
  readonly nowMs: number;
  /** It came from the queue: nobody waits in front of it, and it can wait there again. */
  readonly isQueued: boolean;
}

/** Attempts in all that may be an operation's own fault, the first included. */
const maximumAttempts = 3;
/**
 * Attempts in all that may end with the process that made them. Most such deaths are no fault of the operation (a
 * deployment, a machine, another operation that takes all memory), so there are more of them; but what ends every
 * process that tries it is not tried for ever.
 */
export const maximumDeaths = 10;
/** How long what is away, or in the way, is waited for. */
const patienceMs = 24 * 3_600_000;
const pauses = {
  transient: { baseMs: 4_000, longestMs: 60_000 },
  passing: { baseMs: 5_000, longestMs: 300_000 },
} as const;

/**
 * Whether something has to wait for this instant. Nothing is waited for longer than patience lasts: what lies farther
 * ahead was written by a clock that ran ahead, and counts for nothing.
 */
export const isAhead = (ms: number, nowMs: number): boolean => ms > nowMs && ms - nowMs <= patienceMs;

export type RetryDecision =
  | { readonly type: "retry"; readonly afterMs: number; readonly failure: FailureRecord }
  | { readonly type: "fail"; readonly failure: FailureRecord };

/**
 * Whether an attempt that failed is followed by another one, and when. Pure: the pause's random part comes from the
 * operation's id and attempt, so the same failure is answered in the same way by whoever decides.
 *
 * What is not the operation's own fault does not use up its attempts, but its patience, where it can wait in the queue;
 * in front of a person it is tried as often as anything else.
 */
export function decideRetry(failure: FailureRecord, budget: RetryBudget): RetryDecision {
  const kind = classifyFailure(failure);
  if (kind === "permanent") return { type: "fail", failure };
  const isPassing = kind !== "transient" && budget.isQueued;
  if (isPassing && budget.nowMs - budget.createdAtMs >= patienceMs) {
    const message = `${failure.message} It was tried for a day.`;
    return { type: "fail", failure: { ...failure, message } };
  }
  const used = budget.isQueued ? budget.spentAttempts + 1 : budget.attempt;
  if (!isPassing && used >= maximumAttempts) return { type: "fail", failure };
  const tries = isPassing ? budget.attempt : used;
  const jittered = pauseMs(tries, `${budget.operationId} ${budget.attempt}`, isPassing);
  return { type: "retry", afterMs: Math.max(jittered, failure.retryAfterMs ?? 0), failure };
}

/** Exponential, with full jitter: a part of the longest pause of this try, which `seed` chooses. */
export function pauseMs(tries: number, seed: string, isPassing: boolean): number {
  const { baseMs, longestMs } = isPassing ? pauses.passing : pauses.transient;
  return Math.ceil(fractionOf(seed) * Math.min(longestMs, baseMs * 2 ** Math.min(20, tries - 1)));
}

/** How many of the attempts before this one failed for what may be their own fault. */
export function countSpentAttempts(attempt: number, tasks: readonly OperationTask[]): number {
  return countAttempts(attempt, tasks, (own) =>
    own.some(({ failure }) => failure !== undefined && !isFree(failure)),
  );
}

/** How many of the attempts before this one ended with the process that made them: nobody noted why. */
export function countDeaths(attempt: number, tasks: readonly OperationTask[]): number {
  return countAttempts(
    attempt,
    tasks,
    (own) =>
      own.every(({ failure }) => failure === undefined) ||
      own.some(({ state, failure }) => state === "lost" && failure === undefined),
  );
}

function countAttempts(
  attempt: number,
  tasks: readonly OperationTask[],
  counts: (own: readonly OperationTask[]) => boolean,
): number {
  let count = 0;
  for (let earlier = 1; earlier < attempt; earlier += 1)
    if (counts(tasks.filter((task) => task.attempt === earlier))) count += 1;
  return count;
}

/** A task that was stopped says nothing against its attempt: another one failed, or a server ended. */
function isFree(failure: FailureRecord): boolean {
  const kind = classifyFailure(failure);
  return kind === "throttled" || kind === "away" || kind === "conflict" || failure.code === "cancelled";
}

/** FNV-1a, as a number from 0 up to 1. */
function fractionOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  // The last characters differ most: mixed once more, so that they move the whole.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}
