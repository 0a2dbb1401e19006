import { Failure } from "../../core/failure.ts";
import { backupPrefix, keyringName, metadataName } from "../../core/repository/layout.ts";
import type { DeleteBackupResult, TaskOf } from "../../contract/worker-task.ts";
import { collectReferencedFiles, deleteForCertain, readSealedBackups, referringTo } from "./live-files.ts";
import { withExclusiveLease } from "./repository-lease.ts";
import { openRepository } from "./repository.ts";
import type { TaskRun } from "../task.ts";

/**
 * Deletes a backup for good: first its keyring, so that from then on nobody can read it, then its metadata,
 * then every stored file that no other sealed backup's manifest refers to. Each deletion is confirmed by
 * the store.
 *
 * What refers to what is read from the repository, never from a catalog, under the repository's exclusive
 * lease. Idempotent: a second call goes on where a dead one stopped.
 */
export async function deleteBackup(task: TaskOf<"delete-backup">, run: TaskRun): Promise<DeleteBackupResult> {
  await openRepository(run);
  return withExclusiveLease(run, `deleting ${task.backupId}`, async (signal) => {
    const { projectId } = run.context;
    const { sealed } = await readSealedBackups(run);
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

    const keyring = keyringName(projectId, task.backupId);
    const first = [keyring, metadataName(projectId, task.backupId)];
    const kept = own.filter((object) => needed.has(object.name) && !first.includes(object.name));
    const doomed = own.filter((object) => !kept.includes(object));
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

/** The keyring goes first, the metadata second, the rest after them. */
function rank(name: string, first: readonly string[]): number {
  const index = first.indexOf(name);
  return index < 0 ? first.length : index;
}
