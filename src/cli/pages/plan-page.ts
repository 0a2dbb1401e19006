import type { DatabasePlan, FilesPlan, RestorePlan } from "../../core/restore/restore.ts";
import { count, counted, duration, instant, size } from "../humanise.ts";
import { renderFields, renderItem } from "../table.ts";
import type { Page } from "../table.ts";
import { printable } from "../terminal.ts";

type Field = readonly [name: string, value: string | undefined];

/** The restore plan as a page: where to, what happens, what breaks, what stands in the way, the hash. */
export function showPlan(plan: RestorePlan, page: Page): string {
  const { paint } = page;
  const point = plan.recoveryPoint === undefined ? "" : `, as of ${instant(plan.recoveryPoint)}`;
  const parts = [
    `${paint.bold(`Plan ${plan.hash}`)}: restore (${plan.restoreType}) of ${plan.backupId}${point}\n`,
  ];
  if (plan.database !== undefined) {
    parts.push(`\n${paint.bold("Database")}\n`, renderFields(databaseFields(plan.database), page));
  }
  if (plan.files !== undefined) {
    parts.push(`\n${paint.bold("Files")}\n`, renderFields(filesFields(plan.files), page));
  }
  if (plan.steps.length > 0) {
    parts.push(`\n${paint.bold("Steps")}\n`);
    parts.push(...plan.steps.map((step, index) => renderItem(`  ${index + 1}. `, printable(step), page)));
  }
  if (plan.warnings.length > 0) {
    parts.push(`\n${paint.bold("Know before you approve")}\n`);
    parts.push(
      ...plan.warnings.map((warning) => renderItem(`  ${paint.yellow("!")} `, printable(warning), page)),
    );
  }
  if (plan.blockers.length > 0) {
    parts.push(`\n${paint.bold(paint.red("In the way: this plan cannot be run"))}\n`);
    parts.push(
      ...plan.blockers.map(({ code, message }) =>
        renderItem(`  ${paint.red("blocked")}  `, `${printable(message)} ${paint.dim(`(${code})`)}`, page),
      ),
    );
  }
  return parts.join("");
}

const intoWords: Record<DatabasePlan["into"], string> = {
  swap: "into a new database beside it, then swapped with it",
  new: "into a new database",
  empty: "into the empty database that is there",
  "in-place": "in place, in one transaction",
};

function databaseFields(database: DatabasePlan): Field[] {
  const landing = database.tables?.map(({ schema, name, landsIn }) =>
    printable(schema === landsIn ? `${schema}.${name}` : `${schema}.${name}, as ${landsIn}.${name}`),
  );
  const options = [
    ...(database.noOwner ? ["everything belongs to the connecting role"] : []),
    ...(database.createRoles ? ["missing roles are made"] : []),
    ...(database.noTablespaces === true ? ["all in the default tablespace"] : []),
  ];
  return [
    ["Target", printable(database.url)],
    [
      "How",
      database.tables === undefined ? `${intoWords[database.into]} (${database.into})` : "single tables",
    ],
    ["Loaded as", database.loadInto === database.target ? undefined : printable(database.loadInto)],
    ["Old kept as", database.retireAs === undefined ? undefined : printable(database.retireAs)],
    ["Tables", landing?.join("\n")],
    [
      "Replaced kept in",
      database.undoSchema === undefined ? undefined : `schema ${printable(database.undoSchema)}`,
    ],
    ["Holds", `${counted(database.rows, "row")}, ${size(database.bytes)}`],
    [
      "Time",
      database.estimatedSeconds === undefined ? undefined : `about ${duration(database.estimatedSeconds)}`,
    ],
    [
      "Server",
      `PostgreSQL ${database.serverVersion}, tools ${database.tools.version} in ${printable(database.tools.directory)}, ` +
        counted(database.jobs, "job"),
    ],
    ["Options", options.length === 0 ? undefined : options.join("\n")],
    [
      "Left out",
      database.leaveOut.length === 0
        ? undefined
        : database.leaveOut.map(({ what, why }) => printable(`${what}: ${why}`)).join("\n"),
    ],
    [
      "Breaks",
      database.breaks.length === 0 ? undefined : database.breaks.map((each) => printable(each)).join("\n"),
    ],
  ];
}

function transfersOf({ maxConcurrency, parallelTransfer }: FilesPlan): string | undefined {
  if (parallelTransfer === false) return "one at a time";
  return maxConcurrency === undefined ? undefined : `at most ${maxConcurrency} at a time`;
}

function filesFields(files: FilesPlan): Field[] {
  return [
    ["Target", files.url],
    [
      "How",
      files.mode === "merge"
        ? "merge: other files stay"
        : "mirror: files that the backup does not have are removed",
    ],
    [
      "Only",
      files.include.length === 0 ? undefined : files.include.map((each) => printable(each)).join("\n"),
    ],
    [
      "Changes",
      `${count(files.add)} added, ${count(files.change)} overwritten, ${count(files.remove)} removed, ` +
        `${count(files.unchanged)} already right`,
    ],
    ["Writes", size(files.bytesToWrite)],
    [
      "Undo",
      files.change + files.remove === 0 ? undefined : "what is overwritten or removed is kept for undo",
    ],
    ["Transfers", transfersOf(files)],
    ["Time", files.estimatedSeconds === undefined ? undefined : `about ${duration(files.estimatedSeconds)}`],
  ];
}
