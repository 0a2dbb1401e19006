/** What `restore plan` and `restore create` have in common: the options and the request made of them. */
import type { RestoreWish } from "../../contract/operations.ts";
import type { Lc2Service } from "../../contract/service.ts";
import { flag, list, value } from "../command.ts";
import type { Input, Problem } from "../command.ts";
import {
  durationSeconds,
  folderUrl,
  moment,
  oneOf,
  sourcePath,
  tableName,
  text,
  wholeNumber,
} from "../option-values.ts";
import {
  bucketOption,
  databaseOption,
  filesPlace,
  filesPlaceProblems,
  fromOption,
  needs,
  projectFilter,
  referenceOf,
  repositoryOption,
  toolsOption,
  transferOptions,
  transferWishes,
} from "./shared-options.ts";

const types = ["full", "database-only", "storage-only", "selective"] as const;
const ways = ["swap", "new", "empty", "in-place"] as const;
const modes = ["merge", "mirror"] as const;

export const restoreOptions = {
  from: fromOption,
  environment: value("--environment <name>", "with --from latest: only backups of this environment", text),
  at: value(
    "--at <time>",
    "with --from latest: the newest at or before it, such as 2025-11-10T10:30:00Z, or how long ago, 2h",
    moment("end"),
  ),
  to: value("--to <environment>", "the target: this environment of the project", text),
  databaseName: value("--database-name <name>", "which of the target environment's databases", text),
  storageName: value("--storage-name <name>", "which of the target environment's sets of files", text),
  database: databaseOption("the target: postgres://user@host:5432/name; made if missing"),
  files: value("--files <folder>", "the target folder, a path or file:///…; made if missing", folderUrl, {
    complete: "directory",
  }),
  bucket: bucketOption(
    "the target bucket, s3://bucket/prefix?endpoint=…&region=…&profile=…; made if missing",
  ),
  type: value(
    "--type <type>",
    `what to restore: ${types.join(", ")} (default: what the targets and patterns say)`,
    oneOf(...types),
    { complete: types },
  ),
  include: list("--include <pattern>", "only files that match, such as 'reports/**'", sourcePath),
  table: list("--table <schema.name>", "only this table", tableName),
  mode: value(
    "--mode <mode>",
    "merge (default) leaves files alone that the backup does not have; mirror removes them (undo brings them back)",
    oneOf(...modes),
    { complete: modes },
  ),
  into: value(
    "--into <way>",
    "swap: a new database beside the old one, then exchanged; new: a new database, under a dated name " +
      "where the target's is taken; empty: an empty one, made where it is missing; in-place: in one transaction " +
      "(default: what fits the target)",
    oneOf(...ways),
    { complete: ways },
  ),
  dropAfter: value(
    "--drop-after <time>",
    "drop the database that was swapped out after this long, such as 24h (default: never by itself)",
    durationSeconds,
  ),
  jobs: value("--jobs <n>", "parallel jobs (default: the number of processors)", wholeNumber(1, 64)),
  tools: toolsOption,
  noOwner: flag("--no-owner", "give everything to the connecting role"),
  createRoles: flag("--create-roles", "make roles that are missing, without passwords"),
  keepSessions: flag(
    "--keep-sessions",
    "do not end other sessions on the target for the swap; fail when there are some",
  ),
  project: projectFilter,
  repository: repositoryOption,
  ...transferOptions,
};

export type RestoreInput = Input<typeof restoreOptions, Readonly<Record<never, never>>>;

export function restoreProblems(input: RestoreInput): Problem[] {
  return [...targetProblems(input), ...typeProblems(input), ...selectionProblems(input)];
}

const problem = (subject: string, message: string): Problem => ({ subject, code: "usage", message });

function targetProblems({ options: given }: RestoreInput): Problem[] {
  const environment = given.to !== undefined;
  const database = given.database !== undefined || environment;
  const files = filesPlace(given) !== undefined || environment;
  const isLatest = given.from === "latest";
  const databaseOptions = [
    ["--table", given.table.length > 0],
    ["--into", given.into !== undefined],
    ["--drop-after", given.dropAfter !== undefined],
    ["--jobs", given.jobs !== undefined],
    ["--tools", given.tools !== undefined],
    ["--no-owner", given.noOwner],
    ["--create-roles", given.createRoles],
    ["--keep-sessions", given.keepSessions],
  ] as const;
  const fileOptions = [
    ["--include", given.include.length > 0],
    ["--mode", given.mode !== undefined],
  ] as const;
  const nowhere: Problem = {
    code: "usage",
    message: "there is nowhere to restore to: give --to, or --database, and --files or --bucket",
  };
  return [
    ...(database || files ? [] : [nowhere]),
    ...needs(databaseOptions, "--database", database),
    ...needs(fileOptions, "--files or --bucket", files),
    ...filesPlaceProblems(given, files),
    ...needs(
      [
        ["--environment", given.environment !== undefined],
        ["--at", given.at !== undefined],
      ],
      "--from latest",
      isLatest,
    ),
    ...needs(
      [
        ["--database-name", given.databaseName !== undefined],
        ["--storage-name", given.storageName !== undefined],
      ],
      "--to",
      environment,
    ),
    ...(environment && (given.database ?? filesPlace(given)) !== undefined
      ? [problem("--to", "says where to restore to; leave it or --database, --files and --bucket out")]
      : []),
  ];
}

function typeProblems({ options: given }: RestoreInput): Problem[] {
  const selects = given.include.length + given.table.length > 0;
  switch (given.type) {
    case "database-only":
    case "storage-only": {
      if (given.to !== undefined) return selects ? [selectionRefused(given)] : [];
      const database = given.database === undefined ? undefined : "--database";
      const files = filesOption(given);
      const [wanted, other, needed] =
        given.type === "database-only"
          ? [database, files, "--database"]
          : [files, database, "--files or --bucket"];
      return [
        ...(selects ? [selectionRefused(given)] : []),
        ...(wanted === undefined ? [problem("--type", `${given.type} needs ${needed}`)] : []),
        ...(other === undefined ? [] : [problem(other, `does not go with --type ${given.type}`)]),
      ];
    }
    case "full":
      return selects ? [selectionRefused(given)] : [];
    case "selective":
      return selects ? [] : [problem("--type", "selective needs --include or --table")];
    default:
      return [];
  }
}

/** The option that names where files go. */
function filesOption({ files, bucket }: RestoreInput["options"]): "--files" | "--bucket" | undefined {
  if (files !== undefined) return "--files";
  return bucket === undefined ? undefined : "--bucket";
}

const selectionRefused = ({ include, type }: RestoreInput["options"]): Problem =>
  problem(
    include.length > 0 ? "--include" : "--table",
    `does not go with --type ${type ?? "full"}; write --type selective or leave it out`,
  );

/** A target that nothing was selected for would be left alone in silence. */
function selectionProblems({ options: given }: RestoreInput): Problem[] {
  const files = filesOption(given);
  if (given.database === undefined || files === undefined) return [];
  if (given.include.length > 0 && given.table.length === 0) {
    const message = "with --include alone nothing of the database is restored; add --table or leave it out";
    return [problem("--database", message)];
  }
  if (given.table.length > 0 && given.include.length === 0) {
    return [problem(files, "with --table alone no files are restored; add --include or leave it out")];
  }
  return [];
}

/** The request, with the project looked up where the command line does not name it. */
export async function toRestoreWish(
  service: Lc2Service,
  { options: given }: RestoreInput,
): Promise<RestoreWish> {
  const files = filesPlace(given);
  const hasTarget = given.to !== undefined;
  return {
    projectId: given.project ?? (await projectOf(service, given)),
    backupId: given.from,
    ...(given.environment === undefined ? {} : { environment: given.environment }),
    ...(given.at === undefined ? {} : { pointInTime: new Date(given.at).toISOString() }),
    ...(given.to === undefined ? {} : { targetEnvironment: given.to }),
    restoreType: given.type ?? impliedType(given),
    ...(hasTarget || given.database !== undefined ? { database: databaseWishes(given) } : {}),
    ...(hasTarget || files !== undefined ? { storage: storageWishes(given) } : {}),
    include: given.include,
    tables: given.table,
    ...(given.dropAfter === undefined ? {} : { dropAfterSeconds: Math.round(given.dropAfter) }),
  };
}

/** The latest backup is one of the default project's, as a new one would be. */
async function projectOf(service: Lc2Service, given: RestoreInput["options"]): Promise<string> {
  if (given.from === "latest") return "default";
  return (await service.getBackup(referenceOf(given.from, given))).projectId;
}

function impliedType(given: RestoreInput["options"]): RestoreWish["restoreType"] {
  if (given.include.length + given.table.length > 0) return "selective";
  if (given.to !== undefined) return "full";
  if (filesPlace(given) === undefined) return "database-only";
  return given.database === undefined ? "storage-only" : "full";
}

function databaseWishes(given: RestoreInput["options"]): NonNullable<RestoreWish["database"]> {
  return {
    ...(given.database === undefined ? {} : { url: given.database }),
    ...(given.databaseName === undefined ? {} : { instance: given.databaseName }),
    ...(given.into === undefined ? {} : { into: given.into }),
    ...(given.tools === undefined ? {} : { tools: given.tools }),
    ...(given.jobs === undefined ? {} : { jobs: given.jobs }),
    ...(given.createRoles ? { createRoles: true } : {}),
    ...(given.keepSessions ? { endSessions: false } : {}),
    ...(given.noOwner ? { noOwner: true } : {}),
  };
}

function storageWishes(given: RestoreInput["options"]): NonNullable<RestoreWish["storage"]> {
  const files = filesPlace(given);
  return {
    ...(files === undefined ? {} : { url: files }),
    ...(given.storageName === undefined ? {} : { instance: given.storageName }),
    mode: given.mode ?? "merge",
    ...transferWishes(given),
  };
}
