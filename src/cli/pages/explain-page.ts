import type { BackupView, QueueView } from "../../contract/service.ts";
import type { CommandContext } from "../context.ts";
import { instant } from "../humanise.ts";
import { printable } from "../terminal.ts";
import { paintStatus } from "./status.ts";

/** What something waits for, without a full stop: `waits since …, position 3 of 12, behind …: …`. */
export function queueSentence({ waitsSince, position, of, behind, reason }: QueueView): string {
  const place = position === undefined ? "" : `, position ${position}${of === undefined ? "" : ` of ${of}`}`;
  const other = behind === undefined ? "" : `, behind ${behind.id} of project ${behind.projectId}`;
  return `waits since ${instant(waitsSince)}${place}${other}: ${printable(reason)}`;
}

/** Why a backup is where it is, in a sentence. */
export function explainBackup(view: BackupView, { paint }: CommandContext): string {
  const status = paintStatus(view.status, view.status, paint);
  return `${paint.bold(view.backupId)} of project ${view.projectId}: ${status}\n  ${sentence(view)}\n`;
}

function sentence({ queue, error, completedAt, progress, verifiedAt, conditions }: BackupView): string {
  const [stall] = conditions ?? [];
  if (stall !== undefined) return `${printable(stall.message)} That is so since ${instant(stall.since)}.`;
  if (queue !== undefined) return queueSentence(queue);
  if (error !== undefined) return `${printable(error.message)} (${error.code})`;
  if (completedAt === undefined) {
    return progress === undefined ? "is being made" : `is being made, ${Math.floor(progress)} % are done`;
  }
  const verified = verifiedAt === undefined ? "not verified since" : `last verified ${instant(verifiedAt)}`;
  return `completed ${instant(completedAt)}, ${verified}`;
}
