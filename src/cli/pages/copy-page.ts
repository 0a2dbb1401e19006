import type { CopyView } from "../../contract/service.ts";
import type { CommandContext } from "../context.ts";
import { counted, duration, shellWord, size } from "../humanise.ts";
import { renderFields } from "../table.ts";
import { secondsBetween } from "./status.ts";

/** What `backup copy` did: where the backup is now, and what came along. */
export function showCopy(view: CopyView, context: CommandContext): string {
  const { paint, dataDirectoryFlag: flag } = context;
  if (view.wasThere) {
    return `${paint.bold(view.backupId)} is in ${view.to} already, whole; nothing was copied\n`;
  }
  const seconds = secondsBetween(view.createdAt, view.completedAt);
  const took = seconds === undefined ? "" : ` in ${duration(seconds)}`;
  const amount = ({ files, sizeBytes }: CopyView["copied"]): string =>
    `${counted(files, "stored file")}, ${size(sizeBytes)}`;
  const { earlierBackups: earlier } = view;
  return [
    `${paint.bold(view.backupId)} is copied and verified${took}\n`,
    renderFields(
      [
        ["From", view.from],
        ["To", view.to + (view.repositoryCreated ? " (a new repository)" : "")],
        ["Copied", amount(view.copied)],
        ["Was there", view.found.files === 0 ? undefined : amount(view.found)],
        ["Came along", earlier.length === 0 ? undefined : `what it refers to of\n${earlier.join("\n")}`],
      ],
      context,
    ),
    "\nNext:\n",
    `  lc2 backup verify ${flag}${view.backupId} --repository ${shellWord(view.to)}\n`,
  ].join("");
}
