import type { Restores, RestoreView, Waiting } from "../contract/service.ts";
import { Failure } from "../core/failure.ts";
import { restoreNotFound } from "../core/operation/not-found.ts";
import { nobody, type Operation, type OperationTask } from "../core/operation/operation.ts";
import type { RestoreRecord } from "../core/ports/catalog.ts";
import { makeOperationId } from "../core/repository/layout.ts";
import type { RestorePlan, RestoreSpec } from "../core/restore/restore.ts";
import { requestCancel } from "./cancel-operation.ts";
import { guardTarget, onlyPlanned } from "./guard-target.ts";
import { takeFinding } from "./hold-places.ts";
import type { BackupPlace } from "./locate-backup.ts";
import { openRestore } from "./open-restore.ts";
import { carryOut } from "./operation-session.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { readOperation, readTasks } from "./read-operation.ts";
import {
  ownWork,
  recordOperation,
  type OwnedSubmission,
  type RecordedOperation,
} from "./record-operation.ts";
import { estimateTimes } from "./restore-history.ts";
import { viewRestore } from "./restore-views.ts";
import { carryOutRestore, type RestoreRequest } from "./run-restore.ts";
import { makeUndoSteps, type UndoRequest } from "./run-undo.ts";
import { beginCall, runTaskFor, unattended } from "./service-call.ts";

/** The verbs of restores. */
export function createRestoreService(bareParts: EngineParts): Restores {
  return {
    planRestore: async (wish, options, waiting) => {
      const terms = { ...options, isPlanOnly: true };
      const { parts, spec, place, isProtected } = await openRestore(bareParts, wish, terms, waiting);
      const restoreId = makeOperationId("restore", parts.clock.nowMs(), parts.ids.hex(6));
      const context = makeContext(parts, place);
      const task = { kind: "plan-restore", context, restoreId, spec } as const;
      const { result: plan } = await takeFinding(parts, await runTaskFor(parts, task, waiting));
      const guarded = await guardTarget(parts, spec, place, onlyPlanned);
      if (guarded.refused !== undefined) throw Failure.fromRecord(guarded.refused);
      const estimated = await estimateTimes(parts, plan);
      return isProtected || guarded.isProtected ? { ...estimated, needsApproval: true } : estimated;
    },

    createRestore: async (wish, options, waiting) => {
      // Loads while the catalog is opened. A request that is refused has started it in vain; it ends with this process.
      bareParts.launcher.expect?.("plan-restore", [options.repository ?? "", wish.storage?.url ?? ""]);
      const { parts, spec, place } = await openRestore(bareParts, wish, options, waiting);
      const operation = await recordRestore(parts, toRequest(spec, options), place, ownWork(parts));
      waiting.onEvent({ type: "accepted", id: operation.id });
      await carryOutRestore(parts, operation, waiting, options.onPlan);
      return await readEnded(parts, operation.id, operation.id);
    },

    submitRestore: async (wish, options) => {
      const { parts, spec, place } = await openRestore(bareParts, wish, options, unattended(bareParts));
      const submission = { ...options, leaseOwner: nobody };
      const { id } = await recordRestore(parts, toRequest(spec, options), place, submission);
      parts.queue.ring();
      return await readRestore(parts, id);
    },

    listRestores: async (query) => {
      const parts = await beginCall(bareParts);
      const { operations, total } = await parts.catalog.listOperations({ ...query, kind: "restore" });
      const restores: RestoreView[] = [];
      for (const operation of operations) restores.push(await viewOf(parts, operation));
      return { restores, total };
    },

    getRestore: async (restoreId) => await readRestore(await beginCall(bareParts), restoreId),

    restoreLogs: async (restoreId) => {
      const parts = await beginCall(bareParts);
      await findRestore(parts, restoreId);
      return await parts.catalog.listLog(restoreId);
    },

    cancelRestore: async (restoreId) => {
      const parts = await beginCall(bareParts);
      await findRestore(parts, restoreId);
      await requestCancel(parts, restoreId);
      return await readRestore(parts, restoreId);
    },

    undoRestore: async (restoreId, waiting) => {
      const parts = await beginCall(bareParts, waiting);
      const found = await findRestore(parts, restoreId);
      const undoId = await runUndo(parts, found, describeUndo(found), waiting);
      return await readEnded(parts, undoId, restoreId);
    },
  };
}

const toRequest = (spec: RestoreSpec, { approve }: { readonly approve?: string }): RestoreRequest => ({
  spec,
  ...(approve === undefined ? {} : { approve }),
});

async function recordRestore(
  parts: EngineParts,
  request: RestoreRequest,
  { backupId, projectId, repository }: BackupPlace,
  submission: OwnedSubmission,
): Promise<RecordedOperation> {
  const { targetEnvironment: environment } = request.spec;
  const target = environment === undefined ? {} : { environment };
  const wish = { kind: "restore", projectId, ...target, spec: request, repository } as const;
  const { operation } = await recordOperation(parts, wish, submission);
  await parts.catalog.putRestore(operation.id, { backupId });
  return operation;
}

interface FoundRestore {
  readonly operation: Operation;
  readonly tasks: ReadonlyMap<string, OperationTask>;
  readonly record: RestoreRecord | undefined;
}

async function findRestore(parts: EngineParts, restoreId: string): Promise<FoundRestore> {
  const { operation, tasks } = await readOperation(parts, restoreId);
  if (operation?.kind !== "restore") throw restoreNotFound(restoreId);
  return { operation, tasks, record: await parts.catalog.getRestore(restoreId) };
}

async function readRestore(parts: EngineParts, restoreId: string): Promise<RestoreView> {
  return await view(parts, await findRestore(parts, restoreId));
}

async function viewOf(parts: EngineParts, operation: Operation): Promise<RestoreView> {
  const tasks = await readTasks(parts, operation);
  return await view(parts, { operation, tasks, record: await parts.catalog.getRestore(operation.id) });
}

async function view(parts: EngineParts, found: FoundRestore): Promise<RestoreView> {
  const queue = await parts.queue.viewOf(parts.catalog, found.operation);
  return viewRestore({ ...found, queue }, parts.clock.nowMs());
}

/** The restore as it is after `operationId` ended; that one's failure, when it did not complete. */
async function readEnded(parts: EngineParts, operationId: string, restoreId: string): Promise<RestoreView> {
  const end = (await parts.catalog.getOperation(operationId))?.end;
  if (end?.failure !== undefined) throw Failure.fromRecord(end.failure);
  if (end === undefined) throw new Failure("interrupted", `${operationId} has no recorded end.`);
  return await readRestore(parts, restoreId);
}

/** What there is to put back. Rejects with `still-running` and `nothing-to-undo`. */
function describeUndo({ operation, tasks, record }: FoundRestore): UndoRequest {
  const restoreId = operation.id;
  if (operation.end === undefined) {
    throw new Failure(
      "still-running",
      `${restoreId} is still running. Wait for its end or cancel it, then undo it.`,
    );
  }
  const seeIt = `\`lc2 restore get ${restoreId}\` shows what happened.`;
  if (record?.undoneAtMs !== undefined) {
    throw new Failure("nothing-to-undo", `${restoreId} was undone already. ${seeIt}`);
  }
  const plan = record?.plan as RestorePlan | undefined;
  const parts = plan === undefined ? [] : partsToUndo(plan, operation, tasks);
  const discard = isLeftLoaded(tasks);
  if (plan === undefined || (parts.length === 0 && !discard)) {
    throw new Failure("nothing-to-undo", `${restoreId} changed nothing that could be put back. ${seeIt}`);
  }
  return { restoreId, plan, parts, discard };
}

function partsToUndo(
  plan: RestorePlan,
  operation: Operation,
  tasks: ReadonlyMap<string, OperationTask>,
): ("database" | "files")[] {
  const parts: ("database" | "files")[] = [];
  if (tasks.has("files") && tasks.get("undo-files")?.state !== "done") parts.push("files");
  if (plan.database === undefined || !mayHaveReplaced(operation, tasks)) return parts;
  // Nothing is kept of a whole database restored in place; when files can go back, they do.
  const isKept = plan.database.into !== "in-place" || plan.database.tables !== undefined;
  return isKept || parts.length === 0 ? ["database", ...parts] : parts;
}

/** What was loaded beside the live database and could not be cleared away when the restore failed. */
const isLeftLoaded = (tasks: ReadonlyMap<string, OperationTask>): boolean =>
  tasks.has("discard") && tasks.get("discard")?.state !== "done";

/**
 * Whether the restored database is, or may be, the live one: the restore completed, it was loaded in
 * place, or it is not known how the last step ended.
 */
function mayHaveReplaced(operation: Operation, tasks: ReadonlyMap<string, OperationTask>): boolean {
  if (operation.end?.outcome === "Completed") return true;
  // A clean-up is begun only when the live database is known to be the old one.
  return !tasks.has("discard") && (tasks.has("swap") || tasks.get("database")?.state === "done");
}

async function runUndo(
  parts: EngineParts,
  { operation }: FoundRestore,
  request: UndoRequest,
  waiting: Waiting,
): Promise<string> {
  const undo = await claimUndo(parts, operation, request);
  await carryOut(parts, undo, waiting, (session) => makeUndoSteps(parts, session));
  return undo.id;
}

/** The id counts the tries, so that two undos of one restore cannot run at once. */
async function claimUndo(
  parts: EngineParts,
  { id, projectId, repository }: Operation,
  request: UndoRequest,
): Promise<RecordedOperation> {
  const wish = { kind: "undo", projectId, spec: request, repository } as const;
  for (let count = 1; ; count += 1) {
    const submission = { operationId: `undo-${id}-${count}`, ...ownWork(parts) };
    const { operation, isNew } = await recordOperation(parts, wish, submission);
    if (isNew) return operation;
    if (operation.end === undefined) {
      throw new Failure("still-running", `${id} is being undone by another lc2 at this moment.`);
    }
  }
}
