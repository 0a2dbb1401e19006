import type { BackupSpec } from "../../contract/operations.ts";
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
  sourcePath,
  tablePattern,
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
    const spec = { ...toSpec(input), ...(hooks === undefined ? {} : await readHooks(context, hooks)) };
    await createBackup(context, spec, { dryRun, maxRate, repository, noWait });
  },
});

async function readHooks(context: CommandContext, file: string) {
  const { readBackupHooks } = await import("./read-hooks.ts");
  return await readBackupHooks(context, file);
}

function problemsBetween({ options: given }: CreateInput): Problem[] {
  const files = filesPlace(given) !== undefined;
  const database = given.database !== undefined;
  const nothing: Problem = {
    code: "nothing-to-back-up",
    message: "there is nothing to back up: give --database, --files or --bucket",
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
      [["--kms-key", given.kmsKey !== undefined]],
      "--encryption server",
      given.encryption === "server",
    ),
    ...needs(
      [["--exclude-generated", given.excludeGenerated && files]],
      "--application",
      given.application !== undefined,
    ),
    ...filesPlaceProblems(given),
  ];
}

function toSpec({ options: given }: CreateInput): BackupSpec {
  const files = filesPlace(given);
  return {
    projectId: given.project,
    ...(given.application === undefined ? {} : { application: given.application }),
    provider: "local",
    ...(given.encryption === undefined ? {} : { encryption: given.encryption }),
    ...(given.kmsKey === undefined ? {} : { kmsKey: given.kmsKey }),
    ...(given.database === undefined
      ? {}
      : {
          database: {
            url: given.database,
            excludeTables: given.excludeTable,
            ...(given.streams === undefined ? {} : { streams: given.streams }),
            ...(given.tools === undefined ? {} : { tools: given.tools }),
            ...(given.fromStandby ? { fromStandby: true } : {}),
            ...(given.lockTimeout === undefined
              ? {}
              : { lockTimeoutMs: Math.round(given.lockTimeout * 1000) }),
          },
        }),
    ...(files === undefined
      ? {}
      : {
          storage: {
            url: files,
            excludeGeneratedFiles: given.excludeGenerated,
            excludePatterns: given.excludePattern,
            excludePaths: given.excludePath,
            includePaths: given.includePath,
            maxShrink: given.maxShrink,
            ...(given.verifySource ? { verifySource: true } : {}),
            ...(given.rehash ? { rehash: true } : {}),
            ...(given.allowUnreadable ? { allowUnreadable: true } : {}),
            ...transferWishes(given),
          },
        }),
  };
}
