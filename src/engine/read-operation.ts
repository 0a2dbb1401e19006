import type { Operation, OperationTask } from "../core/operation/operation.ts";
import type { EngineParts } from "./parts.ts";

/** An operation, if there is one of this id, and the tasks of its current attempt by name. */
export async function readOperation(
  parts: EngineParts,
  id: string,
): Promise<{ operation: Operation | undefined; tasks: ReadonlyMap<string, OperationTask> }> {
  const operation = await parts.catalog.getOperation(id);
  const all = operation === undefined ? [] : await parts.catalog.listTasks(id);
  const current = all.filter(({ attempt }) => attempt === operation?.attempt);
  return { operation, tasks: new Map(current.map((task) => [task.name, task])) };
}
