import type { FailureRecord } from "../failure.ts";
import { countDeaths, maximumDeaths } from "../operation/decide-retry.ts";
import type { Operation, OperationTask } from "../operation/operation.ts";

/**
 * Whether an operation whose process died goes back to the queue instead of ending as interrupted. Nobody waits for one
 * that was taken from there, so nobody would ask for it again. A backup begins anew; a restore only when nothing of it
 * had begun: after that its target is no longer what the request was made for. Something that ends every process that
 * tries it is not tried for ever.
 */
export function returnsToQueue(
  operation: Pick<Operation, "kind" | "attempt" | "admittedAtMs">,
  tasks: readonly OperationTask[],
  failure: Pick<FailureRecord, "code"> | undefined,
): boolean {
  const { admittedAtMs, attempt } = operation;
  if (admittedAtMs === undefined || countDeaths(attempt, tasks) + 1 >= maximumDeaths) return false;
  if (failure?.code !== "interrupted") return false;
  return (
    operation.kind === "backup" ||
    (operation.kind === "restore" && !tasks.some((task) => task.attempt === attempt))
  );
}
