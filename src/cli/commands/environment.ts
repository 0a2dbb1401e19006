import type { EnvironmentWish } from "../../contract/environments.ts";
import { Failure } from "../../core/failure.ts";
import { defineCommand, defineGroup, flag, list, operand, optionalOperand, value } from "../command.ts";
import type { Input, Problem } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommandContext } from "../context.ts";
import { application, applications, folderUrl, oneOf, projectId, text } from "../option-values.ts";
import { definitionOptions, given, listQuery, removalDryRun } from "./definition-options.ts";
import {
  bucketOption,
  databaseOption,
  filesPlace,
  needs,
  pagingOptions,
  projectFilter,
  projectOption,
} from "./shared-options.ts";

const roles = ["production", "staging", "development"] as const;
const secret = (flags: string, of: string) => value(flags, `where ${of} is: env:NAME or file:/path`, text);

const options = {
  project: value("--project <id>", "the project (default: default)", projectId),
  role: value("--role <role>", `${roles.join(", ")} (default: development)`, oneOf(...roles), {
    complete: roles,
  }),
  protected: flag("--protected", "a restore into it needs its plan's hash (default for production)"),
  unprotected: flag("--unprotected", "it does not"),
  description: value("--description <text>", "one line for people", text),
  region: value("--region <region>", "where it runs", text),
  application: value("--application <name>", `the application: ${applications.join(", ")}`, application, {
    complete: applications,
  }),
  database: databaseOption("its database, postgres://user@host:5432/name"),
  password: secret("--password <ref>", "the database's password"),
  files: value("--files <folder>", "its folder of files, a path or file:///…", folderUrl, {
    complete: "directory",
  }),
  bucket: bucketOption("its bucket, s3://bucket/prefix?endpoint=…&region=…"),
  accessKeyId: secret("--access-key-id <ref>", "the bucket's access key id"),
  secretAccessKey: secret("--secret-access-key <ref>", "the bucket's secret access key"),
  allowedSource: list(
    "--allow-source <environment>",
    "backups of this environment may be restored here (default: all of the project)",
    text,
  ),
  ...definitionOptions,
};
const argumentsOfCreate = {
  name: optionalOperand("[name]", "its name; not needed where the file has it", text),
};
type CreateInput = Input<typeof options, typeof argumentsOfCreate>;

const createCommand = defineCommand({
  name: "create",
  summary: "make an environment, or change one with --replace",
  description:
    "Several databases or sets of files are named in a file (-f). Secrets are only referred to, and read when they " +
    "are needed, on the machine that moves the bytes. The same command run again changes nothing.",
  examples: [
    {
      command:
        "lc2 environment create prod --project retail --role production --database postgres://lc2@db/lportal --password env:RETAIL_DB --files /srv/dl",
      says: "a database and a folder",
    },
    {
      command: "lc2 environment create staging --project retail -f staging.yaml --allow-source prod",
      says: "from a file; only backups of prod may be restored into it",
    },
  ],
  output: ["table", "json", "yaml", "name"],
  arguments: argumentsOfCreate,
  options,
  check: ({ options: written }) => problemsBetween(written),
  run: async (context, input) => {
    const { printWritten } = await import("./definition-file.ts");
    const { showEnvironment } = await import("../pages/environments.ts");
    const { replace, dryRun } = input.options;
    const wish = await toWish(context, input);
    const condition = replace ? ("any" as const) : ("absent" as const);
    const written = await (await context.service()).putEnvironment(wish, { condition, dryRun });
    const what = `Environment ${wish.name} of project ${wish.projectId}`;
    printWritten(context, written, dryRun, what, (view) => showEnvironment(view, context));
  },
});

function problemsBetween(written: CreateInput["options"]): Problem[] {
  const two = (flag: string, other: string): Problem => ({
    subject: flag,
    code: "usage",
    message: `does not go with ${other}`,
  });
  const keys = [
    ["--access-key-id", written.accessKeyId !== undefined],
    ["--secret-access-key", written.secretAccessKey !== undefined],
  ] as const;
  const hasOneKey = keys.filter(([, isGiven]) => isGiven).length === 1;
  return [
    ...(written.protected && written.unprotected ? [two("--unprotected", "--protected")] : []),
    ...(written.files !== undefined && written.bucket !== undefined
      ? [two("--bucket", "--files; name several sets of files in a file (-f)")]
      : []),
    ...needs([["--password", written.password !== undefined]], "--database", written.database !== undefined),
    ...needs(keys, "--bucket", written.bucket !== undefined),
    ...(hasOneKey && written.bucket !== undefined
      ? [two("--access-key-id", "one key alone; give --access-key-id and --secret-access-key")]
      : []),
  ];
}

async function toWish(
  context: CommandContext,
  { options: written, arguments: operands }: CreateInput,
): Promise<EnvironmentWish> {
  const base = written.file === undefined ? {} : await readFile(context, written.file);
  const { role, description, region, application, project, database, password, allowedSource } = written;
  const files = filesPlace(written);
  const { accessKeyId, secretAccessKey } = written;
  const credentials =
    accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } };
  const wish = {
    ...base,
    ...given({ role, description, region, application, projectId: project, name: operands.name }),
    ...(written.protected || written.unprotected ? { protected: written.protected } : {}),
    ...(allowedSource.length === 0 ? {} : { allowedSources: allowedSource }),
    ...(database === undefined ? {} : { databases: [{ url: database, ...given({ password }) }] }),
    ...(files === undefined ? {} : { storages: [{ url: files, ...credentials }] }),
  };
  if (wish.name === undefined)
    throw new Failure("usage", "Which environment? Give its name, or a file that says it.");
  return { ...wish, name: wish.name, projectId: wish.projectId ?? "default" };
}

async function readFile(context: CommandContext, file: string): Promise<Partial<EnvironmentWish>> {
  const [{ readDefinitionFile }, { environmentFile }] = await Promise.all([
    import("./definition-file.ts"),
    import("../../contract/rest/environments.ts"),
  ]);
  return await readDefinitionFile(context, file, environmentFile);
}

const nameOperand = operand("<name>", "as `lc2 environment list` shows it");

const listCommand = defineCommand({
  name: "list",
  summary: "list environments",
  output: ["table", "json", "yaml", "name", "wide"],
  arguments: {},
  options: { project: projectFilter, ...pagingOptions },
  run: async (context, { options: written }) => {
    const found = await (await context.service()).listEnvironments(listQuery(written));
    const { showEnvironments } = await import("../pages/environments.ts");
    context.print(found, () => showEnvironments(found.environments, context));
  },
});

const getCommand = defineCommand({
  name: "get",
  summary: "show an environment",
  output: ["table", "json", "yaml", "name"],
  arguments: { name: nameOperand },
  options: { project: projectOption },
  run: async (context, { arguments: { name }, options: { project } }) => {
    const view = await (await context.service()).getEnvironment({ projectId: project, name });
    const { showEnvironment } = await import("../pages/environments.ts");
    context.print(view, () => showEnvironment(view, context));
  },
});

const checkCommand = defineCommand({
  name: "check",
  summary: "prove each right that a backup of it, or a restore into it, will need",
  description:
    "Prints the GRANTs and bucket policies for what misses, and ends with exit code 3. Writes only where a restore " +
    "would, and removes that again.",
  output: ["table", "json", "yaml"],
  arguments: { name: nameOperand },
  options: {
    project: projectOption,
    for: list(
      "--for <purpose>",
      "backup or restore (default: a backup of production, a restore into others)",
      oneOf("backup", "restore"),
      { complete: ["backup", "restore"] },
    ),
  },
  run: async (context, { arguments: { name }, options: { project, for: purposes } }) => {
    const options = purposes.length === 0 ? {} : { purposes };
    const found = await (
      await context.service()
    ).checkEnvironment({ projectId: project, name }, options, context.waiting());
    const { showEnvironmentCheck } = await import("../pages/environment-check.ts");
    context.print(found, () => showEnvironmentCheck(found, context));
    return found.checks.some(({ result }) => result === "missing") ? exitCodes.refused : exitCodes.done;
  },
});

const deleteCommand = defineCommand({
  name: "delete",
  summary: "forget an environment; its backups stay",
  output: ["table", "json", "yaml", "name"],
  arguments: { name: nameOperand },
  options: { project: projectOption, dryRun: removalDryRun },
  run: async (context, { arguments: { name }, options: { project, dryRun } }) => {
    const view = await (await context.service()).deleteEnvironment({ projectId: project, name }, { dryRun });
    const { showForgotten } = await import("../pages/forgotten.ts");
    const what = `Environment ${name} of project ${project}`;
    context.print(view, () => showForgotten(what, name, dryRun, context));
  },
});

export const environmentGroup = defineGroup(
  "environment",
  "places that are backed up or restored into: databases, files, and what may be done with them",
  [createCommand, listCommand, getCommand, checkCommand, deleteCommand],
);
