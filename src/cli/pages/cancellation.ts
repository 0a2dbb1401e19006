import type { BackupView, RestoreView } from "../../contract/service.ts";
import { Failure } from "../../core/failure.ts";
import type { CommandContext } from "../context.ts";

/** Says what cancelling would come to, and does nothing. Rejects as cancelling would. */
export function showCancellation(view: BackupView | RestoreView, context: CommandContext): void {
  const id = "restoreId" in view ? view.restoreId : view.backupId;
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
    ...(view.status === "Queued" ? [] : ["restoreId" in view ? whatRestoreLeaves : whatBackupLeaves]),
  ];
  context.print({ dryRun: true, steps }, () =>
    [`Nothing was changed. Cancelling ${id} would:`, ...steps.map((step) => `  - ${step}`), ""].join("\n"),
  );
}

const whatBackupLeaves = "leave nothing of it to be seen; `lc2 repository sweep` removes what it had stored";
const whatRestoreLeaves = "take back what it has changed, or say what could not be taken back";
