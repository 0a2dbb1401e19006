import type { Lc2Service } from "../contract/service.ts";
import type { DeleteBackupResult, PrepareBackupResult } from "../contract/worker-task.ts";
import type { BackupSpec } from "../core/backup/backup.ts";
import { Failure } from "../core/failure.ts";
import { nobody } from "../core/operation/operation.ts";
import { makeOperationId } from "../core/repository/layout.ts";
import { forgetPlace } from "./backup-places.ts";
import { requestCancel } from "./cancel-operation.ts";
import { locateBackup } from "./locate-backup.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { readEndedBackup, readBackupView } from "./read-backups.ts";
import { placeOf, recordBackup, resolveWish, toRequest } from "./record-backup.ts";
import { ownWork } from "./record-operation.ts";
import { carryOutBackup } from "./run-backup.ts";
import { saveUnsaved } from "./save-definitions.ts";
import { beginCall, openBackup, runTaskFor } from "./service-call.ts";

type BackupService = Pick<
  Lc2Service,
  "createBackup" | "submitBackup" | "dryRunBackup" | "cancelBackup" | "deleteBackup"
>;

/** The verbs that make, stop and destroy backups. */
export function createBackupService(bareParts: EngineParts): BackupService {
  return {
    createBackup: async (wish, options, waiting) => {
      const spec = await resolveWish(bareParts, wish);
      const repository = await placeOf(bareParts, spec, options);
      const parts = await beginCall(bareParts, waiting);
      const operation = await recordBackup(parts, toRequest(spec, options), repository, ownWork(parts));
      waiting.onEvent({ type: "accepted", id: operation.id });
      await carryOutBackup(parts, operation, waiting);
      await saveUnsaved(parts, spec.projectId);
      return await readEndedBackup(parts, operation.id, spec.projectId);
    },

    submitBackup: async (wish, options) => {
      const spec = await resolveWish(bareParts, wish);
      const repository = await placeOf(bareParts, spec, options);
      const parts = await beginCall(bareParts);
      const submission = { ...options, leaseOwner: nobody };
      const { id, projectId, ...operation } = await recordBackup(
        parts,
        toRequest(spec, options),
        repository,
        submission,
      );
      parts.queue.ring();
      return await readBackupView(parts, { backupId: id, projectId, repository: operation.repository });
    },

    dryRunBackup: async (wish, options, waiting) => {
      const spec = await resolveWish(bareParts, wish);
      const repository = await placeOf(bareParts, spec, options);
      const context = makeContext(bareParts, { repository, projectId: spec.projectId });
      const backupId = makeOperationId("backup", bareParts.clock.nowMs(), bareParts.ids.hex(6));
      const task = { kind: "prepare-backup", context, backupId, attempt: 1, spec, dryRun: true } as const;
      const probed = await runTaskFor(bareParts, task, waiting);
      return describeDryRun(spec, repository, probed);
    },

    cancelBackup: async (reference) => {
      const parts = await beginCall(bareParts);
      const place = await locateBackup(parts, reference);
      await requestCancel(parts, place.backupId);
      return await readBackupView(parts, place);
    },

    deleteBackup: async (reference, options, waiting) => {
      const { parts, place, context } = await openBackup(bareParts, reference, waiting);
      const { backupId } = place;
      await refuseRunning(parts, backupId);
      const task = { kind: "delete-backup", context, backupId, dryRun: options.dryRun } as const;
      const deleted = await runTaskFor(parts, task, waiting).catch((error: unknown) =>
        acceptNothingStored(parts, backupId, error),
      );
      if (!options.dryRun) await forgetPlace(parts, place);
      return deleted;
    },
  };
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
