import type { Steps } from "../core/operation/advance.ts";
import {
  decideUndo,
  type UndoAction,
  type UndoObservation,
  type UndoTaskName,
} from "../core/restore/decide-undo.ts";
import { placesOf } from "../core/admission/operation-place.ts";
import { Failure } from "../core/failure.ts";
import type { Operation } from "../core/operation/operation.ts";
import type { RestorePlan } from "../core/restore/restore.ts";
import { holdPlaces } from "./hold-places.ts";
import { namedBy } from "./operation-queue.ts";
import type { OperationSession } from "./operation-session.ts";
import { makeContext, type EngineParts, type TaskRequest } from "./parts.ts";

/** What an undo's operation row keeps as its request. */
export interface UndoRequest {
  readonly restoreId: string;
  readonly plan: RestorePlan;
  /** What was replaced and goes back. */
  readonly parts: readonly ("database" | "files")[];
  /** What the restore had loaded could not be cleared away when it failed: that first. */
  readonly discard: boolean;
}

const wantedOf = ({ parts, discard }: UndoRequest): readonly UndoTaskName[] => [
  ...(discard ? (["discard"] as const) : []),
  ...(parts.length > 0 ? (["undo"] as const) : []),
];

/** The steps of an undo, bound to one session. */
export function makeUndoSteps(
  parts: EngineParts,
  session: OperationSession,
): Steps<UndoObservation, UndoAction> {
  return {
    observe: async () => {
      const view = await session.read();
      const { operation } = view;
      const request = operation.spec as UndoRequest;
      return {
        ...session.observe(view),
        restoreId: request.restoreId,
        wanted: wantedOf(request),
        swapsDatabase: request.parts.includes("database") && request.plan.database?.into === "swap",
      };
    },
    decide: decideUndo,
    act: async (action) => {
      if (action.do === "stop") return await session.stopTasks();
      const { operation } = await session.read();
      await session.startTask(operation.attempt, action.task, async () => {
        await holdTarget(parts, operation);
        return makeTask(parts, operation, action.task);
      });
    },
    finish: async (end) => {
      const { operation, tasks } = await session.read();
      if (end.outcome === "Completed") {
        const nowMs = parts.clock.nowMs();
        const { restoreId, parts: undone } = operation.spec as UndoRequest;
        await parts.catalog.putRestore(restoreId, {
          undone: tasks.get("undo")?.result ?? {},
          undoneAtMs: nowMs,
          // It is the live database again.
          ...(undone.includes("database") ? { droppedAtMs: nowMs } : {}),
        });
      }
      await session.finish(end);
    },
  };
}

/** The restore has found out what its target is. Rejects with `place-busy`. */
async function holdTarget(parts: EngineParts, undo: Operation): Promise<void> {
  const { restoreId } = undo.spec as UndoRequest;
  const { heldPlaces: names = [] } = (await parts.catalog.getOperation(restoreId)) ?? {};
  const [place] = placesOf(namedBy(undo));
  const failure =
    place === undefined || names.length === 0 ? undefined : await holdPlaces(parts, undo, [{ place, names }]);
  if (failure !== undefined) throw Failure.fromRecord(failure);
}

function makeTask(parts: EngineParts, operation: Operation, name: UndoTaskName): TaskRequest {
  const { restoreId, plan, parts: undoParts } = operation.spec as UndoRequest;
  const restore = { context: makeContext(parts, operation), restoreId, plan };
  return name === "discard"
    ? { kind: "discard-restore", ...restore }
    : { kind: "undo-restore", ...restore, parts: undoParts };
}
