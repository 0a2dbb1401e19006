import type { ScheduleWish } from "../../contract/schedules.ts";
import { Failure } from "../../core/failure.ts";
import {
  defineCommand,
  defineGroup,
  flag,
  list,
  operand,
  optionalOperand,
  value,
  valueOr,
} from "../command.ts";
import type { Input, Problem } from "../command.ts";
import type { CommandContext } from "../context.ts";
import {
  application,
  applications,
  durationSeconds,
  folderUrl,
  oneOf,
  projectId,
  text,
  wholeNumber,
} from "../option-values.ts";
import { definitionOptions, given, listQuery, removalDryRun } from "./definition-options.ts";
import {
  bucketOption,
  databaseOption,
  filesPlace,
  newRepositoryOption,
  pagingOptions,
  projectFilter,
  projectOption,
} from "./shared-options.ts";

const windowEnds = ["finish", "stop"] as const;
const missed = ["once", "skip"] as const;
const overlaps = ["skip", "queue", "cancel-previous"] as const;
const outcomes = ["ran", "suspended", "overlap", "superseded", "window", "missed", "refused"] as const;

const options = {
  project: value("--project <id>", "the project (default: default)", projectId),
  environment: value("--environment <name>", "back up this environment of the project", text),
  application: value("--application <name>", `the application: ${applications.join(", ")}`, application, {
    complete: applications,
  }),
  database: databaseOption("instead of an environment: this database"),
  files: value("--files <folder>", "… this folder", folderUrl, { complete: "directory" }),
  bucket: bucketOption("… this bucket"),
  repository: newRepositoryOption,
  cron: value(
    "--cron <expression>",
    "when: minute, hour, day of month, month, day of week; or @daily, @daily-random, …",
    text,
  ),
  tz: value(
    "--tz <zone>",
    "time zone of --cron and --window, such as Europe/Berlin (default: the project's)",
    text,
  ),
  rpo: value(
    "--rpo <time>",
    "instead of --cron: the newest backup is to be no older, such as 60m; the times follow",
    durationSeconds,
  ),
  window: list("--window <from-to>", "begin only at these times of day, such as 01:00-05:00", text),
  windowEnd: value(
    "--window-end <what>",
    "a backup that runs when its window closes: finish, stop (default: finish)",
    oneOf(...windowEnds),
    { complete: windowEnds },
  ),
  startWithin: value(
    "--start-within <time>",
    "do not begin later than so long after its turn",
    durationSeconds,
  ),
  missed: value(
    "--missed <what>",
    "after a time without a server: once (one backup for all missed), skip (default: once)",
    oneOf(...missed),
    { complete: missed },
  ),
  overlap: value(
    "--overlap <what>",
    "when the backup before has not ended: skip, queue, cancel-previous (default: skip)",
    oneOf(...overlaps),
    { complete: overlaps },
  ),
  suspended: flag("--suspended", "made, but not yet in use"),
  ...definitionOptions,
};
const argumentsOfCreate = {
  name: optionalOperand("[name]", "its name (default: the one in the file, or the environment's)", text),
};
type CreateInput = Input<typeof options, typeof argumentsOfCreate>;

const createCommand = defineCommand({
  name: "create",
  summary: "make a schedule, or change one with --replace",
  description:
    "A running `lc2 serve` makes its backups. The same command run again changes nothing. More of what is backed up " +
    "can be said in a file (-f).",
  examples: [
    {
      command:
        "lc2 schedule create nightly --project retail --environment prod --cron '0 2 * * *' --tz Europe/Berlin --window 01:00-05:00",
      says: "every night at two, and not after five",
    },
    {
      command: "lc2 schedule create often --project retail --environment prod --rpo 60m",
      says: "so often that never more than an hour is lost",
    },
    {
      command:
        "lc2 schedule create files --project retail --files /srv/dl --cron @daily-random --window 22:00-04:00",
      says: "once a night, at a time of its own",
    },
  ],
  output: ["table", "json", "yaml", "name"],
  arguments: argumentsOfCreate,
  options,
  check: ({ options: written }) => problemsBetween(written),
  run: async (context, input) => {
    const { printWritten } = await import("./definition-file.ts");
    const { showSchedule } = await import("../pages/schedules.ts");
    const { replace, dryRun } = input.options;
    const wish = await toWish(context, input);
    const condition = replace ? ("any" as const) : ("absent" as const);
    const written = await (await context.service()).putSchedule(wish, { condition, dryRun });
    const what = `Schedule ${wish.name} of project ${wish.projectId}`;
    printWritten(context, written, dryRun, what, (view) => showSchedule(view, context));
  },
});

function problemsBetween({ cron, rpo, files, bucket }: CreateInput["options"]): Problem[] {
  const two = (subject: string, other: string): Problem => ({
    subject,
    code: "usage",
    message: `does not go with ${other}`,
  });
  return [
    ...(cron !== undefined && rpo !== undefined ? [two("--rpo", "--cron")] : []),
    ...(files !== undefined && bucket !== undefined ? [two("--bucket", "--files")] : []),
  ];
}

async function toWish(
  context: CommandContext,
  { options: written, arguments: operands }: CreateInput,
): Promise<ScheduleWish> {
  const base = written.file === undefined ? {} : await readFile(context, written.file);
  const { repository, cron, rpo, tz, window, windowEnd, startWithin, missed: whenMissed, overlap } = written;
  const said = {
    ...given({ repository, cron, rpoSeconds: rpo, timeZone: tz, windowEnd }),
    ...given({ startWithinSeconds: startWithin, missed: whenMissed, overlap }),
    ...(window.length === 0 ? {} : { windows: window }),
    ...(written.suspended ? { suspended: true } : {}),
  };
  const backup = backupOf(written, base.backup);
  const name = operands.name ?? base.name ?? backup.environment;
  if (name === undefined)
    throw new Failure("usage", "The schedule needs a name: lc2 schedule create <name> …");
  const project = written.project ?? base.projectId ?? "default";
  return { ...base, ...said, name, projectId: project, backup };
}

function backupOf(
  written: CreateInput["options"],
  base: ScheduleWish["backup"] | undefined,
): ScheduleWish["backup"] {
  const { environment, application: app, database } = written;
  const files = filesPlace(written);
  if ((environment ?? database ?? files) === undefined && base === undefined) {
    const message = "There is nothing to back up: give --environment, or --database, --files or --bucket.";
    throw new Failure("nothing-to-back-up", message);
  }
  return {
    ...base,
    provider: "local",
    ...given({ environment, application: app }),
    ...(database === undefined ? {} : { database: { ...base?.database, url: database } }),
    ...(files === undefined ? {} : { storage: { ...base?.storage, url: files } }),
  };
}

async function readFile(context: CommandContext, file: string): Promise<Partial<ScheduleWish>> {
  const [{ readDefinitionFile }, { scheduleFile, toScheduleWish }] = await Promise.all([
    import("./definition-file.ts"),
    import("../../contract/rest/schedules.ts"),
  ]);
  const {
    name,
    projectId: project,
    backup,
    ...change
  } = await readDefinitionFile(context, file, scheduleFile);
  const said = { ...change, ...given({ name, projectId: project }) };
  if (backup === undefined) return said;
  return { ...said, backup: toScheduleWish("", "", { backup }).backup };
}

const nameOperand = operand("<name>", "as `lc2 schedule list` shows it");
const keyOf = ({
  arguments: { name },
  options: { project },
}: {
  arguments: { name: string };
  options: { project: string };
}) => ({
  projectId: project,
  name,
});

const listCommand = defineCommand({
  name: "list",
  summary: "list schedules, and when they are due",
  output: ["table", "json", "yaml", "name", "wide"],
  arguments: {},
  options: { project: projectFilter, ...pagingOptions },
  run: async (context, { options: written }) => {
    const found = await (await context.service()).listSchedules(listQuery(written));
    const { showSchedules } = await import("../pages/schedules.ts");
    context.print(found, () => showSchedules(found.schedules, context));
  },
});

const getCommand = defineCommand({
  name: "get",
  summary: "show a schedule",
  output: ["table", "json", "yaml", "name"],
  arguments: { name: nameOperand },
  options: { project: projectOption },
  run: async (context, input) => {
    const view = await (await context.service()).getSchedule(keyOf(input));
    const { showSchedule } = await import("../pages/schedules.ts");
    context.print(view, () => showSchedule(view, context));
  },
});

const nextCommand = defineCommand({
  name: "next",
  summary: "show when a schedule is due next",
  output: ["table", "json", "yaml"],
  arguments: { name: nameOperand },
  options: {
    project: projectOption,
    count: valueOr("--count <n>", "so many times", wholeNumber(1, 1000), "10"),
  },
  run: async (context, input) => {
    const service = await context.service();
    const key = keyOf(input);
    const slots = await service.previewSchedule(key, input.options.count);
    const { timeZone } = await service.getSchedule(key);
    const { showComing } = await import("../pages/schedules.ts");
    context.print({ slots }, () => showComing(slots, timeZone, context));
  },
});

const historyCommand = defineCommand({
  name: "history",
  summary: "show what came of a schedule's times, newest first",
  output: ["table", "json", "yaml"],
  arguments: { name: nameOperand },
  options: {
    project: projectOption,
    outcome: value("--outcome <what>", `only: ${outcomes.join(", ")}`, oneOf(...outcomes), {
      complete: outcomes,
    }),
    ...pagingOptions,
  },
  run: async (context, input) => {
    const { outcome, limit, offset } = input.options;
    const { projectId: project, name } = keyOf(input);
    const found = await (
      await context.service()
    ).listSlots({ projectId: project, schedule: name, ...given({ outcome }), limit, offset });
    const { showSlots } = await import("../pages/schedules.ts");
    context.print(found, () => showSlots(found.slots, context));
  },
});

const suspending = (name: "suspend" | "resume", summary: string) =>
  defineCommand({
    name,
    summary,
    output: ["table", "json", "yaml", "name"],
    arguments: { name: nameOperand },
    options: { project: projectOption },
    run: async (context, input) => {
      const view = await (await context.service()).suspendSchedule(keyOf(input), name === "suspend");
      const { showSchedule } = await import("../pages/schedules.ts");
      context.print(view, () => showSchedule(view, context));
    },
  });

const runNowCommand = defineCommand({
  name: "run-now",
  summary: "ask for a backup of a schedule now; a running `lc2 serve` makes it",
  description: "Whatever its times, windows and rules for overlap say. Returns when it is recorded.",
  output: ["table", "json", "yaml", "name"],
  arguments: { name: nameOperand },
  options: { project: projectOption },
  run: async (context, input) => {
    const view = await (await context.service()).runSchedule(keyOf(input), {});
    const { showBackups } = await import("../pages/backup-list.ts");
    context.print(view, () => showBackups([view], context));
  },
});

const deleteCommand = defineCommand({
  name: "delete",
  summary: "forget a schedule; its backups stay",
  output: ["table", "json", "yaml", "name"],
  arguments: { name: nameOperand },
  options: { project: projectOption, dryRun: removalDryRun },
  run: async (context, input) => {
    const { dryRun } = input.options;
    const key = keyOf(input);
    const view = await (await context.service()).deleteSchedule(key, { dryRun });
    const { showForgotten } = await import("../pages/forgotten.ts");
    const what = `Schedule ${key.name} of project ${key.projectId}`;
    context.print(view, () => showForgotten(what, key.name, dryRun, context));
  },
});

export const scheduleGroup = defineGroup("schedule", "backups that a running server makes by itself", [
  createCommand,
  listCommand,
  getCommand,
  nextCommand,
  historyCommand,
  suspending("suspend", "suspend a schedule: its times are recorded as skipped"),
  suspending("resume", "let a suspended schedule go on"),
  runNowCommand,
  deleteCommand,
]);
