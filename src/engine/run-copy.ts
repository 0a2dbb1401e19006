import type { CopyBackupResult } from "../contract/worker-task.ts";
import {
  decideCopy,
  type CopyAction,
  type CopyObservation,
  type CopyTaskName,
} from "../core/backup/decide-copy.ts";
import type { Steps } from "../core/operation/advance.ts";
import type { Operation } from "../core/operation/operation.ts";
import type { EncryptionMode } from "../core/repository/encryption.ts";
import type { BackupMetadata } from "../core/repository/metadata.ts";
import { notePlace } from "./backup-places.ts";
import type { OperationSession } from "./operation-session.ts";
import { makeContext, type EngineParts, type TaskRequest } from "./parts.ts";

/** What a copy's operation row keeps as its request; the operation's repository is the one copied from. */
export interface CopyRequest {
  readonly backupId: string;
  /** Canonical URL of the destination. */
  readonly to: string;
  readonly maxRateBytesPerSecond?: number;
  /** Of the destination, where the request says it. */
  readonly encryption?: EncryptionMode;
  readonly kmsKey?: string;
}

/** The steps of a copy, bound to one session. */
export function makeCopySteps(
  parts: EngineParts,
  session: OperationSession,
): Steps<CopyObservation, CopyAction> {
  return {
    observe: async () => {
      const view = await session.read();
      const { operation, tasks } = view;
      const look = tasks.get("look")?.result as CopyBackupResult | undefined;
      return {
        ...session.observe(view),
        backupId: (operation.spec as CopyRequest).backupId,
        ...(look === undefined ? {} : { isThere: look.isThere }),
      };
    },
    decide: decideCopy,
    act: async (action) => {
      if (action.do === "stop") return await session.stopTasks();
      const { operation } = await session.read();
      await session.startTask(operation.attempt, action.task, makeTask(parts, operation, action.task));
      session.emit({ type: "state", status: "TransferInProgress" });
    },
    finish: async (end) => {
      const { operation } = await session.read();
      if (end.outcome === "Completed") await noteCopy(parts, operation);
      await session.finish(end);
    },
  };
}

async function noteCopy(parts: EngineParts, { projectId, spec }: Operation): Promise<void> {
  const { backupId, to } = spec as CopyRequest;
  const metadata = await parts.catalog.getBackupMetadata(backupId, projectId);
  if (metadata !== undefined) await notePlace(parts, metadata as BackupMetadata, to);
}

function makeTask(parts: EngineParts, operation: Operation, name: CopyTaskName): TaskRequest {
  const { backupId, to, maxRateBytesPerSecond, ...encryption } = operation.spec as CopyRequest;
  const context = makeContext(parts, {
    repository: operation.repository,
    projectId: operation.projectId,
    ...(maxRateBytesPerSecond === undefined ? {} : { maxRateBytesPerSecond }),
  });
  const task = { kind: "copy-backup", context, backupId, to, ...encryption } as const;
  return name === "look" ? { ...task, lookOnly: true } : task;
}
