import type { FailureRecord } from "../failure.ts";
import type { Decision } from "../operation/advance.ts";
import type { Outcome, TaskFacts, TaskFactsByName } from "../operation/operation.ts";
import type { Hooks, HookSpec } from "./hook.ts";

/** What is known of an operation's hooks. */
export interface HooksObservation {
  readonly hooks: Hooks;
  readonly tasks: TaskFactsByName;
  /** Names of tasks whose hook's effect is there now and will be undone. */
  readonly holding: ReadonlySet<string>;
}

export type HookStep =
  /** Runs a hook, or what undoes it, as the task of this name; idempotent. */
  | { readonly do: "hook"; readonly task: string; readonly hook: HookSpec; readonly undo: boolean }
  /** Ends the task of a hook that holds, which undoes it, and waits for that; idempotent. */
  | { readonly do: "release"; readonly task: string };
type HookDecision = Decision<HookStep>;

const hookTask = ({ name }: HookSpec): string => `hook:${name}`;
const undoTask = ({ name }: HookSpec): string => `undo-hook:${name}`;
const again = (task: string): string => `${task}:again`;

/** Of a task's name, where it is one of a hook: which, and whether it undoes it. */
export function hookOfTask(task: string): { readonly name: string; readonly undo: boolean } | undefined {
  const found = /^(undo-)?hook:([^:]+)/.exec(task);
  return found === null ? undefined : { name: found[2] ?? "", undo: found[1] !== undefined };
}

interface Run extends Pick<TaskFacts, "state"> {
  readonly task: string;
  readonly failure?: FailureRecord;
}

/**
 * The latest run of a task and its repetition. A run that ended without a word is repeated once, where that is
 * harmless; else nobody knows what it did, and it counts as failed.
 */
function runOf(tasks: TaskFactsByName, task: string): Run | undefined {
  const name = tasks[again(task)] === undefined ? task : again(task);
  const facts = tasks[name];
  return facts === undefined ? undefined : { ...facts, task: name };
}

/** The name of the latest task of a hook, or of what undoes it; of the first one where there is none. */
export const runTaskOf = (hook: HookSpec, tasks: TaskNames): string => latest(hookTask(hook), tasks);
export const undoTaskOf = (hook: HookSpec, tasks: TaskNames): string => latest(undoTask(hook), tasks);
const latest = (task: string, tasks: TaskNames): string => (tasks.has(again(task)) ? again(task) : task);
interface TaskNames {
  has(name: string): boolean;
}

const mayRepeat = (run: Run, task: string, isHarmless: boolean): boolean =>
  run.state === "lost" && run.task === task && isHarmless;

/** The next step of the hooks before the work, in their order; undefined when all have run. */
export function runBefore(seen: HooksObservation): HookDecision | undefined {
  for (const hook of seen.hooks.before) {
    const step = runHook(seen, hook);
    if (step !== undefined) return step;
  }
  return undefined;
}

/** The next step of the hooks after the work that are meant for this outcome; undefined when all have run. */
export function runAfter(seen: HooksObservation, outcome: Outcome): HookDecision | undefined {
  const isSuccess = outcome === "Completed";
  for (const hook of seen.hooks.after) {
    const { runOn = "success" } = hook;
    if (runOn !== "always" && (runOn === "success") !== isSuccess) continue;
    const step = runHook(seen, hook);
    if (step !== undefined) return step;
  }
  return undefined;
}

function runHook({ tasks, holding }: HooksObservation, hook: HookSpec): HookDecision | undefined {
  const task = hookTask(hook);
  const run = runOf(tasks, task);
  if (run === undefined) return start(task, hook, false);
  if (mayRepeat(run, task, hook.idempotent === true)) return start(again(task), hook, false);
  return run.state === "running" && !holding.has(run.task) ? { type: "wait" } : undefined;
}

/**
 * The next step towards nothing being held any more; undefined when there is nothing. Last held, first undone. What a
 * hook did that failed or was never heard of again is unknown, so it is undone, too.
 */
export function releaseHolds({ hooks, tasks }: HooksObservation): HookDecision | undefined {
  for (const hook of hooks.before.toReversed()) {
    const run = hook.undo === undefined ? undefined : runOf(tasks, hookTask(hook));
    if (run === undefined || run.state === "done" || run.failure?.code === "hook-not-allowed") continue;
    if (run.state === "running") return { type: "act", action: { do: "release", task: run.task } };
    const undo = runOf(tasks, undoTask(hook));
    if (undo === undefined) return start(undoTask(hook), hook, true);
    if (undo.state === "running") return { type: "wait" };
    if (mayRepeat(undo, undoTask(hook), true)) return start(again(undoTask(hook)), hook, true);
  }
  return undefined;
}

/** Why the work cannot go on, or did not end well, because of a hook; undefined when it can, or did. */
export function hookFailure(seen: HooksObservation, moment: "before" | "after"): FailureRecord | undefined {
  for (const hook of seen.hooks[moment]) {
    if (hook.onError === "continue") continue;
    const run = runOf(seen.tasks, hookTask(hook));
    if (run?.state === "failed") return run.failure ?? unknownOutcome(hook);
    if (run?.state === "lost" && !mayRepeat(run, hookTask(hook), hook.idempotent === true))
      return unknownOutcome(hook);
  }
  return undefined;
}

/** Whether a hook before the work runs that the work waits for. */
export const isHookRunning = ({ hooks, tasks, holding }: HooksObservation): boolean =>
  hooks.before.some((hook) => {
    const run = runOf(tasks, hookTask(hook));
    return run?.state === "running" && !holding.has(run.task);
  });

const start = (task: string, hook: HookSpec, undo: boolean): HookDecision => ({
  type: "act",
  action: { do: "hook", task, hook, undo },
});

const unknownOutcome = ({ name }: HookSpec): FailureRecord => ({
  code: "hook-outcome-unknown",
  message:
    `The worker of the hook "${name}" died, so it is not known what the hook did; it is not run again by itself, ` +
    "because it is not said to be idempotent.",
  retry: "never",
});
