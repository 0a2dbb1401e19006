import type { CopyView } from "../../contract/copies.ts";
import type { CommandContext } from "../context.ts";
import { counted, duration, instant, shellWord, size } from "../humanise.ts";
import { renderFields } from "../table.ts";
import { printable } from "../terminal.ts";
import { queueSentence } from "./explain-page.ts";
import { paintStatus, secondsBetween } from "./status.ts";

type Field = readonly [name: string, value: string | undefined];

/** What `backup copy` did: where the backup is now, and what came along. */
export function showCopy(view: CopyView, context: CommandContext): string {
  const { paint, dataDirectoryFlag: flag } = context;
  if (view.wasThere === true) {
    return `${paint.bold(view.backupId)} is in ${view.to} already, whole; nothing was copied\n`;
  }
  const seconds = secondsBetween(view.createdAt, view.completedAt);
  const took = seconds === undefined ? "" : ` in ${duration(seconds)}`;
  return [
    `${paint.bold(view.backupId)} is copied and verified${took}\n`,
    renderFields(resultFields(view), context),
    "\nNext:\n",
    `  lc2 backup verify ${flag}${view.backupId} --repository ${shellWord(view.to)}\n`,
  ].join("");
}

function resultFields(view: CopyView): Field[] {
  const amount = ({ files, sizeBytes }: NonNullable<CopyView["copied"]>): string =>
    `${counted(files, "stored file")}, ${size(sizeBytes)}`;
  const { copied, found, earlierBackups: earlier = [] } = view;
  return [
    ["From", view.from],
    ["To", view.to + (view.repositoryCreated === true ? " (a new repository)" : "")],
    ["Copied", copied === undefined ? undefined : amount(copied)],
    ["Was there", found === undefined || found.files === 0 ? undefined : amount(found)],
    ["Came along", earlier.length === 0 ? undefined : `what it refers to of\n${earlier.join("\n")}`],
  ];
}

/** Everything known of one copy, as a page. */
export function describeCopy(view: CopyView, context: CommandContext): string {
  const { paint } = context;
  const { status, queue, error } = view;
  const seconds = secondsBetween(view.createdAt, view.completedAt);
  const took = seconds === undefined ? "" : `, took ${duration(seconds)}`;
  const fields: Field[] = [
    ["Project", view.projectId],
    ["Backup", view.backupId],
    ["State", paintStatus(status, status, paint)],
    ["Queue", queue === undefined ? undefined : queueSentence(queue)],
    ["Created", instant(view.createdAt)],
    [
      status === "Completed" ? "Completed" : "Ended",
      view.completedAt === undefined ? undefined : instant(view.completedAt) + took,
    ],
    ...resultFields(view),
    ["Nothing to do", view.wasThere === true ? "it was there already, whole" : undefined],
    ["Error", error === undefined ? undefined : `${printable(error.message)} (${error.code})`],
  ];
  return `${paint.bold(view.copyId)}\n${renderFields(fields, context)}`;
}
