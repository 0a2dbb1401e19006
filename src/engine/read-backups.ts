import type { BackupQuery, BackupSummary, BackupView, Lc2Service } from "../contract/service.ts";
import type { BackupStatus } from "../contract/statuses.ts";
import { Failure } from "../core/failure.ts";
import type { Operation, OperationTask } from "../core/operation/operation.ts";
import type { IndexedBackup } from "../core/ports/catalog.ts";
import type { BackupMetadata } from "../core/repository/metadata.ts";
import { listOtherPlaces } from "./backup-places.ts";
import { backupStatusOf, summarize, viewBackup } from "./backup-views.ts";
import { locateBackup, notFound, type BackupPlace } from "./locate-backup.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { readOperation, readTasks } from "./read-operation.ts";
import { normalizeRepositoryUrl } from "./repository-url.ts";
import { runTaskOfCall } from "./run-worker.ts";
import { beginCall } from "./service-call.ts";

/** The verbs that tell what there is. */
export function createBackupReader(
  bareParts: EngineParts,
): Pick<Lc2Service, "listBackups" | "getBackup" | "backupLogs"> {
  return {
    listBackups: async ({ repository, ...rest }) => {
      const parts = await beginCall(bareParts);
      const query: BackupQuery =
        repository === undefined ? rest : { ...rest, repository: normalizeRepositoryUrl(repository) };
      return isOpenStatus(query.status) ? await listOpen(parts, query) : await listIndexed(parts, query);
    },

    getBackup: async (reference) => {
      const parts = await beginCall(bareParts);
      const place = await locateBackup(parts, reference);
      const metadata =
        reference.repository === undefined
          ? undefined
          : await readSealed(parts, place, new AbortController().signal);
      return await readBackupView(parts, place, metadata);
    },

    backupLogs: async (reference) => {
      const parts = await beginCall(bareParts);
      const { backupId } = await locateBackup(parts, reference);
      return await parts.catalog.listLog(backupId);
    },
  };
}

/** The view of a backup that has just ended; its failure, when it is not completed. */
export async function readEndedBackup(
  parts: EngineParts,
  backupId: string,
  projectId: string,
): Promise<BackupView> {
  const operation = await parts.catalog.getOperation(backupId);
  if (operation?.end?.outcome !== "Completed") {
    throw operation?.end?.failure === undefined
      ? new Failure("interrupted", `${backupId} has no recorded end.`)
      : Failure.fromRecord(operation.end.failure);
  }
  return await readBackupView(parts, { backupId, projectId, repository: operation.repository });
}

export async function readBackupView(
  parts: EngineParts,
  place: BackupPlace,
  read?: BackupMetadata,
): Promise<BackupView> {
  const { backupId, projectId } = place;
  const { catalog } = parts;
  const indexed = await catalog.getBackup(backupId, projectId);
  if (indexed === undefined) throw notFound(place);
  const metadata =
    read ?? ((await catalog.getBackupMetadata(backupId, projectId)) as BackupMetadata | undefined);
  const { operation, tasks } = await readOperation(parts, backupId);
  const summary = summarize(
    { ...indexed, repository: place.repository },
    statusOf(indexed, operation, tasks),
    (await catalog.findSlots([backupId]))[0],
  );
  return viewBackup(summary, {
    ...(operation === undefined ? {} : { operation }),
    tasks,
    queue: operation === undefined ? undefined : await parts.queue.viewOf(catalog, operation),
    ...(metadata === undefined ? {} : { metadata }),
    alsoIn: await listOtherPlaces(parts, place),
  });
}

function statusOf(
  indexed: IndexedBackup,
  operation: Operation | undefined,
  tasks: ReadonlyMap<string, OperationTask>,
): BackupStatus {
  return indexed.outcome ?? (operation === undefined ? "Pending" : backupStatusOf(operation, tasks));
}

type OpenStatus = Exclude<BackupStatus, "Completed" | "Failed" | "Cancelled">;
type EndedStatus = Exclude<BackupStatus, OpenStatus>;
const endedStatuses: readonly string[] = ["Completed", "Failed", "Cancelled"] satisfies EndedStatus[];

function isOpenStatus(status: BackupStatus | undefined): boolean {
  return status !== undefined && !endedStatuses.includes(status);
}

async function listIndexed(parts: EngineParts, query: BackupQuery) {
  const { status, ...rest } = query;
  const outcome = status === undefined ? {} : { outcome: status as EndedStatus };
  const { backups, total } = await parts.catalog.listBackups({ ...rest, ...outcome });
  return { backups: await summarizeAll(parts, backups), total };
}

/** What is under way is little: all of it is read, and its status derived. */
async function listOpen(parts: EngineParts, query: BackupQuery) {
  const { status, limit, offset = 0, ...rest } = query;
  const { backups } = await parts.catalog.listBackups({ ...rest, outcome: "open", limit: 10_000 });
  const matching = (await summarizeAll(parts, backups)).filter((backup) => backup.status === status);
  return { backups: matching.slice(offset, offset + limit), total: matching.length };
}

/** What is under way is read at once: hundreds may wait, and each has its row in the list. */
async function summarizeAll(parts: EngineParts, backups: readonly IndexedBackup[]): Promise<BackupSummary[]> {
  const open = backups.filter(({ outcome }) => outcome === undefined).map(({ backupId }) => backupId);
  const operations = new Map((await parts.catalog.findOperations(open)).map((one) => [one.id, one]));
  const summaries: BackupSummary[] = [];
  const slots = new Map(
    (await parts.catalog.findSlots(backups.map(({ backupId }) => backupId))).map((slot) => [
      slot.operationId,
      slot,
    ]),
  );
  for (const backup of backups) {
    const operation = operations.get(backup.backupId);
    const tasks = operation === undefined ? new Map() : await readTasks(parts, operation);
    const status = statusOf(backup, operation, tasks);
    summaries.push(summarize(backup, status, slots.get(backup.backupId)));
  }
  return summaries;
}

async function readSealed(
  parts: EngineParts,
  place: BackupPlace,
  signal: AbortSignal,
): Promise<BackupMetadata | undefined> {
  const context = makeContext(parts, place);
  const task = { kind: "read-metadata", context, backupId: place.backupId } as const;
  return (await runTaskOfCall(parts, "read-metadata", task, { signal })).metadata;
}
