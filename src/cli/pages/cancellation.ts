import type { CopyView } from "../../contract/copies.ts";
import type { BackupView, RestoreView } from "../../contract/service.ts";
import { Failure } from "../../core/failure.ts";
import type { CommandContext } from "../context.ts";

/** What can be cancelled. */
export type Cancellable = BackupView | RestoreView | CopyView;

/** Says what cancelling would come to, and does nothing. Rejects as cancelling would. */
export function showCancellation(view: Cancellable, context: CommandContext): void {
  const { id, leaves } = whatIs(view);
  if (["Completed", "Failed", "Cancelled"].includes(view.status)) {
    throw new Failure(
      "already-finished",
      `${id} has already ended (${view.status}), so there is nothing to cancel.`,
    );
  }
  const steps = [
    view.status === "Queued"
      ? "take it out of the queue; nothing of it has begun"
      : `stop its workers (it is ${view.status})`,
    ...(view.status === "Queued" ? [] : [leaves]),
  ];
  context.print({ dryRun: true, steps }, () =>
    [`Nothing was changed. Cancelling ${id} would:`, ...steps.map((step) => `  - ${step}`), ""].join("\n"),
  );
}

function whatIs(view: Cancellable): { readonly id: string; readonly leaves: string } {
  if ("restoreId" in view)
    return {
      id: view.restoreId,
      leaves: "take back what it has changed, or say what could not be taken back",
    };
  if ("copyId" in view)
    return { id: view.copyId, leaves: "leave what arrived whole at the destination, for the next copy" };
  const leaves = "leave nothing of it to be seen; `lc2 repository sweep` removes what it had stored";
  return { id: view.backupId, leaves };
}
