import type { Waiting } from "../contract/service.ts";
import type { PrepareBackupResult, TaskKind, TaskResults } from "../contract/worker-task.ts";
import { hooksOfBackup, type BackupSpec } from "../core/backup/backup.ts";
import {
  decideBackup,
  type BackupAction,
  type BackupObservation,
  type BackupTaskName,
} from "../core/backup/decide-backup.ts";
import type { HookStep } from "../core/hooks/decide-hooks.ts";
import { runsAfter } from "../core/hooks/hook.ts";
import type { Steps } from "../core/operation/advance.ts";
import type { Operation } from "../core/operation/operation.ts";
import type { ServerEncryption } from "../core/repository/encryption.ts";
import type { BackupMetadata } from "../core/repository/metadata.ts";
import type { ScheduledFor } from "../core/schedule/schedule.ts";
import { backupStatusOf } from "./backup-views.ts";
import { carryOut, type OperationSession, type Tasks } from "./operation-session.ts";
import { actOnHook, logHookFailures, observeHooks } from "./run-hooks.ts";
import { makeContext, makeLogLine, type EngineParts, type TaskRequest } from "./parts.ts";

/** What a backup's operation row keeps as its request. */
export interface BackupRequest {
  readonly spec: BackupSpec;
  readonly maxRateBytesPerSecond?: number;
  /** The slot that it is made for. */
  readonly scheduled?: ScheduledFor;
}

/** Takes a backup that this process has claimed to its end. */
export async function carryOutBackup(
  parts: EngineParts,
  operation: Pick<Operation, "id" | "leaseOwner">,
  waiting: Waiting,
): Promise<void> {
  await carryOut(parts, operation, waiting, (session) => makeBackupSteps(parts, session));
}

/** The steps of a backup, bound to one session. */
export function makeBackupSteps(
  parts: EngineParts,
  session: OperationSession,
): Steps<BackupObservation, BackupAction> {
  let shown: string | undefined;
  let announced = false;
  return {
    observe: async () => {
      const view = await session.read();
      const { operation, tasks } = view;
      if (!announced && tasks.get("prepare")?.state === "done") {
        announced = true;
        await announcePrepared(
          parts,
          session,
          operation,
          tasks.get("prepare")?.result as PrepareBackupResult,
        );
      }
      const status = backupStatusOf(operation, tasks);
      if (status !== shown) session.emit({ type: "state", status });
      shown = status;
      return {
        ...session.observe(view),
        ...observeHooks(session, operation, tasks, hooksOfBackup((operation.spec as BackupRequest).spec)),
        ...observe(operation, tasks),
      };
    },
    decide: decideBackup,
    act: async (action) => {
      if (action.do === "stop") return await session.stopTasks();
      const { operation, tasks } = await session.read();
      if (action.do !== "start") {
        const { database } = (operation.spec as BackupRequest).spec;
        const outcome = outcomeFor(action, operation, tasks);
        const serverEncryption = acceptedEncryption(tasks);
        return await actOnHook(parts, session, operation, action, { database, outcome, serverEncryption });
      }
      const stays = action.task === "prepare";
      const task = makeTask(parts, operation, action.task, tasks);
      await session.startTask(operation.attempt, action.task, task, stays);
      const next = taskAfter(action.task, (operation.spec as BackupRequest).spec);
      if (next !== undefined) parts.launcher.expect?.(next, placesOf(operation));
    },
    finish: async (end) => {
      const { operation, tasks } = await session.read();
      logHookFailures(session, tasks);
      const metadata = end.outcome === "Completed" ? sealedMetadata(tasks) : undefined;
      if (metadata !== undefined)
        await parts.catalog.putBackup(describeSealed(metadata, operation.repository));
      await session.finish(end);
    },
  };
}

/** Of a hook afterwards: whether there is a backup. */
function outcomeFor(step: HookStep, operation: Operation, tasks: Tasks): string | undefined {
  const isAfter =
    step.do === "hook" && runsAfter(hooksOfBackup((operation.spec as BackupRequest).spec), step.hook);
  if (!isAfter) return undefined;
  if (sealedMetadata(tasks) !== undefined) return "Completed";
  return operation.cancelRequested ? "Cancelled" : "Failed";
}

const placesOf = ({ repository, spec }: Operation): readonly string[] => [
  repository,
  (spec as BackupRequest).spec.storage?.url ?? "",
];

/** The kind of task that will follow in another process when all goes well. */
function taskAfter(task: BackupTaskName, spec: BackupSpec): TaskKind | undefined {
  switch (task) {
    case "database":
      return spec.storage === undefined ? "seal-backup" : "backup-files";
    case "files":
      return "seal-backup";
    case "prepare":
    case "seal":
    case "look":
      return undefined;
  }
}

async function announcePrepared(
  parts: EngineParts,
  session: OperationSession,
  { id, projectId, repository }: Operation,
  prepared: PrepareBackupResult,
): Promise<void> {
  if (prepared.repositoryCreated) session.log("info", `A new repository was made at ${repository}.`);
  if (prepared.keyCreated) {
    const place = parts.keyPlace(projectId);
    session.emit({ type: "key-created", projectId, place });
    const message = `A key was made for project ${projectId}: ${place}. Without it no backup can be read; keep a copy.`;
    await parts.catalog.appendLog(id, makeLogLine(parts, "warn", message));
  }
  for (const note of prepared.database?.notes ?? []) session.log("info", note);
}

function observe({ id, spec: request }: Operation, tasks: Tasks) {
  const { spec, scheduled } = request as BackupRequest;
  const look = tasks.get("look")?.result as TaskResults["read-metadata"] | undefined;
  return {
    backupId: id,
    wantsDatabase: spec.database !== undefined,
    wantsFiles: spec.storage !== undefined,
    ...(scheduled?.stopAtMs === undefined ? {} : { stopAtMs: scheduled.stopAtMs }),
    recoveryPointKnown: tasks.get("database")?.recoveryPoint !== undefined,
    ...(look === undefined ? {} : { sealed: look.metadata !== undefined }),
  };
}

function makeTask(parts: EngineParts, operation: Operation, name: BackupTaskName, tasks: Tasks): TaskRequest {
  const { spec, maxRateBytesPerSecond } = operation.spec as BackupRequest;
  const place = makeContext(parts, {
    repository: operation.repository,
    projectId: operation.projectId,
    ...(maxRateBytesPerSecond === undefined ? {} : { maxRateBytesPerSecond }),
  });
  const accepted = acceptedEncryption(tasks);
  const context = accepted === undefined ? place : { ...place, serverEncryption: accepted };
  const backup = { context, backupId: operation.id, attempt: operation.attempt, spec };
  switch (name) {
    case "prepare":
      return { kind: "prepare-backup", ...backup };
    case "database":
      return { kind: "backup-database", ...backup };
    case "files":
      return { kind: "backup-files", ...backup };
    case "seal":
      return { kind: "seal-backup", ...backup, createdAt: new Date(operation.createdAtMs).toISOString() };
    case "look":
      return { kind: "read-metadata", context, backupId: operation.id };
  }
}

/** How the store encrypts, as `prepare` accepted it: later tasks do not ask the repository again, which can be changed. */
const acceptedEncryption = (tasks: Tasks): ServerEncryption | undefined =>
  (tasks.get("prepare")?.result as PrepareBackupResult | undefined)?.serverEncryption;

function sealedMetadata(tasks: Tasks): BackupMetadata | undefined {
  const seal = tasks.get("seal");
  if (seal?.state === "done") return seal.result as BackupMetadata;
  return (tasks.get("look")?.result as TaskResults["read-metadata"] | undefined)?.metadata;
}

/** A sealed backup as the catalog's index keeps it. */
export function describeSealed(metadata: BackupMetadata, repository: string) {
  return {
    backupId: metadata.backupId,
    projectId: metadata.projectId,
    ...(metadata.application === undefined ? {} : { application: metadata.application }),
    ...(metadata.environment === undefined ? {} : { environment: metadata.environment }),
    repository,
    createdAtMs: Date.parse(metadata.createdAt),
    sealedAtMs: Date.parse(metadata.sealedAt),
    storedBytes: metadata.storedBytes,
    metadata,
  };
}
