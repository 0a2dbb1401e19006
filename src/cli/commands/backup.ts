import type { BackupQuery, BackupView } from "../../contract/service.ts";
import { backupStatuses } from "../../contract/statuses.ts";
import { Failure } from "../../core/failure.ts";
import { defineCommand, defineGroup, flag, operand, optionalOperand, value } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import {
  application,
  applications,
  byteRate,
  databaseUrl,
  moment,
  oneOfAnyCase,
  repositoryUrl,
  text,
} from "../option-values.ts";
import { createCommand } from "./backup-create.ts";
import {
  backupIdOperand,
  cancelDryRunOption,
  encryptionOptions,
  needs,
  pagingOptions,
  projectFilter,
  referenceOf,
  referenceOptions,
} from "./shared-options.ts";

const listCommand = defineCommand({
  name: "list",
  summary: "list backups, newest first",
  examples: [
    {
      command: "lc2 backup list --project retail --status Completed --since 7d",
      says: "what was kept this week",
    },
    { command: "lc2 backup list -o name", says: "ids for a script" },
  ],
  output: ["table", "json", "yaml", "name", "wide"],
  arguments: {},
  options: {
    project: projectFilter,
    application: value("--application <name>", "only of this application", application, {
      complete: applications,
    }),
    environment: value("--environment <name>", "only of this environment", text),
    status: value(
      "--status <status>",
      `only in this state: ${backupStatuses.join(", ")}`,
      oneOfAnyCase(...backupStatuses),
      {
        complete: backupStatuses,
      },
    ),
    since: value(
      "--since <time>",
      "made at or after: 2026-11-24, 2026-11-24T14:00Z, or how long ago, 7d",
      moment("start"),
    ),
    repository: value(
      "--repository <repository>",
      "only what is in this repository, by the catalog",
      repositoryUrl,
      {
        complete: "directory",
      },
    ),
    until: value("--until <time>", "made at or before; a date is its whole day (UTC)", moment("end")),
    ...pagingOptions,
  },
  check: ({ options: { since, until } }) =>
    since !== undefined && until !== undefined && since > until
      ? [{ subject: "--since", code: "usage", message: "is later than --until" }]
      : [],
  run: async (context, { options }) => {
    const query: BackupQuery = {
      limit: options.limit,
      ...(options.offset === 0 ? {} : { offset: options.offset }),
      ...(options.project === undefined ? {} : { projectId: options.project }),
      ...(options.application === undefined ? {} : { application: options.application }),
      ...(options.environment === undefined ? {} : { environment: options.environment }),
      ...(options.status === undefined ? {} : { status: options.status }),
      ...(options.since === undefined ? {} : { sinceMs: options.since }),
      ...(options.until === undefined ? {} : { untilMs: options.until }),
      ...(options.repository === undefined ? {} : { repository: options.repository }),
    };
    const found = await (await context.service()).listBackups(query);
    const { showBackups } = await import("../pages/backup-list.ts");
    context.print(found, () => showBackups(found.backups, context));
    const { noteMore } = await import("../pages/note-more.ts");
    noteMore(context, { offset: options.offset, shown: found.backups.length, total: found.total });
  },
});

type ShowBackup = (view: BackupView, context: CommandContext) => string;

/** A verb that is about one backup and shows it. */
const backupCommand = (
  words: Pick<Parameters<typeof defineCommand>[0], "name" | "summary" | "output">,
  loadPage: () => Promise<ShowBackup>,
) =>
  defineCommand({
    ...words,
    arguments: { backupId: backupIdOperand },
    options: referenceOptions,
    run: async (context, { arguments: { backupId }, options }) => {
      const view = await (await context.service()).getBackup(referenceOf(backupId, options));
      const show = await loadPage();
      context.print(view, () => show(view, context));
    },
  });

const getCommand = backupCommand(
  { name: "get", summary: "show one backup in a line", output: ["table", "json", "yaml", "name", "wide"] },
  async () => {
    const { showBackups } = await import("../pages/backup-list.ts");
    return (view, context) => showBackups([view], context);
  },
);

const describeCommand = backupCommand(
  { name: "describe", summary: "show everything known of one backup", output: ["table", "json", "yaml"] },
  async () => (await import("../pages/backup-page.ts")).describeBackup,
);

const explainCommand = backupCommand(
  {
    name: "explain",
    summary: "say what a backup waits for, or how it ended and why",
    output: ["table", "json", "yaml"],
  },
  async () => (await import("../pages/explain-page.ts")).explainBackup,
);

const logsCommand = defineCommand({
  name: "logs",
  summary: "show what was said while a backup was made",
  output: ["table", "json", "yaml"],
  arguments: { backupId: backupIdOperand },
  options: referenceOptions,
  run: async (context, input) => {
    const service = await context.service();
    const lines = await service.backupLogs(referenceOf(input.arguments.backupId, input.options));
    const { showLogs } = await import("../pages/logs.ts");
    context.print({ lines }, () => showLogs(lines, context.paint));
  },
});

const browseCommand = defineCommand({
  name: "browse",
  summary: "list the tables and files in a backup",
  description:
    "With a pattern (`*` within a folder, `**` across folders), only the files and tables that match.",
  examples: [{ command: "lc2 backup browse <backupId> '**/*.pdf'", says: "every PDF" }],
  output: ["table", "json", "yaml", "name"],
  arguments: {
    backupId: backupIdOperand,
    pattern: optionalOperand("[pattern]", "of a path or of schema.table", text),
  },
  options: referenceOptions,
  run: async (context, input) => {
    const { browse } = await import("../pages/browse.ts");
    await browse(context, referenceOf(input.arguments.backupId, input.options), input.arguments.pattern);
  },
});

const downloadCommand = defineCommand({
  name: "download",
  summary: "get one file, or one database archive, out of a backup",
  description:
    "The path is as `lc2 backup browse` shows it; `database/NAME.dump` is the database's archive, which " +
    "pg_restore reads. Nothing is written under the final name before every byte was checked.",
  examples: [
    { command: "lc2 backup download <backupId> reports/2026.pdf -o 2026.pdf", says: "one file" },
    {
      command: "lc2 backup download <backupId> database/lportal.dump -o - | pg_restore -l",
      says: "look into the archive",
    },
  ],
  arguments: { backupId: backupIdOperand, path: operand("<path>", "file or archive in the backup") },
  options: {
    out: value("-o, --out <file>", "where to write; - is standard output (default the name, here)", text, {
      complete: "file",
    }),
    force: flag("--force", "replace an existing file; write to a terminal"),
    ...referenceOptions,
  },
  run: async (context, { arguments: { backupId, path }, options }) => {
    const { download } = await import("./download-run.ts");
    const wish = { out: options.out, force: options.force };
    return await download(context, referenceOf(backupId, options), path, wish);
  },
});

const verifyCommand = defineCommand({
  name: "verify",
  summary: "read back and check every stored byte of a backup",
  description:
    "With --restore the database is also restored into a scratch database, compared with what was backed up, " +
    "and the scratch database is dropped again. Damage ends with exit code 6.",
  output: ["table", "json", "yaml"],
  arguments: { backupId: backupIdOperand },
  options: {
    restore: flag("--restore", "also restore into a scratch database and compare"),
    database: value(
      "--database <url>",
      "with --restore: the server for the scratch database (default: as libpq's environment says)",
      databaseUrl,
    ),
    ...referenceOptions,
  },
  check: ({ options: { restore, database } }) =>
    database !== undefined && !restore
      ? [{ subject: "--database", code: "usage", message: "only makes sense with --restore" }]
      : [],
  run: async (context, { arguments: { backupId }, options }) => {
    const service = await context.service();
    if (options.restore && options.database === undefined)
      context.note(
        "The scratch database is made on the server that libpq's environment names; --database names another.",
      );
    const scratch = options.restore ? { restoreInto: options.database ?? "postgres:///postgres" } : {};
    const result = await service.verifyBackup(referenceOf(backupId, options), scratch, context.waiting());
    const { showVerification } = await import("../pages/verification.ts");
    context.print(result, () => showVerification(backupId, result, context));
    const differences = result.restored?.differences.length ?? 0;
    return result.damages.length + differences > 0 ? exitCodes.integrity : exitCodes.done;
  },
});

const copyCommand = defineCommand({
  name: "copy",
  summary: "copy a backup into another repository, and verify it there",
  description:
    "Brings along what the backup refers to of earlier ones. Every stored byte is read back and compared at the " +
    "destination before the backup can be seen there. A second run goes on where a stopped one ended.",
  examples: [
    {
      command: "lc2 backup copy <backupId> --to 's3://elsewhere/lc2?region=eu-central-1'",
      says: "into a bucket",
    },
    { command: "lc2 backup copy <backupId> --to /mnt/usb/backups", says: "into a folder" },
  ],
  output: ["table", "json", "yaml"],
  arguments: { backupId: backupIdOperand },
  options: {
    to: value(
      "--to <repository>",
      "where to: a path, file:///… or s3://bucket/prefix?…; made if missing (default: what `lc2 repository set-copy` says)",
      repositoryUrl,
      { complete: "directory" },
    ),
    maxRate: value("--max-rate <rate>", "read at most so much a second: 20MB", byteRate),
    ...encryptionOptions,
    ...referenceOptions,
  },
  check: ({ options: given }) =>
    needs([["--kms-key", given.kmsKey !== undefined]], "--encryption server", given.encryption === "server"),
  run: async (
    context,
    { arguments: { backupId }, options: { to, maxRate, encryption, kmsKey, ...reference } },
  ) => {
    const wish = {
      ...(to === undefined ? {} : { to }),
      ...(maxRate === undefined ? {} : { maxRateBytesPerSecond: maxRate }),
      ...(encryption === undefined ? {} : { encryption }),
      ...(kmsKey === undefined ? {} : { kmsKey }),
    };
    const service = await context.service();
    const view = await service.copyBackup(referenceOf(backupId, reference), wish, context.waiting());
    const { showCopy } = await import("../pages/copy-page.ts");
    context.print(view, () => showCopy(view, context));
  },
});

const cancelCommand = defineCommand({
  name: "cancel",
  summary: "cancel a backup that is being made",
  output: ["table", "json", "yaml", "name"],
  arguments: { backupId: backupIdOperand },
  options: { dryRun: cancelDryRunOption, ...referenceOptions },
  run: async (context, { arguments: { backupId }, options }) => {
    const service = await context.service();
    const reference = referenceOf(backupId, options);
    if (options.dryRun) {
      const { showCancellation } = await import("../pages/cancellation.ts");
      return showCancellation(await service.getBackup(reference), context);
    }
    const view = await service.cancelBackup(reference);
    const { showBackups } = await import("../pages/backup-list.ts");
    context.print(view, () => showBackups([view], context));
  },
});

const deleteCommand = defineCommand({
  name: "delete",
  summary: "delete a backup: its keys first, then every byte no other backup needs",
  description: "Cannot be undone. Earlier and later backups stay whole: bytes they refer to are kept.",
  output: ["table", "json", "yaml"],
  arguments: { backupId: backupIdOperand },
  options: {
    dryRun: flag("--dry-run", "say what would be deleted, delete nothing"),
    yes: flag("-y, --yes", "do not ask"),
    ...referenceOptions,
  },
  run: async (context, { arguments: { backupId }, options }) => {
    const service = await context.service();
    const reference = referenceOf(backupId, options);
    const { showDeletion } = await import("../pages/deletion.ts");
    if (!options.dryRun && !options.yes) {
      const view = await service.getBackup(reference);
      const question = `Delete ${backupId} of project ${view.projectId} for good?`;
      if (!(await context.confirm(question))) {
        throw new Failure(
          "cancelled",
          `Nothing was deleted: the question about ${backupId} was not answered with yes.`,
        );
      }
    }
    const result = await service.deleteBackup(reference, { dryRun: options.dryRun }, context.waiting());
    context.print(result, () => showDeletion(backupId, result, options.dryRun, context));
  },
});

export const backupGroup = defineGroup("backup", "make, look at, check, copy and delete backups", [
  createCommand,
  listCommand,
  getCommand,
  describeCommand,
  explainCommand,
  logsCommand,
  browseCommand,
  downloadCommand,
  verifyCommand,
  copyCommand,
  cancelCommand,
  deleteCommand,
]);
