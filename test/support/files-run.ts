import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { WorkerMessage } from "../../src/contract/worker-task.ts";
import type { BackupSpec, FilesSourceSpec } from "../../src/core/backup/backup.ts";
import type { FileSource } from "../../src/core/ports/file-source.ts";
import type { ManifestEntry } from "../../src/core/repository/manifest.ts";
import type { BackupMetadata, FilesComponent } from "../../src/core/repository/metadata.ts";
import { KeyfileService } from "../../src/keys/keyfile/keyfile-service.ts";
import { openFolderSource } from "../../src/stores/filesystem/folder-source.ts";
import { MemoryStore } from "../../src/stores/memory/memory-store.ts";
import { createBackupKeys, openBackupKeys } from "../../src/worker/backup-keys.ts";
import { backupFilesFrom } from "../../src/worker/backup-files.ts";
import { manifestEntries } from "../../src/worker/read-files.ts";
import { ensureRepository } from "../../src/worker/repository.ts";
import { sealBackup } from "../../src/worker/seal-backup.ts";
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
export const backupIdOf = (number: number): string => `backup-20261124-${String(number).padStart(6, "0")}-000000`;

export interface BackUpOptions {
  readonly number: number;
  readonly attempt?: number;
  readonly spec?: Partial<FilesSourceSpec>;
  readonly application?: NonNullable<BackupSpec["application"]>;
  readonly source?: FileSource;
  readonly run?: TaskRun;
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
export async function storeFiles(place: FilesPlace, path: string, options: BackUpOptions): Promise<FilesComponent> {
  const run = options.run ?? place.run;
  const backupId = backupIdOf(options.number);
  await ensureRepository(run);
  await createBackupKeys(run, backupId);
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
export async function backUpFolder(place: FilesPlace, path: string, options: BackUpOptions): Promise<BackupMetadata> {
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
