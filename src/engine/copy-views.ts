import type { CopyView } from "../contract/copies.ts";
import type { QueueView } from "../contract/service.ts";
import type { CopyStatus } from "../contract/statuses.ts";
import type { CopyBackupResult } from "../contract/worker-task.ts";
import { isWaiting, type Operation, type OperationTask } from "../core/operation/operation.ts";
import { toIso } from "./backup-views.ts";
import type { CopyRequest } from "./run-copy.ts";

type Tasks = ReadonlyMap<string, OperationTask>;

/** Derived for people, never read back. `tasks`: those of the current attempt. */
export function viewCopy(operation: Operation, tasks: Tasks, queue: QueueView | undefined): CopyView {
  const { id, projectId, repository, spec, end, createdAtMs } = operation;
  const { backupId, to } = spec as CopyRequest;
  const result = tasks.get("copy")?.result as CopyBackupResult | undefined;
  return {
    copyId: id,
    backupId,
    projectId,
    from: repository,
    to,
    status: statusOf(operation, tasks),
    ...(queue === undefined ? {} : { queue }),
    // A worker that died after its commit told no numbers.
    ...result?.done,
    createdAt: toIso(createdAtMs),
    ...(end === undefined ? {} : { completedAt: toIso(end.finishedAtMs) }),
    ...(end?.failure === undefined ? {} : { error: end.failure }),
  };
}

function statusOf(operation: Operation, tasks: Tasks): CopyStatus {
  if (operation.end !== undefined) return operation.end.outcome;
  if (isWaiting(operation)) return "Queued";
  return tasks.size === 0 ? "Pending" : "TransferInProgress";
}
