import type { HookRunView, HookView } from "../contract/service.ts";
import type { HookResult, Hooks, HookSpec } from "../core/hooks/hook.ts";
import { kindOf } from "../core/hooks/hook.ts";
import { runTaskOf, undoTaskOf } from "../core/hooks/decide-hooks.ts";
import type { OperationTask } from "../core/operation/operation.ts";
import { holdingTasks } from "./watched-task.ts";

type Tasks = ReadonlyMap<string, OperationTask>;

/** How the hooks of an operation went so far; nothing where it has none. `tasks`: those of the current attempt. */
export function viewHooks({ before, after }: Hooks, tasks: Tasks): { readonly hooks?: readonly HookView[] } {
  if (before.length + after.length === 0) return {};
  return {
    hooks: [
      ...before.map((hook) => viewHook(hook, "before", tasks)),
      ...after.map((hook) => viewHook(hook, "after", tasks)),
    ],
  };
}

function viewHook(hook: HookSpec, when: HookView["when"], tasks: Tasks): HookView {
  const task = tasks.get(runTaskOf(hook, tasks));
  const undo = tasks.get(undoTaskOf(hook, tasks));
  const result = task?.result as HookResult | undefined;
  return {
    name: hook.name,
    kind: kindOf(hook),
    when,
    ...viewRun(task, tasks),
    ...(task === undefined ? {} : { startedAt: toIso(task.startedAtMs) }),
    ...(task?.finishedAtMs === undefined ? {} : { finishedAt: toIso(task.finishedAtMs) }),
    ...(result === undefined ? {} : { tries: result.tries, output: result.output }),
    ...(result?.outputCut === true ? { outputCut: true } : {}),
    ...(undo === undefined ? {} : { undo: viewRun(undo, tasks) }),
  };
}

const toIso = (ms: number): string => new Date(ms).toISOString();

const statuses = { running: "InProgress", done: "Completed", failed: "Failed", lost: "Unknown" } as const;

function viewRun(task: OperationTask | undefined, tasks: Tasks): HookRunView {
  if (task === undefined) return { status: "Pending" };
  const status = holdingTasks(tasks).has(task.name) ? "Holding" : statuses[task.state];
  return { status, ...(task.failure === undefined ? {} : { error: task.failure }) };
}
