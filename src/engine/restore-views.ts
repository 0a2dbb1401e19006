import { viewConditions } from "./conditions.ts";
import type { QueueView, RestoreView } from "../contract/service.ts";
import type { RestoreDatabaseEvidence, RestoreFilesEvidence, UndoEvidence } from "../contract/operations.ts";
import type { RestoreStatus } from "../contract/statuses.ts";
import type { Progress, TaskResults } from "../contract/worker-task.ts";
import { isWaiting, type Operation, type OperationTask } from "../core/operation/operation.ts";
import type { RestoreRecord } from "../core/ports/catalog.ts";
import { hooksOfRestore, type RestorePlan } from "../core/restore/restore.ts";
import { toIso } from "./backup-views.ts";
import { viewHooks } from "./hook-views.ts";
import type { RestoreRequest } from "./run-restore.ts";

type Tasks = ReadonlyMap<string, OperationTask>;

/** Derived for people, never read back. */
export function restoreStatusOf(operation: Operation, tasks: Tasks): RestoreStatus {
  if (operation.end !== undefined) return operation.end.outcome;
  if (isWaiting(operation)) return "Queued";
  if (tasks.get("files")?.state === "running") return "RestoringStorage";
  if (tasks.has("database") || tasks.has("swap")) return "RestoringDump";
  if (tasks.has("files")) return "RestoringStorage";
  return tasks.has("plan") ? "ValidatingBackup" : "Pending";
}

export function viewRestore(
  known: {
    readonly operation: Operation;
    readonly tasks: Tasks;
    readonly record: RestoreRecord | undefined;
    readonly queue: QueueView | undefined;
  },
  nowMs: number,
): RestoreView {
  const { operation, tasks, record, queue } = known;
  const { spec } = operation.spec as RestoreRequest;
  const plan = (record?.plan ?? tasks.get("plan")?.result) as RestorePlan | undefined;
  const status = restoreStatusOf(operation, tasks);
  const progress = status === "Completed" ? 100 : restoreProgress(tasks, plan);
  const eta = operation.end === undefined ? estimateEnd(tasks, progress, nowMs) : undefined;
  return {
    restoreId: operation.id,
    projectId: operation.projectId,
    backupId: spec.backupId,
    restoreType: spec.restoreType,
    ...(spec.targetEnvironment === undefined ? {} : { targetEnvironment: spec.targetEnvironment }),
    status,
    ...(queue === undefined ? {} : { queue }),
    progress,
    ...viewConditions(tasks),
    ...(eta === undefined ? {} : { estimatedCompletion: toIso(eta) }),
    createdAt: toIso(operation.createdAtMs),
    ...(operation.end === undefined ? {} : { completedAt: toIso(operation.end.finishedAtMs) }),
    ...(plan === undefined ? {} : { plan }),
    ...viewEvidence(tasks, record),
    ...viewHooks(hooksOfRestore(spec), tasks),
    ...(record?.undone === undefined ? {} : { undone: record.undone as UndoEvidence }),
    ...(operation.end?.failure === undefined ? {} : { error: operation.end.failure }),
  };
}

function viewEvidence(
  tasks: Tasks,
  record: RestoreRecord | undefined,
): Pick<RestoreView, "database" | "files"> {
  const database = tasks.get("database")?.result as RestoreDatabaseEvidence | undefined;
  const files = tasks.get("files")?.result as RestoreFilesEvidence | undefined;
  const swap = (tasks.get("look")?.result ?? tasks.get("swap")?.result) as
    | TaskResults["swap-database"]
    | undefined;
  const retired = record?.retiredDatabase;
  return {
    ...(database === undefined
      ? {}
      : {
          database: {
            ...database,
            ...(swap === undefined ? {} : { swapped: swap.swapped }),
            ...(retired === undefined || record?.droppedAtMs !== undefined
              ? {}
              : { retiredDatabase: retired }),
          },
        }),
    ...(files === undefined ? {} : { files }),
  };
}

/** 0..99 by bytes where they are known, else by tasks. */
function restoreProgress(tasks: Tasks, plan: RestorePlan | undefined): number {
  if (plan === undefined) return 0;
  const parts: { task: OperationTask | undefined; planned: number }[] = [];
  if (plan.database !== undefined) parts.push({ task: tasks.get("database"), planned: plan.database.bytes });
  if (plan.files !== undefined) parts.push({ task: tasks.get("files"), planned: plan.files.bytesToWrite });
  let done = 0;
  let total = 0;
  for (const { task, planned } of parts) {
    const progress = task?.progress as Progress | undefined;
    // At least one, so that a part without bytes still counts as something to do.
    const size = Math.max(1, progress?.totalBytes ?? planned);
    total += size;
    done += task?.state === "done" ? size : Math.min(progress?.bytes ?? 0, size);
  }
  return total === 0 ? 0 : Math.min(99, Math.floor((done / total) * 100));
}

function estimateEnd(tasks: Tasks, progress: number, nowMs: number): number | undefined {
  const startedAtMs = tasks.get("database")?.startedAtMs ?? tasks.get("files")?.startedAtMs;
  if (startedAtMs === undefined || progress <= 0) return undefined;
  return nowMs + ((nowMs - startedAtMs) / progress) * (100 - progress);
}
