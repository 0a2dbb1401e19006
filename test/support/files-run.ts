import { createHash } from "node:crypto";
import {
  lstatSync,
  lutimesSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { WorkerMessage } from "../../src/contract/worker-task.ts";
import type { BackupSpec, FilesSourceSpec } from "../../src/core/backup/backup.ts";
import type { RestoreFilesEvidence } from "../../src/contract/operations.ts";
import type { EncryptionWish } from "../../src/core/repository/encryption.ts";
import type { FileTarget } from "../../src/core/ports/file-target.ts";
import type { FilesPlan, RestorePlan } from "../../src/core/restore/restore.ts";
import type { FileSource } from "../../src/core/ports/file-source.ts";
import type { ManifestEntry } from "../../src/core/repository/manifest.ts";
import type { BackupMetadata, FilesComponent } from "../../src/core/repository/metadata.ts";
import { KeyfileService } from "../../src/keys/keyfile/keyfile-service.ts";
import { openFolderSource } from "../../src/stores/filesystem/folder-source.ts";
import { MemoryStore } from "../../src/stores/memory/memory-store.ts";
import { createBackupKeys, openBackupKeys } from "../../src/worker/keys/backup-keys.ts";
import { backupFilesFrom } from "../../src/worker/backup/backup-files.ts";
import { planFiles, type PlannedFiles } from "../../src/worker/restore/plan-files.ts";
import { manifestEntries } from "../../src/worker/read/read-files.ts";
import { ensureRepository } from "../../src/worker/repository/repository.ts";
import { restoreFilesTo } from "../../src/worker/restore/restore-files.ts";
import { openFileTarget } from "../../src/worker/open-files.ts";
import { isBucketUrl } from "../../src/core/files/bucket-url.ts";
import { temporaryFileName } from "../../src/core/restore/restore-names.ts";
import { openFolderTarget } from "../../src/stores/filesystem/folder-target.ts";
import { undoFilesOf } from "../../src/worker/restore/undo-files.ts";
import { sealBackup } from "../../src/worker/backup/seal-backup.ts";
import type { TaskRun } from "../../src/worker/task.ts";

/** A place to back up files to and restore them from, through the real tasks, in one process. */
export interface FilesPlace {
  readonly run: TaskRun;
  /** A folder for sources and targets, removed by `close`. */
  readonly folder: string;
  readonly logs: string[];
  close(): void;
}

/** Its clock is a minute ahead of the file system's, so that what was just written counts as settled. */
export function openFilesPlace(store: TaskRun["store"] = new MemoryStore()): FilesPlace {
  const folder = mkdtempSync(join(tmpdir(), "lc2-files-"));
  const logs: string[] = [];
  let counter = 0;
  const run: TaskRun = {
    context: { repository: store.url, keys: { kind: "keyfile", directory: "unused" }, projectId: "retail" },
    store,
    openStore: () => Promise.resolve(store),
    keys: new KeyfileService(join(folder, "keys")),
    signal: new AbortController().signal,
    report: (message: WorkerMessage) => {
      if (message.type === "log") logs.push(message.message);
    },
    drained: () => Promise.resolve(),
    clock: { nowMs: () => Date.now() + 60_000 },
    ids: { hex: (length) => (counter += 1).toString(16).padStart(length, "0") },
    env: {},
    scratchDirectory: folder,
  };
  return { run, folder, logs, close: () => rmSync(folder, { recursive: true, force: true }) };
}

/** `backup-20261124-0000NN-000000` */
export const backupIdOf = (number: number): string =>
  `backup-20261124-${String(number).padStart(6, "0")}-000000`;

export interface BackUpOptions {
  readonly number: number;
  readonly attempt?: number;
  readonly spec?: Partial<FilesSourceSpec>;
  readonly application?: NonNullable<BackupSpec["application"]>;
  readonly source?: FileSource;
  readonly run?: TaskRun;
  /** Of a repository that is made for it. */
  readonly encryption?: EncryptionWish;
}

const specOf = (path: string, options: BackUpOptions): BackupSpec => ({
  projectId: "retail",
  provider: "local",
  ...(options.application === undefined ? {} : { application: options.application }),
  storage: {
    url: pathToFileURL(path).href,
    excludeGeneratedFiles: false,
    excludePatterns: [],
    excludePaths: [],
    includePaths: [],
    maxShrink: 0.5,
    ...options.spec,
  },
});

/** The backup-files task, not sealed. */
export async function storeFiles(
  place: FilesPlace,
  path: string,
  options: BackUpOptions,
): Promise<FilesComponent> {
  const run = options.run ?? place.run;
  const backupId = backupIdOf(options.number);
  const { description } = await ensureRepository(run, options.encryption);
  await createBackupKeys(run, backupId, description.encryption);
  const spec = specOf(path, options);
  const task = {
    context: run.context,
    lease: { seconds: 30 },
    kind: "backup-files" as const,
    backupId,
    attempt: options.attempt ?? 1,
    spec,
  };
  const source = options.source ?? openFolderSource(pathToFileURL(path).href);
  return backupFilesFrom(source, spec.storage as FilesSourceSpec, task, run);
}

/** A whole backup of files, sealed. */
export async function backUpFolder(
  place: FilesPlace,
  path: string,
  options: BackUpOptions,
): Promise<BackupMetadata> {
  await storeFiles(place, path, options);
  return sealFiles(place, path, options);
}

export function sealFiles(place: FilesPlace, path: string, options: BackUpOptions): Promise<BackupMetadata> {
  const run = options.run ?? place.run;
  return sealBackup(
    {
      context: run.context,
      lease: { seconds: 30 },
      kind: "seal-backup",
      backupId: backupIdOf(options.number),
      attempt: options.attempt ?? 1,
      spec: specOf(path, options),
      createdAt: new Date(0).toISOString(),
    },
    run,
  );
}

/** All entries of a sealed backup, in order. */
export async function entriesOf(place: FilesPlace, metadata: BackupMetadata): Promise<ManifestEntry[]> {
  const keys = await openBackupKeys(place.run, metadata.backupId);
  const entries: ManifestEntry[] = [];
  for await (const entry of manifestEntries(place.run, metadata, keys)) entries.push(entry);
  return entries;
}

export interface RestoreOptions {
  readonly restore?: number;
  readonly mode?: "merge" | "mirror";
  readonly include?: readonly string[];
  readonly run?: TaskRun;
}

export const restoreIdOf = (number: number): string =>
  `restore-20261124-${String(number).padStart(6, "0")}-000000`;

const urlOf = (path: string): string => (isBucketUrl(path) ? path : pathToFileURL(path).href);

/** A folder as the target of a restore. */
export const folderTarget = (path: string, restore: number): FileTarget =>
  openFolderTarget(pathToFileURL(path).href, temporaryFileName(restoreIdOf(restore)));

/** The plan of the files part; `path` may be a bucket's URL. */
export function planTo(
  place: FilesPlace,
  path: string,
  backupId: string,
  options: RestoreOptions = {},
): Promise<PlannedFiles> {
  const run = options.run ?? place.run;
  const include = options.include ?? [];
  return planFiles(
    {
      context: run.context,
      lease: { seconds: 30 },
      kind: "plan-restore",
      restoreId: restoreIdOf(options.restore ?? 1),
      spec: {
        projectId: "retail",
        backupId,
        restoreType: include.length > 0 ? "selective" : "storage-only",
        storage: { url: urlOf(path), mode: options.mode ?? "merge" },
        include,
        tables: [],
      },
    },
    run,
  );
}

const planOf = (backupId: string, files: FilesPlan, restore = 1): RestorePlan => ({
  restoreId: restoreIdOf(restore),
  projectId: "retail",
  backupId,
  restoreType: "storage-only",
  files,
  blockers: [],
  warnings: [],
  steps: [],
  hash: "",
});

/** Plans and restores; `target` may be a double of the folder's. */
export async function restoreTo(
  place: FilesPlace,
  path: string,
  backupId: string,
  options: RestoreOptions & { readonly target?: FileTarget; readonly plan?: FilesPlan } = {},
): Promise<RestoreFilesEvidence> {
  const run = options.run ?? place.run;
  const number = options.restore ?? 1;
  const files = options.plan ?? (await planTo(place, path, backupId, options)).plan;
  const task = { context: run.context, lease: { seconds: 30 }, kind: "restore-files" as const };
  const target = options.target ?? (await openFileTarget(urlOf(path), restoreIdOf(number), run));
  const full = { ...task, restoreId: restoreIdOf(number), plan: planOf(backupId, files, number) };
  return restoreFilesTo(target, files, full, run);
}

export async function undoTo(
  place: FilesPlace,
  path: string,
  options: { readonly restore?: number; readonly target?: FileTarget; readonly run?: TaskRun } = {},
): Promise<{ readonly restored: number; readonly removed: number }> {
  const restoreId = restoreIdOf(options.restore ?? 1);
  const run = options.run ?? place.run;
  const target = options.target ?? (await openFileTarget(urlOf(path), restoreId, run));
  return undoFilesOf(target, restoreId, run);
}

/** Gives everything in a folder times of whole seconds, which a restore can set exactly. */
export function settleTimes(path: string, startSeconds = 1_700_000_000): void {
  let seconds = startSeconds;
  const visit = (folder: string): void => {
    for (const name of readdirSync(Buffer.from(folder, "latin1"), { encoding: "latin1" })) {
      const full = `${folder}/${name}`;
      if (lstatSync(Buffer.from(full, "latin1")).isDirectory()) visit(full);
      else lutimesSync(Buffer.from(full, "latin1"), 1, (seconds += 1));
    }
    lutimesSync(Buffer.from(folder, "latin1"), 1, (seconds += 1));
  };
  visit(Buffer.from(path).toString("latin1"));
}

/** A folder as one comparable text per object: path, kind, mode, time (µs), and content or target. */
export function snapshot(path: string): string[] {
  const lines: string[] = [];
  const visit = (folder: string, prefix: string): void => {
    for (const name of readdirSync(Buffer.from(folder, "latin1"), { encoding: "latin1" }).sort()) {
      const full = Buffer.from(`${folder}/${name}`, "latin1");
      const facts = lstatSync(full, { bigint: true });
      const mode = (Number(facts.mode) & 0o7777).toString(8);
      const time = (facts.mtimeNs + 500n) / 1000n;
      const key = prefix + name;
      if (facts.isDirectory()) {
        lines.push(`${key}/ ${mode} ${time}`);
        visit(`${folder}/${name}`, `${key}/`);
      } else if (facts.isSymbolicLink())
        lines.push(`${key} -> ${readlinkSync(full, { encoding: "latin1" })}`);
      else
        lines.push(`${key} ${mode} ${time} ${createHash("sha256").update(readFileSync(full)).digest("hex")}`);
    }
  };
  visit(Buffer.from(path).toString("latin1"), "");
  return lines;
}
