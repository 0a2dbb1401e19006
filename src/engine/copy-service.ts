import type { CopyView, Lc2Service, Waiting } from "../contract/service.ts";
import type { CopyBackupResult } from "../contract/worker-task.ts";
import { Failure } from "../core/failure.ts";
import { toIso } from "./backup-views.ts";
import { readCopyTarget, refuseCopyInto } from "./copy-target.ts";
import type { BackupPlace } from "./locate-backup.ts";
import { carryOut } from "./operation-session.ts";
import type { EngineParts } from "./parts.ts";
import { readOperation } from "./read-operation.ts";
import { ownWork, recordOperation } from "./record-operation.ts";
import { normalizeRepositoryUrl } from "./repository-url.ts";
import { makeCopySteps, type CopyRequest } from "./run-copy.ts";
import { openBackup } from "./service-call.ts";

/** The verb that brings backups into another repository. */
export function createCopyService(bareParts: EngineParts): Pick<Lc2Service, "copyBackup"> {
  return {
    copyBackup: async (reference, options, waiting) => {
      const wish = options.to === undefined ? undefined : normalizeRepositoryUrl(options.to);
      const { parts, place } = await openBackup(bareParts, reference, waiting);
      const to = wish ?? (await readCopyTarget(parts, place, waiting.signal));
      refuseCopyInto(place.repository, to);
      const rate = options.maxRateBytesPerSecond;
      const request: CopyRequest = {
        backupId: place.backupId,
        to,
        ...(rate === undefined ? {} : { maxRateBytesPerSecond: rate }),
        ...(options.encryption === undefined ? {} : { encryption: options.encryption }),
        ...(options.kmsKey === undefined ? {} : { kmsKey: options.kmsKey }),
      };
      const copyId = await parts.callGate.run(
        waiting.signal,
        async () => await runCopy(parts, place, request, waiting),
      );
      return await readEndedCopy(parts, copyId);
    },
  };
}

async function runCopy(
  parts: EngineParts,
  place: BackupPlace,
  request: CopyRequest,
  waiting: Waiting,
): Promise<string> {
  const { projectId, repository } = place;
  const wish = { kind: "copy", projectId, spec: request, repository } as const;
  const { operation } = await recordOperation(parts, wish, ownWork(parts));
  waiting.onEvent({ type: "accepted", id: operation.id });
  await carryOut(parts, operation, waiting, (session) => makeCopySteps(parts, session));
  return operation.id;
}

/** The copy that has just ended; its failure, when it did not complete. */
async function readEndedCopy(parts: EngineParts, copyId: string): Promise<CopyView> {
  const { operation, tasks } = await readOperation(parts, copyId);
  const end = operation?.end;
  if (operation === undefined || end === undefined) {
    throw new Failure("interrupted", `${copyId} has no recorded end.`);
  }
  if (end.failure !== undefined) throw Failure.fromRecord(end.failure);
  const { backupId, to } = operation.spec as CopyRequest;
  const result = tasks.get("copy")?.result as CopyBackupResult | undefined;
  // A worker that died after its commit told no numbers.
  const none = { files: 0, sizeBytes: 0 };
  const done = result?.done ?? {
    wasThere: false,
    repositoryCreated: false,
    copied: none,
    found: none,
    earlierBackups: [],
  };
  return {
    copyId,
    backupId,
    projectId: operation.projectId,
    from: operation.repository,
    to,
    status: "Completed",
    ...done,
    createdAt: toIso(operation.createdAtMs),
    completedAt: toIso(end.finishedAtMs),
  };
}
