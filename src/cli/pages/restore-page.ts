import type { RestoreView } from "../../contract/service.ts";
import { isBucketUrl } from "../../core/files/bucket-url.ts";
import type { CommandContext } from "../context.ts";
import { count, counted, duration, instant, size } from "../humanise.ts";
import { renderFields } from "../table.ts";
import { printable } from "../terminal.ts";
import { queueSentence } from "./explain-page.ts";
import { hooksSection } from "./hooks-page.ts";
import { showPlan } from "./plan-page.ts";
import { paintStatus, secondsBetween } from "./status.ts";

type Field = readonly [name: string, value: string | undefined];

/** What `restore create` says at the end: what was restored and compared, and how to take it back. */
export function showRestoreResult(view: RestoreView, context: CommandContext): string {
  const { paint, dataDirectoryFlag } = context;
  const seconds = secondsBetween(view.createdAt, view.completedAt);
  const took = seconds === undefined ? "" : ` in ${duration(seconds)}`;
  return [
    `${paint.bold(view.restoreId)} of ${view.backupId}: ${paintStatus(view.status, view.status, paint)}${took}\n`,
    renderFields(resultFields(view), context),
    ...(canBeUndone(view)
      ? ["\nTo take it back:\n", `  lc2 restore undo ${dataDirectoryFlag}${view.restoreId}\n`]
      : []),
  ].join("");
}

/** A restore in place keeps nothing of what was there. */
const canBeUndone = ({ plan, files }: RestoreView): boolean =>
  plan?.database?.into !== "in-place" || files !== undefined;

/** Where the database, or its tables, are now. */
function placeLines({ plan, database }: RestoreView): string[] {
  const planned = plan?.database;
  if (planned?.tables !== undefined) {
    const { undoSchema } = planned;
    return [
      ...planned.tables.map(({ schema, name, landsIn }) =>
        printable(
          landsIn === schema
            ? `${schema}.${name} is in its place`
            : `${schema}.${name} is ${landsIn}.${name}`,
        ),
      ),
      ...(undoSchema === undefined ? [] : [`what they replaced is kept in schema ${printable(undoSchema)}`]),
    ];
  }
  if (planned?.into === "in-place") return ["replaced in place"];
  if (planned?.into === "swap" && database?.swapped === true) return ["swapped in"];
  return [];
}

function resultFields(view: RestoreView): Field[] {
  const { database, files, undone } = view;
  const fields: Field[] = [];
  if (database !== undefined) {
    const objects = database.largeObjects === 0 ? "" : `, ${counted(database.largeObjects, "large object")}`;
    const lines = [
      `${printable(database.database)}: ${counted(database.rows, "row")} in ${counted(database.tables, "table")}, ` +
        `${counted(database.sequences, "sequence")}${objects}: equal to the backup`,
      ...placeLines(view),
      ...(database.retiredDatabase === undefined
        ? []
        : [`the old one is kept as ${printable(database.retiredDatabase)}`]),
      ...(database.analyzed ? [] : ["ANALYZE was not run"]),
    ];
    fields.push(
      ["Database", lines.join("\n")],
      ["Left out", linesOrNothing(database.leftOut)],
      ["Warnings", linesOrNothing(database.warnings)],
    );
  }
  if (files !== undefined) {
    fields.push([
      "Files",
      `${count(files.added)} added, ${count(files.replaced)} replaced, ${count(files.removed)} removed, ` +
        `${count(files.unchanged)} unchanged\n${size(files.bytesWritten)} written, ` +
        proofOf(view.plan?.files?.url, files.verified),
    ]);
  }
  if (undone !== undefined) fields.push(["Undone", undoneLines(undone).join("\n")]);
  return fields;
}

/** What was done to know that what was written is right: a bucket's objects are not read again. */
const proofOf = (url: string | undefined, written: number): string =>
  isBucketUrl(url ?? "")
    ? `${counted(written, "object")} sent with a checksum, and found in the bucket again`
    : `${counted(written, "file")} read back and compared`;

const linesOrNothing = (lines: readonly string[]): string | undefined =>
  lines.length === 0 ? undefined : lines.map((line) => printable(line)).join("\n");

function undoneLines({ database, files }: NonNullable<RestoreView["undone"]>): string[] {
  const lines: string[] = [];
  if (database !== undefined) {
    const kept =
      database.keptAs === undefined ? "" : `; the restored one is kept as ${printable(database.keptAs)}`;
    const schema = /^schema (.*)$/s.exec(database.keptAs ?? "")?.[1];
    if (schema !== undefined) {
      lines.push(`the tables are as they were${kept}`);
      lines.push(`drop it when it is not needed: DROP SCHEMA ${printable(schema)} CASCADE`);
    } else {
      lines.push(
        database.swappedBack ? `the old database is back${kept}` : `nothing had been replaced${kept}`,
      );
    }
  }
  if (files !== undefined)
    lines.push(`${count(files.restored)} files put back, ${count(files.removed)} removed`);
  return lines.length === 0 ? ["nothing"] : lines;
}

export function showUndo(view: RestoreView, context: CommandContext): string {
  const { paint } = context;
  const lines = view.undone === undefined ? ["nothing had to be taken back"] : undoneLines(view.undone);
  return `${paint.bold(view.restoreId)} is undone\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

/** What undoing would do, in sentences; from what the restore recorded. */
export function undoSentences({ database, files, undone }: RestoreView): string[] {
  if (undone !== undefined) return ["do nothing: it is undone already"];
  const sentences: string[] = [];
  if (database?.retiredDatabase !== undefined) {
    sentences.push(
      `swap ${printable(database.retiredDatabase)} back to ${printable(database.database)}, and keep the restored one under another name`,
    );
  } else if (database !== undefined) {
    sentences.push(
      `take back what was restored into database ${printable(database.database)}, if that is possible`,
    );
  }
  if (files !== undefined) {
    sentences.push(
      `put back ${counted(files.replaced + files.removed, "file")} that ${files.replaced + files.removed === 1 ? "was" : "were"} ` +
        `overwritten or removed, and remove ${counted(files.added, "file")} that the restore added`,
    );
  }
  return sentences.length === 0 ? ["do nothing: this restore changed nothing"] : sentences;
}

/** Everything known of one restore, as a page. */
export function describeRestore(view: RestoreView, context: CommandContext): string {
  const { paint } = context;
  const seconds = secondsBetween(view.createdAt, view.completedAt);
  const general: Field[] = [
    ["Project", view.projectId],
    ["Backup", view.backupId],
    ["Type", view.restoreType],
    ["State", `${paintStatus(view.status, view.status, paint)}, ${Math.floor(view.progress)} %`],
    ["Queue", view.queue === undefined ? undefined : queueSentence(view.queue)],
    ["Created", instant(view.createdAt)],
    [
      view.status === "Completed" ? "Completed" : "Ended",
      view.completedAt === undefined
        ? undefined
        : instant(view.completedAt) + (seconds === undefined ? "" : `, took ${duration(seconds)}`),
    ],
    ["Expected", view.estimatedCompletion === undefined ? undefined : instant(view.estimatedCompletion)],
    ["Error", view.error === undefined ? undefined : `${printable(view.error.message)} (${view.error.code})`],
  ];
  const plan = view.plan === undefined ? "" : `\n${showPlan(view.plan, context)}`;
  return `${paint.bold(view.restoreId)}\n${renderFields([...general, ...resultFields(view)], context)}${plan}${hooksSection(view.hooks, context).join("")}`;
}
