import type { FailureRecord } from "../failure.ts";
import type { Operation, OperationTask } from "../operation/operation.ts";

/** Beginnings in all: something that ends every process that tries it must not be tried for ever. */
const maximumAttempts = 3;

/**
 * Whether an operation whose process died goes back to the queue instead of ending as interrupted. Nobody waits for one
 * that was taken from there, so nobody would ask for it again. A backup begins anew; a restore only when nothing of it
 * had begun: after that its target is no longer what the request was made for.
 */
export function returnsToQueue(
  operation: Pick<Operation, "kind" | "attempt" | "admittedAtMs">,
  tasks: readonly OperationTask[],
  failure: FailureRecord | undefined,
): boolean {
  if (operation.admittedAtMs === undefined || operation.attempt >= maximumAttempts) return false;
  if (failure?.code !== "interrupted") return false;
  return operation.kind === "backup" || (operation.kind === "restore" && tasks.length === 0);
}
