import type { BackupSummary, BackupView, QueueView } from "../contract/service.ts";
import type { BackupStatus } from "../contract/statuses.ts";
import type { Progress } from "../contract/worker-task.ts";
import { viewConditions } from "./conditions.ts";
import { isWaiting, type Operation, type OperationTask } from "../core/operation/operation.ts";
import type { IndexedBackup } from "../core/ports/catalog.ts";
import { hooksOfBackup } from "../core/backup/backup.ts";
import type { SlotRecord } from "../core/ports/schedule-records.ts";
import type { BackupMetadata } from "../core/repository/metadata.ts";

import { viewHooks } from "./hook-views.ts";
import type { BackupRequest } from "./run-backup.ts";

type Tasks = ReadonlyMap<string, OperationTask>;

/** Derived for people, never read back. `tasks`: those of the current attempt. */
export function backupStatusOf(operation: Operation, tasks: Tasks): BackupStatus {
  if (operation.end !== undefined) return operation.end.outcome;
  if (isWaiting(operation)) return "Queued";
  if (tasks.has("seal")) return "GeneratingMetadata";
  if (tasks.get("database")?.state === "running") return "ExportInProgress";
  if (tasks.has("files")) return "TransferInProgress";
  return tasks.has("database") ? "ExportInProgress" : "Pending";
}

/** A row of a list; `status` is derived by the caller where the backup is still under way. */
export function summarize(
  backup: IndexedBackup,
  status: BackupStatus,
  slot: SlotRecord | undefined,
): BackupSummary {
  return {
    backupId: backup.backupId,
    projectId: backup.projectId,
    ...(backup.application === undefined ? {} : { application: backup.application }),
    ...(backup.environment === undefined ? {} : { environment: backup.environment }),
    status,
    ...(backup.storedBytes === undefined ? {} : { size: backup.storedBytes }),
    createdAt: toIso(backup.createdAtMs),
    ...(backup.finishedAtMs === undefined ? {} : { completedAt: toIso(backup.finishedAtMs) }),
    ...(backup.verifiedAtMs === undefined ? {} : { verifiedAt: toIso(backup.verifiedAtMs) }),
    repository: backup.repository,
    ...(slot === undefined ? {} : { schedule: { name: slot.name, slot: toIso(slot.slotMs) } }),
  };
}

/** A backup that is known only from its operation, or from both. */
export function viewBackup(
  summary: BackupSummary,
  known: {
    readonly operation?: Operation;
    readonly tasks: Tasks;
    readonly queue?: QueueView | undefined;
    readonly metadata?: BackupMetadata;
    readonly alsoIn: readonly string[];
  },
): BackupView {
  const { operation, tasks, queue, metadata, alsoIn } = known;
  const failure = summary.status === "Completed" ? undefined : operation?.end?.failure;
  const progress = summary.status === "Completed" ? 100 : progressOf(tasks);
  return {
    ...summary,
    requestId: operation?.requestId ?? "",
    components: { ...viewDatabase(tasks, metadata), ...viewStorage(tasks, metadata) },
    ...(progress === undefined ? {} : { progress }),
    ...viewConditions(tasks),
    ...(queue === undefined ? {} : { queue }),
    ...(failure === undefined ? {} : { error: failure }),
    ...(operation === undefined
      ? {}
      : viewHooks(hooksOfBackup((operation.spec as BackupRequest).spec), tasks)),
    ...(alsoIn.length === 0 ? {} : { alsoIn }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function viewDatabase(
  tasks: Tasks,
  metadata: BackupMetadata | undefined,
): Pick<BackupView["components"], "database"> {
  const sealed = metadata?.components.database;
  if (sealed !== undefined) {
    const dump = sealed.archives[0]?.name;
    return {
      database: {
        ...(dump === undefined ? {} : { dump }),
        name: sealed.name,
        rows: sealed.rows,
        tables: sealed.tables,
        status: "Completed",
      },
    };
  }
  const task = tasks.get("database");
  return task === undefined ? {} : { database: { status: describeState(task) } };
}

function viewStorage(
  tasks: Tasks,
  metadata: BackupMetadata | undefined,
): Pick<BackupView["components"], "storage"> {
  const sealed = metadata?.components.files;
  if (sealed !== undefined) {
    return { storage: { location: sealed.source, objects: sealed.objects, status: "Completed" } };
  }
  const task = tasks.get("files");
  return task === undefined ? {} : { storage: { status: describeState(task) } };
}

function describeState(task: OperationTask): string {
  return { running: "InProgress", done: "Completed", failed: "Failed", lost: "Failed" }[task.state];
}

/** 0..99 from what the workers last said; undefined before they know a total. */
function progressOf(tasks: Tasks): number | undefined {
  let bytes = 0;
  let totalBytes = 0;
  for (const task of tasks.values()) {
    const progress = task.progress as Progress | undefined;
    if (progress?.totalBytes === undefined) continue;
    bytes += task.state === "done" ? progress.totalBytes : Math.min(progress.bytes, progress.totalBytes);
    totalBytes += progress.totalBytes;
  }
  return totalBytes === 0 ? undefined : Math.min(99, Math.floor((bytes / totalBytes) * 100));
}

export const toIso = (ms: number): string => new Date(ms).toISOString();
