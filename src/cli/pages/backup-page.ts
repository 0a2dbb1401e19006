import type { BackupWish } from "../../contract/operations.ts";
import type { BackupView } from "../../contract/service.ts";
import { isBucketUrl } from "../../core/files/bucket-url.ts";
import type { BackupMetadata, DatabaseComponent, FilesComponent } from "../../core/repository/metadata.ts";
import type { CommandContext } from "../context.ts";
import { count, counted, duration, instant, ratio, shellWord, size } from "../humanise.ts";
import { renderFields } from "../table.ts";
import type { Page } from "../table.ts";
import { printable } from "../terminal.ts";
import type { Paint } from "../terminal.ts";
import { queueSentence } from "./explain-page.ts";
import { hooksSection } from "./hooks-page.ts";
import { paintStatus, secondsBetween } from "./status.ts";

type Field = readonly [name: string, value: string | undefined];

/** What `backup create` says at the end: what was read and stored, and what to do with it. */
export function showBackupSummary(view: BackupView, spec: BackupWish, context: CommandContext): string {
  const { paint, dataDirectoryFlag: flag } = context;
  const seconds = secondsBetween(view.createdAt, view.completedAt);
  const took = seconds === undefined ? "" : ` in ${duration(seconds)}`;
  const { metadata } = view;
  const targets = [
    ...(spec.environment === undefined ? [] : [`--to ${spec.environment}`]),
    ...(spec.database?.url === undefined ? [] : [`--database ${shellWord(spec.database.url)}`]),
    ...(spec.storage?.url === undefined ? [] : [placeOption(spec.storage.url)]),
  ].join(" ");
  return [
    `${paint.bold(view.backupId)} of project ${view.projectId}: ${paintStatus(view.status, view.status, paint)}${took}\n`,
    renderFields(
      [...(metadata === undefined ? [] : summaryFields(metadata)), ["Repository", view.repository]],
      context,
    ),
    "\nNext:\n",
    `  lc2 backup verify ${flag}${view.backupId}\n`,
    `  lc2 restore plan ${flag}--from ${view.backupId} ${targets}\n`,
  ].join("");
}

const placeOption = (url: string): string => `${isBucketUrl(url) ? "--bucket" : "--files"} ${shellWord(url)}`;

function summaryFields(metadata: BackupMetadata): Field[] {
  const { database, files } = metadata.components;
  const whole = ratio(metadata.sourceBytes, metadata.storedBytes);
  return [
    ["Database", database === undefined ? undefined : databaseSentence(database)],
    ["Files", files === undefined ? undefined : filesSentence(files)],
    ["Skew", metadata.skewSeconds === undefined ? undefined : skewSentence(metadata.skewSeconds)],
    [
      "Stored",
      `${size(metadata.storedBytes)} for ${size(metadata.sourceBytes)} of data` +
        (whole === undefined ? "" : ` (${whole})`),
    ],
  ];
}

function databaseSentence(database: DatabaseComponent): string {
  const { plainBytes, storedBytes } = dumpBytes(database);
  const compression = ratio(plainBytes, storedBytes);
  const objects = database.largeObjects === 0 ? "" : `, ${counted(database.largeObjects, "large object")}`;
  return [
    `${printable(database.name)}, PostgreSQL ${database.serverVersion}: ` +
      `${counted(database.rows, "row")} in ${counted(database.tables, "table")}${objects}`,
    `read ${size(plainBytes)}, stored ${size(storedBytes)}` +
      (compression === undefined ? "" : `: ${compression}`),
  ].join("\n");
}

function dumpBytes(database: DatabaseComponent): { plainBytes: number; storedBytes: number } {
  const sum = (of: (archive: DatabaseComponent["archives"][number]) => number): number =>
    database.archives.reduce((total, archive) => total + of(archive), 0);
  return { plainBytes: sum((each) => each.plainBytes), storedBytes: sum((each) => each.sizeBytes) };
}

function filesSentence(files: FilesComponent): string {
  const left = [
    ...(files.excludedObjects > 0 ? [`${count(files.excludedObjects)} left out by filters`] : []),
    ...(files.vanishedObjects > 0
      ? [`${count(files.vanishedObjects)} gone since last time, kept by reference`]
      : []),
    ...(files.skipped === undefined ? [] : [`${count(files.skipped.objects)} could not be read`]),
  ];
  return [
    `${counted(files.objects, nounOf(files))}, ${size(files.sourceBytes)}: ` +
      `${count(files.newObjects)} new or changed, ${count(files.unchangedObjects)} unchanged`,
    `stored ${size(files.stored.sizeBytes)} in ${counted(files.stored.files, "pack or file", "packs and files")}`,
    ...(left.length > 0 ? [left.join(", ")] : []),
  ].join("\n");
}

/** What a bucket holds are objects. */
const nounOf = ({ source }: FilesComponent): string => (isBucketUrl(source) ? "object" : "file");

const skewSentence = (seconds: number): string =>
  `${duration(seconds)} from the database's instant to the end of the file listing`;

/** Everything known of one backup, as a page. */
export function describeBackup(view: BackupView, context: CommandContext): string {
  const { paint } = context;
  const { metadata } = view;
  const seconds = secondsBetween(view.createdAt, view.completedAt);
  const general: Field[] = [
    ["Project", view.projectId],
    ["Application", view.application],
    ["Environment", view.environment],
    [
      "State",
      paintStatus(view.status, view.status, paint) +
        (view.progress === undefined || view.status === "Completed"
          ? ""
          : `, ${Math.floor(view.progress)} %`),
    ],
    ["Queue", view.queue === undefined ? undefined : queueSentence(view.queue)],
    ["Created", instant(view.createdAt)],
    [
      view.status === "Completed" ? "Completed" : "Ended",
      view.completedAt === undefined
        ? undefined
        : instant(view.completedAt) + (seconds === undefined ? "" : `, took ${duration(seconds)}`),
    ],
    ["Verified", view.verifiedAt === undefined ? "not yet" : instant(view.verifiedAt)],
    ["Repository", view.repository],
    ["Also in", view.alsoIn?.join("\n")],
    [
      "Schedule",
      view.schedule === undefined ? undefined : `${view.schedule.name}, for ${view.schedule.slot}`,
    ],
    ["Request", view.requestId],
    ["Error", view.error === undefined ? undefined : `${printable(view.error.message)} (${view.error.code})`],
  ];
  const parts = [`${paint.bold(view.backupId)}\n`, renderFields(general, context)];
  if (metadata === undefined) parts.push(...unsealed(view, context));
  else parts.push(...sealed(metadata, context));
  parts.push(...hooksSection(view.hooks, context));
  return parts.join("");
}

function unsealed(view: BackupView, page: Page): string[] {
  const { database, storage } = view.components;
  const fields: Field[] = [
    ["Database", database === undefined ? undefined : database.status],
    ["Files", storage === undefined ? undefined : storage.status],
  ];
  if (fields.every(([, value]) => value === undefined)) return [];
  return [section("Components", page.paint), renderFields(fields, page)];
}

const section = (title: string, paint: Paint): string => `\n${paint.bold(title)}\n`;

function sealed(metadata: BackupMetadata, page: Page): string[] {
  const { paint } = page;
  const { database, files } = metadata.components;
  const whole = ratio(metadata.sourceBytes, metadata.storedBytes);
  const format: Field[] = [
    [
      "Stored",
      size(metadata.storedBytes) +
        (whole === undefined ? "" : ` for ${size(metadata.sourceBytes)} of data (${whole})`),
    ],
    ["Skew", metadata.skewSeconds === undefined ? undefined : skewSentence(metadata.skewSeconds)],
    ["Sealed", `${instant(metadata.sealedAt)}, attempt ${metadata.attempt}`],
    [
      "Format",
      `version ${metadata.formatVersion}, encryption ${metadata.encryption}, written by ${metadata.writtenBy}`,
    ],
    [
      "Encrypted",
      metadata.serverEncryption && `by the store with ${encryptionKey(metadata.serverEncryption)}`,
    ],
    ["By hand", metadata.restoreByHand],
  ];
  return [
    ...(database === undefined
      ? []
      : [section("Database", paint), renderFields(databaseFields(database), page)]),
    ...(files === undefined ? [] : [section("Files", paint), renderFields(filesFields(files), page)]),
    section("Stored", paint),
    renderFields(format, page),
  ];
}

const encryptionKey = ({ algorithm, keyId }: NonNullable<BackupMetadata["serverEncryption"]>): string =>
  keyId === undefined ? `a key of the store's own (${algorithm})` : `the key ${keyId} (${algorithm})`;

function databaseFields(database: DatabaseComponent): Field[] {
  const { plainBytes, storedBytes } = dumpBytes(database);
  const compression = ratio(plainBytes, storedBytes);
  const seconds = secondsBetween(database.startedAt, database.finishedAt);
  return [
    ["Name", `${printable(database.name)} at ${printable(database.source.address)}`],
    ["Server", `PostgreSQL ${database.serverVersion}, read with pg_dump ${database.toolVersion}`],
    ["Instant", `${instant(database.recoveryPoint.at)}, LSN ${database.recoveryPoint.lsn}`],
    ["Took", seconds === undefined ? undefined : duration(seconds)],
    ["Holds", `${counted(database.rows, "row")} in ${counted(database.tables, "table")}`],
    ["Large objects", database.largeObjects === 0 ? undefined : count(database.largeObjects)],
    ["On the server", size(database.databaseBytes)],
    ["Archives", database.archives.map(({ name, sizeBytes }) => `${name}, ${size(sizeBytes)}`).join("\n")],
    [
      "Compression",
      compression === undefined ? undefined : `${compression} (${size(plainBytes)} to ${size(storedBytes)})`,
    ],
    ["Rows left out", orNothing(database.excludedTables)],
    ["Warnings", orNothing(database.warnings)],
  ];
}

/** What the store copied by itself, and how its content is known. */
function copiedSentence({ copied }: FilesComponent): string | undefined {
  if (copied === undefined) return undefined;
  const { files, sizeBytes, hashedByStore } = copied;
  return (
    `copied ${counted(files, "object")}, ${size(sizeBytes)}, by itself; SHA-256 of ${count(hashedByStore)} from the store, ` +
    `of ${count(files - hashedByStore)} from reading the copy`
  );
}

function filesFields(files: FilesComponent): Field[] {
  const seconds = secondsBetween(files.listingStartedAt, files.listingFinishedAt);
  return [
    ["Source", files.source],
    [
      "Listed",
      instant(files.listingStartedAt) + (seconds === undefined ? "" : `, took ${duration(seconds)}`),
    ],
    [
      "Holds",
      `${counted(files.objects, nounOf(files))}, ${size(files.sourceBytes)}; ` +
        (isBucketUrl(files.source)
          ? counted(files.directories, "folder marker")
          : `${counted(files.directories, "folder")}, ${counted(files.symlinks, "symbolic link")}`),
    ],
    [
      "Stored now",
      `${counted(files.newObjects, nounOf(files))} in ${counted(files.stored.files, "pack or file", "packs and files")}, ${size(files.stored.sizeBytes)}`,
    ],
    ["By the store", copiedSentence(files)],
    ["Unchanged", count(files.unchangedObjects)],
    ["Gone, kept", files.vanishedObjects === 0 ? undefined : count(files.vanishedObjects)],
    ["Left out", files.excludedObjects === 0 ? undefined : `${count(files.excludedObjects)} by filters`],
    ["Not readable", files.skipped === undefined ? undefined : count(files.skipped.objects)],
    ["Needs", orNothing(files.references)],
    [
      "Filters",
      orNothing([
        ...(files.filters.excludeGenerated ? ["what the application makes again"] : []),
        ...files.filters.excludePatterns.map((each) => `not ${each}`),
        ...files.filters.excludePaths.map((each) => `not ${each}`),
        ...files.filters.includePaths.map((each) => `only ${each}`),
      ]),
    ],
  ];
}

const orNothing = (lines: readonly string[]): string | undefined =>
  lines.length === 0 ? undefined : lines.map((line) => printable(line)).join("\n");
