import type { Copies, CopyView } from "../contract/copies.ts";
import type { Waiting } from "../contract/waiting.ts";
import { Failure } from "../core/failure.ts";
import { copyNotFound } from "../core/operation/not-found.ts";
import { requestCancel } from "./cancel-operation.ts";
import { readCopyTarget, refuseCopyInto } from "./copy-target.ts";
import { viewCopy } from "./copy-views.ts";
import type { BackupPlace } from "./locate-backup.ts";
import { carryOut } from "./operation-session.ts";
import type { EngineParts } from "./parts.ts";
import { readOperation, readTasks } from "./read-operation.ts";
import { ownWork, recordOperation } from "./record-operation.ts";
import { normalizeRepositoryUrl } from "./repository-url.ts";
import { makeCopySteps, type CopyRequest } from "./run-copy.ts";
import { beginCall, openBackup } from "./service-call.ts";

/** The verbs that bring backups into another repository, and show how that went. */
export function createCopyService(bareParts: EngineParts): Copies {
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

    listCopies: async (query) => {
      const parts = await beginCall(bareParts);
      const { operations, total } = await parts.catalog.listOperations({ ...query, kind: "copy" });
      const copies: CopyView[] = [];
      for (const operation of operations) {
        const queue = await parts.queue.viewOf(parts.catalog, operation);
        copies.push(viewCopy(operation, await readTasks(parts, operation), queue));
      }
      return { copies, total };
    },

    getCopy: async (copyId) => await readCopy(await beginCall(bareParts), copyId),

    copyLogs: async (copyId) => {
      const parts = await beginCall(bareParts);
      await findCopy(parts, copyId);
      return await parts.catalog.listLog(copyId);
    },

    cancelCopy: async (copyId) => {
      const parts = await beginCall(bareParts);
      await findCopy(parts, copyId);
      await requestCancel(parts, copyId);
      return await readCopy(parts, copyId);
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
  const { operation, tasks } = await findCopy(parts, copyId);
  const { end } = operation;
  if (end === undefined) throw new Failure("interrupted", `${copyId} has no recorded end.`);
  if (end.failure !== undefined) throw Failure.fromRecord(end.failure);
  return viewCopy(operation, tasks, undefined);
}

async function findCopy(parts: EngineParts, copyId: string) {
  const { operation, tasks } = await readOperation(parts, copyId);
  if (operation?.kind === "copy") return { operation, tasks };
  throw copyNotFound(copyId);
}

async function readCopy(parts: EngineParts, copyId: string): Promise<CopyView> {
  const { operation, tasks } = await findCopy(parts, copyId);
  return viewCopy(operation, tasks, await parts.queue.viewOf(parts.catalog, operation));
}
