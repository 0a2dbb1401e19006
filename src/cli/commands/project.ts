import type { ProjectWish } from "../../contract/projects.ts";
import { Failure } from "../../core/failure.ts";
import { defineCommand, defineGroup, operand, optionalOperand, value } from "../command.ts";
import type { Input } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { projectId, repositoryUrl, text, wholeNumber } from "../option-values.ts";
import { definitionOptions, given, removalDryRun } from "./definition-options.ts";
import { pagingOptions } from "./shared-options.ts";

const kept = (name: string, what: string) =>
  value(`--keep-${name} <n>`, `retention: keep ${what}`, wholeNumber(0, 100_000));

const options = {
  description: value("--description <text>", "one line for people", text),
  repository: value(
    "--repository <place>",
    "where its backups are kept (default: the installation's own)",
    repositoryUrl,
    { complete: "directory" },
  ),
  timeZone: value("--tz <zone>", "its time zone, such as Europe/Berlin (default: UTC)", text),
  keepLast: kept("last", "the newest so many"),
  keepWithinDays: kept("within-days", "all of so many days back"),
  keepHourly: kept("hourly", "the newest of each of so many hours"),
  keepDaily: kept("daily", "the newest of each of so many days"),
  keepWeekly: kept("weekly", "the newest of each of so many weeks"),
  keepMonthly: kept("monthly", "the newest of each of so many months"),
  keepYearly: kept("yearly", "the newest of each of so many years"),
  maxConcurrentOperations: value(
    "--max-operations <n>",
    "backups and restores at once (default: the installation's limit)",
    wholeNumber(1, 1000),
  ),
  ...definitionOptions,
};
const argumentsOfCreate = {
  projectId: optionalOperand("[projectId]", "its id; not needed where the file has it", projectId),
};

const createCommand = defineCommand({
  name: "create",
  summary: "make a project, or change one with --replace",
  description:
    "A project that is named by a backup is made by that, with defaults. The same command run again changes nothing. " +
    "A retention is checked and saved; this version removes no backup by itself.",
  examples: [
    {
      command: "lc2 project create retail --tz Europe/Berlin --repository s3://backups/retail",
      says: "a project with a repository of its own",
    },
    { command: "lc2 project create -f retail.yaml --replace", says: "as the file says" },
  ],
  output: ["table", "json", "yaml", "name"],
  arguments: argumentsOfCreate,
  options,
  run: async (context, input) => {
    const { printWritten } = await import("./definition-file.ts");
    const { showProject } = await import("../pages/projects.ts");
    const { replace, dryRun } = input.options;
    const wish = await toWish(context, input);
    const written = await (
      await context.service()
    ).putProject(wish, { condition: replace ? "any" : "absent", dryRun });
    printWritten(context, written, dryRun, `Project ${wish.projectId}`, (view) => showProject(view, context));
  },
});

async function toWish(
  context: CommandContext,
  { options: written, arguments: { projectId } }: Input<typeof options, typeof argumentsOfCreate>,
): Promise<ProjectWish> {
  const base = written.file === undefined ? {} : await readFile(context, written.file);
  const { description, repository, timeZone, maxConcurrentOperations } = written;
  const retention = given({
    last: written.keepLast,
    withinDays: written.keepWithinDays,
    hourly: written.keepHourly,
    daily: written.keepDaily,
    weekly: written.keepWeekly,
    monthly: written.keepMonthly,
    yearly: written.keepYearly,
  });
  const wish = {
    ...base,
    ...given({ projectId, description, repository, timeZone, maxConcurrentOperations }),
    ...(Object.keys(retention).length === 0 ? {} : { retention: { ...base.retention, ...retention } }),
  };
  const { projectId: id } = wish;
  if (id !== undefined) return { ...wish, projectId: id };
  throw new Failure("usage", "Which project? Give its id, or a file that says it.");
}

async function readFile(context: CommandContext, file: string): Promise<Partial<ProjectWish>> {
  const [{ readDefinitionFile }, { projectFile }] = await Promise.all([
    import("./definition-file.ts"),
    import("../../contract/rest/projects.ts"),
  ]);
  return await readDefinitionFile(context, file, projectFile);
}

const projectOperand = operand("<projectId>", "as `lc2 project list` shows it");

const listCommand = defineCommand({
  name: "list",
  summary: "list projects",
  output: ["table", "json", "yaml", "name", "wide"],
  arguments: {},
  options: pagingOptions,
  run: async (context, { options: { limit, offset } }) => {
    const found = await (await context.service()).listProjects({ limit, offset });
    const { showProjects } = await import("../pages/projects.ts");
    context.print(found, () => showProjects(found.projects, context));
  },
});

const getCommand = defineCommand({
  name: "get",
  summary: "show a project",
  output: ["table", "json", "yaml", "name"],
  arguments: { projectId: projectOperand },
  options: {},
  run: async (context, { arguments: { projectId } }) => {
    const view = await (await context.service()).getProject(projectId);
    const { showProject } = await import("../pages/projects.ts");
    context.print(view, () => showProject(view, context));
  },
});

const deleteCommand = defineCommand({
  name: "delete",
  summary: "forget a project; its backups and keys stay",
  output: ["table", "json", "yaml", "name"],
  arguments: { projectId: projectOperand },
  options: { dryRun: removalDryRun },
  run: async (context, { arguments: { projectId }, options: { dryRun } }) => {
    const view = await (await context.service()).deleteProject(projectId, { dryRun });
    const { showForgotten } = await import("../pages/forgotten.ts");
    context.print(view, () => showForgotten(`Project ${projectId}`, projectId, dryRun, context));
  },
});

export const projectGroup = defineGroup("project", "tenants: what backups, environments and keys belong to", [
  createCommand,
  listCommand,
  getCommand,
  deleteCommand,
]);
