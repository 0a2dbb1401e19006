import type { FailureRecord } from "../failure.ts";
import {
  hookFailure,
  isHookRunning,
  releaseHolds,
  runAfter,
  runBefore,
  type HooksObservation,
  type HookStep,
} from "../hooks/decide-hooks.ts";
import type { Decision } from "../operation/advance.ts";
import { pauseOf, type AttemptObservation } from "../operation/attempts.ts";
import { classifyFailure, decideRetry } from "../operation/decide-retry.ts";
import type { TaskFacts } from "../operation/operation.ts";
import type { RestoreInto } from "./restore.ts";

/** What exists of a restore, read anew before every decision. */
export interface RestoreObservation extends AttemptObservation, HooksObservation {
  readonly restoreId: string;
  /** It will not end as interrupted but begin again. */
  readonly beginsAgain: boolean;
  /** Of the plan, once there is one. */
  readonly plan?: {
    readonly database?: { readonly into: RestoreInto; readonly target: string };
    readonly files: boolean;
  };
  /** What whoever asked said to the plan. */
  readonly approval: "pending" | "given" | FailureRecord;
  /** What `swap` or `look` reported. */
  readonly swapped?: boolean;
  /** Objects that the files task had replaced, added or removed when it last said anything. */
  readonly filesTouched?: number;
}

export type RestoreTaskName = "plan" | "database" | "files" | "swap" | "look" | "undo-files" | "discard";
export type RestoreAction =
  | { readonly do: "start"; readonly task: RestoreTaskName }
  | HookStep
  /** Shows the plan to whoever asked, and records the answer. */
  | { readonly do: "ask-approval" }
  /** Ends every running task; idempotent. */
  | { readonly do: "stop" };

/**
 * What to do next for a restore. Hooks: those before run when the plan is approved, what they hold is let go before any
 * end, those after run when the end is known; one of them that fails makes a failure of what was restored and stays.
 *
 * Tasks: `plan`, `database`, `files`, `swap`, `look` (at the swap), `undo-files`, `discard`, and those of hooks.
 */
export function decideRestore(seen: RestoreObservation): Decision<RestoreAction> {
  const decision = decideWork(seen);
  if (decision.type === "act" || decision.type === "wait") return decision;
  const released = releaseHolds(seen);
  if (released !== undefined) return released;
  if (decision.type === "retry") return decision;
  if (decision.type !== "complete")
    return (seen.beginsAgain ? undefined : runAfter(seen, outcomes[decision.type])) ?? decision;
  const step = runAfter(seen, "Completed");
  if (step !== undefined) return step;
  const failure = hookFailure(seen, "after");
  return failure === undefined ? decision : { type: "fail", failure: restoredBut(seen, failure) };
}

const outcomes = { cancel: "Cancelled", fail: "Failed" } as const;

/**
 * The work itself: plan, approval, database beside the old one, files, swap last. Until
 * the swap the running database is untouched; files are replaced one by one, so a failure after they began
 * says so. A restore that fails is cleaned up and a new one is asked for. Only what had changed nothing that stays, and
 * failed because a store or server was away, is tried again.
 */
function decideWork(seen: RestoreObservation): Decision<RestoreAction> {
  if (seen.swapped === true) return { type: "complete" };
  if (seen.tasks["swap"]?.state === "running") return { type: "wait" };
  if (isBroken(seen.tasks["swap"]) && !isEnded(seen.tasks["look"])) {
    // The rename may have been committed before the worker failed: only a look tells.
    return seen.tasks["look"] === undefined ? start("look") : { type: "wait" };
  }
  if (isBroken(seen.tasks["look"])) return { type: "fail", failure: swapUnknown(seen) };
  const cause = causeOfEnd(seen);
  if (cause === undefined) return decideProgress(seen);
  return decideCleanUp(seen, cause);
}

function decideProgress(seen: RestoreObservation): Decision<RestoreAction> {
  const { plan, database, files, swap } = seen.tasks;
  if (plan === undefined) return pauseOf(seen) ?? start("plan");
  if (plan.state === "running") return { type: "wait" };
  if (seen.approval !== "given") return { type: "act", action: { do: "ask-approval" } };
  const hook = runBefore(seen);
  if (hook !== undefined) return hook;
  if (seen.plan?.database !== undefined) {
    if (database === undefined) return start("database");
    if (database.state === "running") return { type: "wait" };
  }
  if (seen.plan?.files === true) {
    if (files === undefined) return start("files");
    if (files.state === "running") return { type: "wait" };
  }
  if (!needsSwap(seen)) return { type: "complete" };
  return swap === undefined ? start("swap") : { type: "wait" };
}

/** Stops what runs, puts back what may be put back, and ends with a sentence that says what is left. */
function decideCleanUp(seen: RestoreObservation, cause: FailureRecord): Decision<RestoreAction> {
  const { plan, database, files, discard } = seen.tasks;
  const undo = seen.tasks["undo-files"];
  if ([plan, database, files].some((task) => task?.state === "running") || isHookRunning(seen)) {
    return { type: "act", action: { do: "stop" } };
  }
  // The swap is what makes database and files fit together: without it, whole new files go back.
  if (files?.state === "done" && isEnded(seen.tasks["swap"]) && undo === undefined)
    return start("undo-files");
  if (undo?.state === "running") return { type: "wait" };
  if (database !== undefined && mayDiscard(seen) && discard === undefined) return start("discard");
  if (discard?.state === "running") return { type: "wait" };
  const again = beginAgain(seen, cause);
  if (again !== undefined) return again;
  const failure = {
    ...cause,
    message: [cause.message, ...describeLeft(seen)].join(" "),
    retry: "never" as const,
  };
  return cause.code === "cancelled" ? { type: "cancel", failure } : { type: "fail", failure };
}

/** The next attempt, where there may be one and is one left. */
function beginAgain(seen: RestoreObservation, cause: FailureRecord): Decision<RestoreAction> | undefined {
  if (!mayBeginAgain(seen, cause)) return undefined;
  const again = decideRetry(cause, seen.budget);
  return again.type === "retry" ? again : undefined;
}

/** Nothing of it is left, no file was touched, and what it failed of has nothing to do with it. */
function mayBeginAgain(seen: RestoreObservation, cause: FailureRecord): boolean {
  const { database, files, discard } = seen.tasks;
  const kind = classifyFailure(cause);
  if (kind !== "away" && kind !== "throttled" && kind !== "conflict") return false;
  if (seen.ownerDied || seen.cancelRequested || files !== undefined) return false;
  return database === undefined || discard?.state === "done";
}

/**
 * The last step puts what was loaded in its place: names swapped, a new database named, the mark taken off one
 * that was empty. Until then it can be told from anybody else's and discarded. In place there is no such step.
 */
function needsSwap(seen: RestoreObservation): boolean {
  const into = seen.plan?.database?.into;
  return into !== undefined && into !== "in-place";
}

/** What was loaded but not swapped in goes. Rows put into a live database in place are not taken out again. */
function mayDiscard(seen: RestoreObservation): boolean {
  return !(seen.plan?.database?.into === "in-place" && seen.tasks["database"]?.state === "done");
}

/** Why the restore cannot go on, or undefined while it can. */
function causeOfEnd(seen: RestoreObservation): FailureRecord | undefined {
  if (seen.tasks["plan"] !== undefined && typeof seen.approval === "object") return seen.approval;
  for (const name of ["plan", "database", "files", "swap"] as const) {
    const task = seen.tasks[name];
    if (!isBroken(task)) continue;
    const failure = failureOf(name, task);
    if (failure.code !== "cancelled" && !(seen.ownerDied && task?.state === "lost")) return failure;
  }
  const hook = hookFailure(seen, "before");
  if (hook !== undefined && hook.code !== "cancelled") return hook;
  if (seen.tasks["swap"]?.state === "done") return notSwapped(seen);
  if (isWhole(seen)) return undefined;
  if (seen.ownerDied) return interrupted(seen.restoreId);
  if (seen.cancelRequested) return cancelled(seen.restoreId);
  return undefined;
}

/** Every task that this restore needs is done: only the record of its end was missing. */
function isWhole(seen: RestoreObservation): boolean {
  if (seen.approval !== "given" || seen.plan === undefined || needsSwap(seen)) return false;
  const databaseDone = seen.plan.database === undefined || seen.tasks["database"]?.state === "done";
  const filesDone = !seen.plan.files || seen.tasks["files"]?.state === "done";
  return databaseDone && filesDone;
}

function describeLeft(seen: RestoreObservation): string[] {
  return [...describeDatabaseLeft(seen), ...describeFilesLeft(seen)];
}

function describeDatabaseLeft(seen: RestoreObservation): string[] {
  const { database, discard } = seen.tasks;
  const target = `The database "${seen.plan?.database?.target ?? ""}"`;
  if (database !== undefined && !mayDiscard(seen)) return [`${target} had already been restored in place.`];
  if (discard === undefined) return [];
  if (discard.state === "done") return [`${target} is as it was; nothing that had been loaded is left.`];
  return [
    `${target} is as it was, but what had been loaded could not be removed: ` +
      `${failureOf("discard", discard).message} \`lc2 restore undo ${seen.restoreId}\` tries again.`,
  ];
}

function describeFilesLeft({ restoreId, tasks, filesTouched }: RestoreObservation): string[] {
  const { files } = tasks;
  const undo = tasks["undo-files"];
  const advice = `\`lc2 restore undo ${restoreId}\``;
  if (undo?.state === "done") return ["The files that had been replaced were put back."];
  if (undo !== undefined) {
    const why = failureOf("undo", undo).message;
    return [`The files had been replaced and could not be put back: ${why} Run ${advice}.`];
  }
  if (files === undefined) return [];
  if (files.state === "done") {
    return [`All files of the plan had already been replaced; ${advice} puts the former ones back.`];
  }
  if (filesTouched === 0) {
    return [`No file is known to have been replaced; ${advice} puts back any that was.`];
  }
  const count = filesTouched === undefined ? "Some" : `About ${filesTouched}`;
  return [`${count} files of the plan had already been replaced; ${advice} puts the former ones back.`];
}

const start = (task: RestoreTaskName): Decision<RestoreAction> => ({
  type: "act",
  action: { do: "start", task },
});
const isEnded = (task: TaskFacts | undefined): boolean => task !== undefined && task.state !== "running";
const isBroken = (task: TaskFacts | undefined): boolean => task?.state === "failed" || task?.state === "lost";

function failureOf(name: string, task: TaskFacts | undefined): FailureRecord {
  return (
    task?.failure ?? {
      code: "worker-died",
      message: `The worker of the ${name} task ended without a result: killed, out of memory, or crashed.`,
      retry: "never",
    }
  );
}

const restoredBut = ({ restoreId }: RestoreObservation, failure: FailureRecord): FailureRecord => ({
  ...failure,
  message:
    `What was asked for is restored and in its place, but a hook afterwards failed: ${failure.message} ` +
    `Do what the hook should have done, or return to the state before with \`lc2 restore undo ${restoreId}\`.`,
  retry: "never",
});

const notSwapped = (seen: RestoreObservation): FailureRecord => ({
  code: "internal",
  message: `The database "${seen.plan?.database?.target ?? ""}" was not swapped, and the worker did not say why.`,
  retry: "never",
});

/** Nothing is put back when it is not known which of two databases is live. */
const swapUnknown = (seen: RestoreObservation): FailureRecord => ({
  code: seen.tasks["look"]?.failure?.code ?? "worker-died",
  message:
    `It is not known whether the database "${seen.plan?.database?.target ?? ""}" was swapped: ` +
    `${seen.tasks["look"]?.failure?.message ?? "the worker that looked died."} Nothing was put back. ` +
    `When the server can be reached, \`lc2 restore undo ${seen.restoreId}\` returns to the state before.`,
  retry: "never",
});

const cancelled = (restoreId: string): FailureRecord => ({
  code: "cancelled",
  message: `${restoreId} was cancelled.`,
  retry: "never",
});

const interrupted = (restoreId: string): FailureRecord => ({
  code: "interrupted",
  message: `The process that ran ${restoreId} died before it was done.`,
  retry: "never",
});
