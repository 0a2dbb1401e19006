import { Failure } from "../../core/failure.ts";
import { backupPrefix, keyringName, metadataName } from "../../core/repository/layout.ts";
import type { DeleteBackupResult, TaskOf } from "../../contract/worker-task.ts";
import type { StoredObject } from "../../core/ports/object-store.ts";
import type { BackupMetadata } from "../../core/repository/metadata.ts";
import { referencedBackups } from "../../core/repository/stored-files.ts";
import { collectReferencedFiles, deleteForCertain, readSealedBackups, referringTo } from "./live-files.ts";
import { withExclusiveLease } from "./repository-lease.ts";
import { openRepository } from "./repository.ts";
import type { TaskRun } from "../task.ts";

/**
 * Deletes a backup for good: first its keyring, so that from then on nobody can read it, then its metadata,
 * then every stored file that no other sealed backup's manifest refers to, those in the folders of earlier backups
 * that are no backups any more (or never were, in a copy) among them. Each deletion is confirmed by the store.
 *
 * What refers to what is read from the repository, never from a catalog, under the repository's exclusive
 * lease. Idempotent: a second call goes on where a dead one stopped.
 */
export async function deleteBackup(task: TaskOf<"delete-backup">, run: TaskRun): Promise<DeleteBackupResult> {
  await openRepository(run);
  return withExclusiveLease(run, `deleting ${task.backupId}`, async (signal) => {
    const { projectId } = run.context;
    const { sealed, unsealed } = await readSealedBackups(run);
    const users = await referringTo(run, task.backupId, sealed);
    const needed = await collectReferencedFiles(run, users, (owner) => owner === task.backupId);

    const own: { name: string; sizeBytes: number }[] = [];
    for await (const object of run.store.list(backupPrefix(projectId, task.backupId))) own.push(object);
    if (own.length === 0) {
      throw new Failure(
        "backup-not-found",
        `There is no ${task.backupId} of project ${projectId} in ${run.store.url}.`,
      );
    }

    const carried = await listCarriedFiles(run, task.backupId, sealed, unsealed);
    const keyring = keyringName(projectId, task.backupId);
    const first = [keyring, metadataName(projectId, task.backupId)];
    const kept = own.filter((object) => needed.has(object.name) && !first.includes(object.name));
    const doomed = own.filter((object) => !kept.includes(object));
    doomed.push(...carried);
    const order = [...doomed].sort((a, b) => rank(a.name, first) - rank(b.name, first));
    if (!task.dryRun) {
      for (const object of order) {
        signal.throwIfAborted();
        await deleteForCertain(run, object.name);
      }
    }
    const sum = (objects: readonly { sizeBytes: number }[]) =>
      objects.reduce((total, o) => total + o.sizeBytes, 0);
    return {
      keyringDestroyed: !task.dryRun && (await run.store.head(keyring)) === undefined,
      deletedFiles: doomed.length,
      deletedBytes: sum(doomed),
      keptFiles: kept.length,
      keptBytes: sum(kept),
      filesKeyHeldBy: users.map((user) => user.backupId),
    };
  });
}

/**
 * Files in folders that are no backups which this backup alone refers to. None where its manifest cannot be read:
 * then they are left to a sweep, as after a deletion that was stopped.
 */
async function listCarriedFiles(
  run: TaskRun,
  backupId: string,
  sealed: readonly BackupMetadata[],
  unsealed: readonly string[],
): Promise<StoredObject[]> {
  const own = sealed.find((metadata) => metadata.backupId === backupId);
  const owners = new Set(
    own === undefined ? [] : referencedBackups(own).filter((id) => unsealed.includes(id)),
  );
  if (own === undefined || owners.size === 0) return [];
  const isCarried = (owner: string): boolean => owners.has(owner);
  const referred = await collectReferencedFiles(run, [own], isCarried).catch((error: unknown) => {
    if (error instanceof Failure && (error.kind === "integrity" || error.kind === "refused")) return [];
    throw error;
  });
  const others = sealed.filter(
    (other) => other.backupId !== backupId && referencedBackups(other).some(isCarried),
  );
  const needed = await collectReferencedFiles(run, others, isCarried);
  const carried: StoredObject[] = [];
  for (const name of referred) {
    const object = needed.has(name) ? undefined : await run.store.head(name);
    if (object !== undefined) carried.push(object);
  }
  return carried;
}

/** The keyring goes first, the metadata second, the rest after them. */
function rank(name: string, first: readonly string[]): number {
  const index = first.indexOf(name);
  return index < 0 ? first.length : index;
}
