import type { BackupWish } from "../../contract/operations.ts";
import type { CommandContext } from "../context.ts";
import { defineCommand, flag, list, value, valueOr } from "../command.ts";
import type { Input, Problem } from "../command.ts";
import {
  application,
  applications,
  byteRate,
  durationSeconds,
  folderUrl,
  fraction,
  oneOf,
  sourcePath,
  tablePattern,
  text,
  wholeNumber,
} from "../option-values.ts";
import {
  bucketOption,
  databaseOption,
  filesPlace,
  encryptionOptions,
  filesPlaceProblems,
  hooksOption,
  needs,
  newRepositoryOption,
  noWaitOption,
  projectOption,
  toolsOption,
  transferOptions,
  transferWishes,
} from "./shared-options.ts";

const options = {
  project: projectOption,
  environment: value("--environment <name>", "back up this environment of the project", text),
  only: value(
    "--only <part>",
    "of the environment only this: database, storage",
    oneOf("database", "storage"),
    {
      complete: ["database", "storage"],
    },
  ),
  databaseName: value("--database-name <name>", "which of the environment's databases", text),
  storageName: value("--storage-name <name>", "which of the environment's sets of files", text),
  application: value("--application <name>", `the application: ${applications.join(", ")}`, application, {
    complete: applications,
  }),
  database: databaseOption(
    "postgres://user@host:5432/name; the password by PGPASSWORD, .pgpass or a service file",
  ),
  files: value("--files <folder>", "folder to back up, a path or file:///…", folderUrl, {
    complete: "directory",
  }),
  bucket: bucketOption("bucket to back up, s3://bucket/prefix?endpoint=…&region=…&profile=…"),
  repository: newRepositoryOption,
  ...encryptionOptions,
  excludeGenerated: flag("--exclude-generated", "leave out what the application makes again by itself"),
  excludePattern: list(
    "--exclude <pattern>",
    "leave out files that match, such as '*.tmp' or 'cache/**'",
    sourcePath,
  ),
  excludePath: list("--exclude-path <path>", "leave out this file or folder of the source", sourcePath),
  includePath: list("--include-path <path>", "only this file or folder of the source", sourcePath),
  excludeTable: list(
    "--exclude-table <pattern>",
    "keep the table, leave out its rows; 'cache_*'",
    tablePattern,
  ),
  streams: value(
    "--streams <n>",
    "parallel archives on one snapshot (default: by the database's size)",
    wholeNumber(1, 32),
  ),
  maxRate: value(
    "--max-rate <rate>",
    "read at most so much a second from the source, such as 20MB",
    byteRate,
  ),
  ...transferOptions,
  tools: toolsOption,
  fromStandby: flag("--from-standby", "the server is a standby, and that is wanted"),
  lockTimeout: value(
    "--lock-timeout <time>",
    "how long the dump waits for a lock, such as 30s",
    durationSeconds,
  ),
  maxShrink: valueOr(
    "--max-shrink <share>",
    "refuse when the files are fewer or smaller than last time by more than this",
    fraction,
    "50%",
  ),
  verifySource: flag("--verify-source", "list the files again at the end and compare"),
  rehash: flag("--rehash", "read and store every file again, whatever the earlier backup says"),
  allowUnreadable: flag("--allow-unreadable", "leave out files that cannot be read, and name them"),
  hooks: hooksOption("preBackupHooks and postBackupHooks"),
  dryRun: flag("--dry-run", "look at sources and repository, say what would be done, start nothing"),
  noWait: noWaitOption,
};

type CreateInput = Input<typeof options, Record<never, never>>;

export const createCommand = defineCommand({
  name: "create",
  summary: "back up a database, files, or both as one recovery point",
  description:
    "Waits until the backup is sealed and shows its progress. Ctrl-C cancels cleanly: nothing half done is visible.",
  examples: [
    {
      command: "lc2 backup create --database postgres://app@db/lportal --files /srv/liferay/document_library",
      says: "both, into the default repository",
    },
    {
      command: "lc2 backup create --project retail --application liferay --files /srv/dl --exclude-generated",
      says: "files without what Liferay makes again by itself",
    },
    {
      command:
        "lc2 backup create --bucket 's3://doclib/site?region=eu-central-1' --repository 's3://backups/lc2?region=eu-central-1'",
      says: "a bucket into another one; the keys by the AWS variables, a profile or the machine's role",
    },
    {
      command:
        "lc2 backup create --bucket s3://doclib/site --repository s3://backups/lc2 --encryption server --kms-key alias/retail",
      says: "the store encrypts with this key, and copies large objects by itself",
    },
  ],
  output: ["table", "json", "yaml", "name"],
  arguments: {},
  options,
  check: (input) => problemsBetween(input),
  run: async (context, input) => {
    const { createBackup } = await import("./backup-create-run.ts");
    const { dryRun, hooks, maxRate, repository, noWait } = input.options;
    const wish = { ...toWish(input), ...(hooks === undefined ? {} : await readHooks(context, hooks)) };
    await createBackup(context, wish, { dryRun, maxRate, repository, noWait });
  },
});

async function readHooks(context: CommandContext, file: string) {
  const { readBackupHooks } = await import("./read-hooks.ts");
  return await readBackupHooks(context, file);
}

function problemsBetween({ options: given }: CreateInput): Problem[] {
  const environment = given.environment !== undefined;
  const files = filesPlace(given) !== undefined || (environment && given.only !== "database");
  const database = given.database !== undefined || (environment && given.only !== "storage");
  const nothing: Problem = {
    code: "nothing-to-back-up",
    message: "there is nothing to back up: give --environment, or --database, --files or --bucket",
  };
  const fileOptions = [
    ["--exclude-generated", given.excludeGenerated],
    ["--exclude", given.excludePattern.length > 0],
    ["--exclude-path", given.excludePath.length > 0],
    ["--include-path", given.includePath.length > 0],
    ["--verify-source", given.verifySource],
    ["--rehash", given.rehash],
    ["--allow-unreadable", given.allowUnreadable],
  ] as const;
  const databaseOptions = [
    ["--exclude-table", given.excludeTable.length > 0],
    ["--streams", given.streams !== undefined],
    ["--tools", given.tools !== undefined],
    ["--from-standby", given.fromStandby],
    ["--lock-timeout", given.lockTimeout !== undefined],
  ] as const;
  return [
    ...(files || database ? [] : [nothing]),
    ...needs(fileOptions, "--files or --bucket", files),
    ...needs(databaseOptions, "--database", database),
    ...needs(
      [
        ["--only", given.only !== undefined],
        ["--database-name", given.databaseName !== undefined],
        ["--storage-name", given.storageName !== undefined],
      ],
      "--environment",
      environment,
    ),
    ...(environment ? placesBeside(given) : []),
    ...needs(
      [["--kms-key", given.kmsKey !== undefined]],
      "--encryption server",
      given.encryption === "server",
    ),
    ...needs(
      [["--exclude-generated", given.excludeGenerated && files]],
      "--application",
      given.application !== undefined || environment,
    ),
    ...filesPlaceProblems(given, files),
  ];
}

/** An environment says where its things are. */
function placesBeside({ database, files, bucket }: CreateInput["options"]): Problem[] {
  const named = { "--database": database, "--files": files, "--bucket": bucket };
  return Object.entries(named)
    .filter(([, place]) => place !== undefined)
    .map(([subject]) => ({ subject, code: "usage", message: "does not go with --environment" }));
}

function toWish({ options: given }: CreateInput): BackupWish {
  const files = filesPlace(given);
  const hasEnvironment = given.environment !== undefined;
  const database = {
    ...(given.database === undefined ? {} : { url: given.database }),
    ...(given.databaseName === undefined ? {} : { instance: given.databaseName }),
    excludeTables: given.excludeTable,
    ...(given.streams === undefined ? {} : { streams: given.streams }),
    ...(given.tools === undefined ? {} : { tools: given.tools }),
    ...(given.fromStandby ? { fromStandby: true } : {}),
    ...(given.lockTimeout === undefined ? {} : { lockTimeoutMs: Math.round(given.lockTimeout * 1000) }),
  };
  const storage = {
    ...(files === undefined ? {} : { url: files }),
    ...(given.storageName === undefined ? {} : { instance: given.storageName }),
    excludeGeneratedFiles: given.excludeGenerated,
    excludePatterns: given.excludePattern,
    excludePaths: given.excludePath,
    includePaths: given.includePath,
    maxShrink: given.maxShrink,
    ...(given.verifySource ? { verifySource: true } : {}),
    ...(given.rehash ? { rehash: true } : {}),
    ...(given.allowUnreadable ? { allowUnreadable: true } : {}),
    ...transferWishes(given),
  };
  return {
    projectId: given.project,
    ...(given.environment === undefined ? {} : { environment: given.environment }),
    ...(given.only === undefined ? {} : { only: given.only }),
    ...(given.application === undefined ? {} : { application: given.application }),
    ...(given.encryption === undefined ? {} : { encryption: given.encryption }),
    ...(given.kmsKey === undefined ? {} : { kmsKey: given.kmsKey }),
    provider: "local",
    ...(hasEnvironment || given.database !== undefined ? { database } : {}),
    ...(hasEnvironment || files !== undefined ? { storage } : {}),
  };
}
