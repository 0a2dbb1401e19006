import type { FailureRecord } from "../failure.ts";
import type { Decision } from "../operation/advance.ts";
import type { TaskFacts } from "../operation/operation.ts";

/** What exists of an undo. Its tasks may be run again after any crash. */
export interface UndoObservation {
  readonly restoreId: string;
  readonly cancelRequested: boolean;
  readonly ownerDied: boolean;
  /** What has to be done, in this order: clear away what was loaded and never used, put back what was replaced. */
  readonly wanted: readonly UndoTaskName[];
  /** The names of two databases are swapped back, for which nobody may be in them. */
  readonly swapsDatabase: boolean;
  readonly tasks: Readonly<Partial<Record<UndoTaskName, TaskFacts>>>;
}

export type UndoTaskName = "discard" | "undo";
export type UndoAction = { readonly do: "start"; readonly task: UndoTaskName } | { readonly do: "stop" };

/** What to do next for an undo: one task after the other; whatever stops it, it can be asked for again. */
export function decideUndo(seen: UndoObservation): Decision<UndoAction> {
  const next = seen.wanted.find((name) => seen.tasks[name]?.state !== "done");
  if (next === undefined) return { type: "complete" };
  const task = seen.tasks[next];
  const isStopped = seen.ownerDied || seen.cancelRequested;
  if (task?.state === "running")
    return isStopped ? { type: "act", action: { do: "stop" } } : { type: "wait" };
  if (mayHaveShutDatabase(seen)) {
    const { discard } = seen.tasks;
    if (discard === undefined) return { type: "act", action: { do: "start", task: "discard" } };
    if (discard.state === "running") return { type: "wait" };
  }
  if (seen.ownerDied) {
    return { type: "fail", failure: unfinished("interrupted", seen, "The process that ran it died") };
  }
  if (seen.cancelRequested) {
    return { type: "cancel", failure: unfinished("cancelled", seen, "It was cancelled") };
  }
  if (task === undefined) return { type: "act", action: { do: "start", task: next } };
  const failure = task.failure ?? unfinished("worker-died", seen, "Its worker died");
  return { type: "fail", failure: { ...failure, retry: "never" } };
}

/** Killed between refusing connections and renaming, it leaves the live database shut: discarding opens it. */
function mayHaveShutDatabase({ swapsDatabase, tasks }: UndoObservation): boolean {
  return swapsDatabase && (tasks.undo?.state === "lost" || tasks.undo?.state === "failed");
}

const unfinished = (
  code: "interrupted" | "cancelled" | "worker-died",
  { restoreId }: UndoObservation,
  why: string,
): FailureRecord => ({
  code,
  message: `The undo of ${restoreId} is not complete. ${why}. Run \`lc2 restore undo ${restoreId}\` again: it goes on where it ended.`,
  retry: "never",
});
