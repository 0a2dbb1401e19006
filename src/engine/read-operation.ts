import { isWaiting, type Operation, type OperationTask } from "../core/operation/operation.ts";
import type { EngineParts } from "./parts.ts";

/** An operation, if there is one of this id, and the tasks of its current attempt by name. */
export async function readOperation(
  parts: EngineParts,
  id: string,
): Promise<{ operation: Operation | undefined; tasks: ReadonlyMap<string, OperationTask> }> {
  const operation = await parts.catalog.getOperation(id);
  return { operation, tasks: operation === undefined ? new Map() : await readTasks(parts, operation) };
}

/** The tasks of its current attempt by name. Of what waits there is nothing to read. */
export async function readTasks(
  { catalog }: EngineParts,
  operation: Operation,
): Promise<ReadonlyMap<string, OperationTask>> {
  if (isWaiting(operation)) return new Map();
  const all = await catalog.listTasks(operation.id);
  const current = all.filter(({ attempt }) => attempt === operation.attempt);
  return new Map(current.map((task) => [task.name, task]));
}
