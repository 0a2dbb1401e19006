import type { FailureRecord } from "../failure.ts";
import type { Decision } from "../operation/advance.ts";
import type { TaskFacts } from "../operation/operation.ts";

/** What exists of an undo: one task, which may be run again after any crash. */
export interface UndoObservation {
  readonly restoreId: string;
  readonly cancelRequested: boolean;
  readonly ownerDied: boolean;
  readonly undo?: TaskFacts;
}

export type UndoAction = { readonly do: "start" } | { readonly do: "stop" };

export function decideUndo(seen: UndoObservation): Decision<UndoAction> {
  const { undo } = seen;
  if (undo?.state === "done") return { type: "complete" };
  const cause = seen.ownerDied
    ? unfinished("interrupted", seen.restoreId, "The process that ran it died")
    : seen.cancelRequested
      ? unfinished("cancelled", seen.restoreId, "It was cancelled")
      : undefined;
  if (undo?.state === "running")
    return cause === undefined ? { type: "wait" } : { type: "act", action: { do: "stop" } };
  if (undo?.failure !== undefined && cause === undefined)
    return { type: "fail", failure: { ...undo.failure, retry: "never" } };
  if (cause?.code === "cancelled") return { type: "cancel", failure: cause };
  if (cause !== undefined) return { type: "fail", failure: cause };
  if (undo === undefined) return { type: "act", action: { do: "start" } };
  return { type: "fail", failure: unfinished("worker-died", seen.restoreId, "Its worker died") };
}

const unfinished = (
  code: "interrupted" | "cancelled" | "worker-died",
  restoreId: string,
  why: string,
): FailureRecord => ({
  code,
  message: `The undo of ${restoreId} is not complete. ${why}. Run \`lc2 restore undo ${restoreId}\` again: it goes on where it ended.`,
  retry: "never",
});
