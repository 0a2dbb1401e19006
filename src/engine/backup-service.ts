import type {
  BackupQuery,
  BackupReference,
  BackupStatus,
  BackupSummary,
  BackupView,
  Lc2Service,
  Waiting,
} from "../contract/service.ts";
import type { BrowseItem, DeleteBackupResult, PrepareBackupResult } from "../contract/worker-task.ts";
import { validateBackup } from "../core/backup/validate-backup.ts";
import type { BackupSpec } from "../core/backup/backup.ts";
import { Failure } from "../core/failure.ts";
import type { Operation, OperationTask } from "../core/operation/operation.ts";
import type { IndexedBackup } from "../core/ports/catalog.ts";
import { makeOperationId } from "../core/repository/layout.ts";
import type { BackupMetadata } from "../core/repository/metadata.ts";
import { backupStatusOf, summarize, viewBackup } from "./backup-views.ts";
import { requestCancel } from "./cancel-operation.ts";
import { locateBackup, notFound, type BackupPlace } from "./locate-backup.ts";
import { OperationSession } from "./operation-session.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { normalizeRepositoryUrl } from "./repository-url.ts";
import { makeBackupSteps, type BackupRequest } from "./run-backup.ts";
import { runTaskAlone, type WorkMessage } from "./run-worker.ts";
import { beginCall, refuseProblems } from "./service-call.ts";

type BackupService = Pick<
  Lc2Service,
  | "createBackup"
  | "dryRunBackup"
  | "listBackups"
  | "getBackup"
  | "backupLogs"
  | "browseBackup"
  | "downloadBackup"
  | "verifyBackup"
  | "cancelBackup"
  | "deleteBackup"
>;

/** The verbs of backups. */
export function createBackupService(bareParts: EngineParts): BackupService {
  return {
    createBackup: async (spec, options, waiting) => {
      refuseProblems(validateBackup(spec));
      const repository = normalizeRepositoryUrl(options.repository);
      const parts = await beginCall(bareParts, waiting);
      const rate = options.maxRateBytesPerSecond;
      const request: BackupRequest = { spec, ...(rate === undefined ? {} : { maxRateBytesPerSecond: rate }) };
      const id = await runBackup(parts, request, repository, waiting);
      return await readEnded(parts, id, spec.projectId);
    },

    dryRunBackup: async (spec, options, waiting) => {
      refuseProblems(validateBackup(spec));
      const repository = normalizeRepositoryUrl(options.repository);
      const context = makeContext(bareParts, { repository, projectId: spec.projectId });
      const backupId = makeOperationId("backup", bareParts.clock.nowMs(), bareParts.ids.hex(6));
      const task = { kind: "prepare-backup", context, backupId, attempt: 1, spec, dryRun: true } as const;
      const { signal } = waiting;
      const probed = await runTaskAlone(bareParts, "prepare-backup", task, { signal, ...forward(waiting) });
      return describeDryRun(spec, repository, probed);
    },

    listBackups: async (query) => {
      const parts = await beginCall(bareParts);
      return isOpenStatus(query.status) ? await listOpen(parts, query) : await listIndexed(parts, query);
    },

    getBackup: async (reference) => {
      const parts = await beginCall(bareParts);
      const place = await locateBackup(parts, reference);
      const metadata =
        reference.repository === undefined
          ? undefined
          : await readSealed(parts, place, new AbortController().signal);
      return await readView(parts, place, metadata);
    },

    backupLogs: async (reference) => {
      const parts = await beginCall(bareParts);
      const { backupId } = await locateBackup(parts, reference);
      return await parts.catalog.listLog(backupId);
    },

    browseBackup: async (reference, pattern, onItem, waiting) => {
      const { parts, place, context } = await open(bareParts, reference, waiting);
      const { backupId } = place;
      const task = {
        kind: "browse-backup",
        context,
        backupId,
        ...(pattern === undefined ? {} : { pattern }),
      } as const;
      return await runTaskAlone(parts, "browse-backup", task, {
        signal: waiting.signal,
        ...forward(waiting, onItem),
      });
    },

    downloadBackup: async (reference, path, outputFd, waiting) => {
      const { parts, place, context } = await open(bareParts, reference, waiting);
      const task = { kind: "download", context, backupId: place.backupId, path } as const;
      return await runTaskAlone(parts, "download", task, {
        signal: waiting.signal,
        outputFd,
        ...forward(waiting),
      });
    },

    verifyBackup: async (reference, options, waiting) => {
      const { parts, place, context } = await open(bareParts, reference, waiting);
      const { backupId } = place;
      const scratch = options.restoreInto === undefined ? {} : { scratchDatabase: options.restoreInto };
      const task = { kind: "verify-backup", context, backupId, ...scratch } as const;
      const result = await runTaskAlone(parts, "verify-backup", task, {
        signal: waiting.signal,
        ...forward(waiting),
      });
      const isWhole = result.damages.length === 0 && (result.restored?.differences.length ?? 0) === 0;
      if (isWhole) await mark(parts, place, { verifiedAtMs: parts.clock.nowMs() });
      return result;
    },

    cancelBackup: async (reference) => {
      const parts = await beginCall(bareParts);
      const place = await locateBackup(parts, reference);
      await requestCancel(parts, place.backupId);
      return await readView(parts, place);
    },

    deleteBackup: async (reference, options, waiting) => {
      const { parts, place, context } = await open(bareParts, reference, waiting);
      const { backupId } = place;
      await refuseRunning(parts, backupId);
      const task = { kind: "delete-backup", context, backupId, dryRun: options.dryRun } as const;
      const deleted = await runTaskAlone(parts, "delete-backup", task, {
        signal: waiting.signal,
        ...forward(waiting),
      }).catch((error: unknown) => acceptNothingStored(parts, backupId, error));
      if (!options.dryRun) await mark(parts, place, { deletedAtMs: parts.clock.nowMs() });
      return deleted;
    },
  };
}

async function runBackup(
  parts: EngineParts,
  request: BackupRequest,
  repository: string,
  waiting: Waiting,
): Promise<string> {
  const { spec } = request;
  const nowMs = parts.clock.nowMs();
  const id = makeOperationId("backup", nowMs, parts.ids.hex(6));
  const owner = parts.processes.identifyThisProcess(parts.ids.hex(8));
  const operation = {
    id,
    kind: "backup",
    projectId: spec.projectId,
    ...(spec.application === undefined ? {} : { application: spec.application }),
    requestId: `req-${parts.ids.hex(12)}`,
    spec: request,
    repository,
    createdAtMs: nowMs,
    leaseOwner: owner,
  } as const;
  if (!(await parts.catalog.createOperation(operation, { seconds: parts.leaseSeconds }))) {
    // The same second and the same six random digits.
    return await runBackup(parts, request, repository, waiting);
  }
  waiting.onEvent({ type: "accepted", id });
  const session = new OperationSession(parts, id, owner, waiting.onEvent);
  session.open(waiting.signal);
  try {
    await session.run(makeBackupSteps(parts, session, owner, false));
  } finally {
    await session.close();
  }
  return id;
}

/** The view of a backup that has just ended; its failure, when it is not completed. */
async function readEnded(parts: EngineParts, backupId: string, projectId: string): Promise<BackupView> {
  const operation = await parts.catalog.getOperation(backupId);
  if (operation?.end?.outcome !== "Completed") {
    throw operation?.end?.failure === undefined
      ? new Failure("interrupted", `${backupId} has no recorded end.`)
      : Failure.fromRecord(operation.end.failure);
  }
  return await readView(parts, { backupId, projectId, repository: operation.repository });
}

async function readView(parts: EngineParts, place: BackupPlace, read?: BackupMetadata): Promise<BackupView> {
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
  );
  return viewBackup(summary, {
    ...(operation === undefined ? {} : { operation }),
    tasks,
    ...(metadata === undefined ? {} : { metadata }),
  });
}

export async function readOperation(
  parts: EngineParts,
  id: string,
): Promise<{ operation: Operation | undefined; tasks: ReadonlyMap<string, OperationTask> }> {
  const operation = await parts.catalog.getOperation(id);
  const all = operation === undefined ? [] : await parts.catalog.listTasks(id);
  const current = all.filter(({ attempt }) => attempt === operation?.attempt);
  return { operation, tasks: new Map(current.map((task) => [task.name, task])) };
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

async function summarizeAll(parts: EngineParts, backups: readonly IndexedBackup[]): Promise<BackupSummary[]> {
  const summaries: BackupSummary[] = [];
  for (const backup of backups) {
    if (backup.outcome !== undefined) {
      summaries.push(summarize(backup, backup.outcome));
      continue;
    }
    const { operation, tasks } = await readOperation(parts, backup.backupId);
    summaries.push(summarize(backup, statusOf(backup, operation, tasks)));
  }
  return summaries;
}

async function open(bareParts: EngineParts, reference: BackupReference, waiting: Waiting) {
  const parts = await beginCall(bareParts, waiting);
  const place = await locateBackup(parts, reference, waiting.signal);
  return { parts, place, context: makeContext(parts, place) };
}

async function readSealed(
  parts: EngineParts,
  place: BackupPlace,
  signal: AbortSignal,
): Promise<BackupMetadata | undefined> {
  const context = makeContext(parts, place);
  const task = { kind: "read-metadata", context, backupId: place.backupId } as const;
  return (await runTaskAlone(parts, "read-metadata", task, { signal })).metadata;
}

/** Notes a fact about a backup in this repository; the catalog may know the one in another. */
async function mark(
  parts: EngineParts,
  { backupId, projectId, repository }: BackupPlace,
  fact: { readonly verifiedAtMs?: number; readonly deletedAtMs?: number },
): Promise<void> {
  const indexed = await parts.catalog.getBackup(backupId, projectId);
  if (indexed?.repository === repository) await parts.catalog.markBackup(backupId, projectId, fact);
}

async function refuseRunning(parts: EngineParts, backupId: string): Promise<void> {
  const operation = await parts.catalog.getOperation(backupId);
  if (operation === undefined || operation.end !== undefined) return;
  throw new Failure(
    "still-running",
    `${backupId} is still being made. Wait for its end or cancel it, then delete it.`,
  );
}

/** A backup that failed may have stored nothing, not even a repository: then it only leaves the list. */
async function acceptNothingStored(
  parts: EngineParts,
  backupId: string,
  error: unknown,
): Promise<DeleteBackupResult> {
  const outcome = (await parts.catalog.getOperation(backupId))?.end?.outcome;
  const { code } = Failure.from(error);
  const isNothing = code === "backup-not-found" || code === "repository-not-found";
  if (!isNothing || outcome === undefined || outcome === "Completed") throw error;
  return {
    keyringDestroyed: false,
    deletedFiles: 0,
    deletedBytes: 0,
    keptFiles: 0,
    keptBytes: 0,
    filesKeyHeldBy: [],
  };
}

/** A worker's progress and words, as events of the call. */
export function forward(
  waiting: Waiting,
  onItem?: (item: BrowseItem) => void,
): { readonly onMessage: (message: WorkMessage) => void } {
  return {
    onMessage: (message) => {
      if (message.type === "progress") waiting.onEvent({ type: "progress", progress: message.progress });
      if (message.type === "item") onItem?.(message.item as BrowseItem);
      if (message.type === "log") {
        const { level, message: text } = message;
        waiting.onEvent({ type: "log", line: { at: new Date().toISOString(), level, message: text } });
      }
    },
  };
}

function describeDryRun(spec: BackupSpec, repository: string, probed: PrepareBackupResult): string[] {
  const { database } = probed;
  return [
    ...(database === undefined
      ? []
      : [
          `Database ${database.name}: PostgreSQL ${database.serverVersion}, ${database.sizeBytes} bytes, ` +
            `read with the client tools ${database.toolVersion}.`,
          ...database.notes,
        ]),
    ...(spec.storage === undefined ? [] : [`Files: ${spec.storage.url}.`]),
    `Repository: ${repository}${probed.repositoryCreated ? " (would be made)" : ""}.`,
    probed.keyCreated
      ? `Key: a key of project ${spec.projectId} would be made.`
      : `Key: the key of project ${spec.projectId} is there.`,
  ];
}
