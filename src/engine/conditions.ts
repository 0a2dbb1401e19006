import type { Condition } from "../contract/service.ts";
import type { Progress } from "../contract/worker-task.ts";
import type { OperationTask } from "../core/operation/operation.ts";

/** What is remarkable about the tasks that run. */
export function viewConditions(tasks: ReadonlyMap<string, OperationTask>): {
  readonly conditions?: readonly Condition[];
} {
  const conditions = [...tasks.values()].flatMap(({ name, state, progress }): Condition[] => {
    const since = (progress as Progress | undefined)?.stalledSince;
    if (state !== "running" || since === undefined) return [];
    return [{ type: "Stalled", since, message: `The ${name} task moves no byte.` }];
  });
  return conditions.length === 0 ? {} : { conditions };
}
