import { Failure } from "../../core/failure.ts";
import { backupPrefix, keyringName } from "../../core/repository/layout.ts";
import type { BackupMetadata } from "../../core/repository/metadata.ts";
import {
  accompanyingNames,
  namedStoredFiles,
  referencedBackups,
} from "../../core/repository/stored-files.ts";
import { openBackupKeys } from "../keys/backup-keys.ts";
import { manifestEntries } from "../read/read-files.ts";
import { readMetadata, readMetadataUnchecked } from "./read-metadata.ts";
import { listBackupFolders } from "./repository.ts";
import type { TaskRun } from "../task.ts";

/** Which stored files of a project's backups are needed, by whom; read from the repository alone. */
export interface SealedBackups {
  readonly sealed: readonly BackupMetadata[];
  readonly unsealed: readonly string[];
}

/** The project's sealed backups and unsealed folders. A damaged metadata.json stops whoever wants to delete. */
export async function readSealedBackups(run: TaskRun): Promise<SealedBackups> {
  const sealed: BackupMetadata[] = [];
  const unsealed: string[] = [];
  for await (const { backupId, sealed: isSealed } of listBackupFolders(run, run.context.projectId)) {
    if (isSealed) sealed.push(await readMetadataUnchecked(run, backupId));
    else unsealed.push(backupId);
  }
  return { sealed, unsealed };
}

/**
 * Full names of all files below `owner`'s folder that the manifests of `users` refer to. Their signatures
 * are checked: who deletes must not believe an edited list of references. Rejects with `key-missing` where
 * a manifest cannot be read; then nothing may be deleted.
 */
export async function collectReferencedFiles(
  run: TaskRun,
  users: readonly BackupMetadata[],
  isWanted: (owner: string) => boolean,
): Promise<Set<string>> {
  const names = new Set<string>();
  for (const user of users) {
    if (user.components.files === undefined) continue;
    const keys = await openBackupKeys(run, user.backupId);
    const metadata = await readMetadata(run, user.backupId, keys);
    for await (const entry of manifestEntries(run, metadata, keys)) {
      if (entry.stored === undefined) continue;
      const owner = entry.stored.backup ?? user.backupId;
      if (isWanted(owner)) names.add(backupPrefix(run.context.projectId, owner) + entry.stored.file);
    }
  }
  return names;
}

/** Full names of what a sealed backup itself names, its manifest's packs aside. */
export function namedFiles(run: TaskRun, metadata: BackupMetadata): string[] {
  const prefix = backupPrefix(run.context.projectId, metadata.backupId);
  const names = [...accompanyingNames(metadata), ...namedStoredFiles(metadata).map((file) => file.name)];
  return names.map((name) => prefix + name);
}

/**
 * Sealed backups, other than `backupId` itself, that refer to it. One that says it does not is believed only
 * when its signature is right: an edited list would cost its bytes. One without a keyring can be read by nobody
 * and is taken at its word. Rejects as `readMetadata` does; then nothing may be deleted.
 */
export async function referringTo(
  run: TaskRun,
  backupId: string,
  sealed: readonly BackupMetadata[],
): Promise<BackupMetadata[]> {
  const users: BackupMetadata[] = [];
  for (const other of sealed) {
    if (other.backupId === backupId) continue;
    if (referencedBackups(other).includes(backupId)) users.push(other);
    else if ((await run.store.head(keyringName(run.context.projectId, other.backupId))) !== undefined)
      await readMetadata(run, other.backupId);
  }
  return users;
}

/**
 * The same metadata, each with its signature checked where there is a keyring to do it with: an edited one that names
 * less than its backup needs would cost that. Rejects as `readMetadata` does; then nothing may be deleted.
 */
export async function checkSealed(
  run: TaskRun,
  sealed: readonly BackupMetadata[],
): Promise<readonly BackupMetadata[]> {
  const checked: BackupMetadata[] = [];
  for (const metadata of sealed) {
    const { backupId } = metadata;
    const hasKeyring = (await run.store.head(keyringName(run.context.projectId, backupId))) !== undefined;
    checked.push(hasKeyring ? await readMetadata(run, backupId) : metadata);
  }
  return checked;
}

/** Deletes and asks the store whether it did. */
export async function deleteForCertain(run: TaskRun, name: string): Promise<boolean> {
  const existed = await run.store.delete(name);
  if ((await run.store.head(name)) !== undefined) {
    throw new Failure("store-failed", `${run.store.url} was asked to delete ${name} and still has it.`);
  }
  return existed;
}
