import type { Steps } from "../core/operation/advance.ts";
import { decideUndo, type UndoAction, type UndoObservation } from "../core/restore/decide-undo.ts";
import type { RestorePlan } from "../core/restore/restore.ts";
import type { OperationSession } from "./operation-session.ts";
import { makeContext, type EngineParts } from "./parts.ts";

/** What an undo's operation row keeps as its request. */
export interface UndoRequest {
  readonly restoreId: string;
  readonly plan: RestorePlan;
  readonly parts: readonly ("database" | "files")[];
}

/** The steps of an undo, bound to one session. */
export function makeUndoSteps(
  parts: EngineParts,
  session: OperationSession,
  owner: string,
  ownerDied: boolean,
): Steps<UndoObservation, UndoAction> {
  return {
    observe: async () => {
      const { operation, tasks } = await session.read();
      const undo = tasks.get("undo");
      return {
        restoreId: (operation.spec as UndoRequest).restoreId,
        cancelRequested: operation.cancelRequested || session.cancelRequested,
        ownerDied,
        ...(undo === undefined ? {} : { undo }),
      };
    },
    decide: decideUndo,
    act: async (action) => {
      if (action.do === "stop") return await session.stopTasks();
      const { operation } = await session.read();
      const { restoreId, plan, parts: undoParts } = operation.spec as UndoRequest;
      const context = makeContext(parts, operation);
      await session.startTask(operation.attempt, "undo", {
        kind: "undo-restore",
        context,
        restoreId,
        plan,
        parts: undoParts,
      });
    },
    finish: async ({ outcome, failure }) => {
      const { operation, tasks } = await session.read();
      const nowMs = parts.clock.nowMs();
      if (outcome === "Completed") {
        const { restoreId, parts: undone } = operation.spec as UndoRequest;
        await parts.catalog.putRestore(restoreId, {
          undone: tasks.get("undo")?.result,
          undoneAtMs: nowMs,
          // It is the live database again.
          ...(undone.includes("database") ? { droppedAtMs: nowMs } : {}),
        });
      }
      const end = { finishedAtMs: nowMs, outcome, ...(failure === undefined ? {} : { failure }) };
      await parts.catalog.finishOperation(operation.id, owner, end);
      session.emit({ type: "state", status: outcome });
    },
  };
}
