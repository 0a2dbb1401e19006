import { createHash } from "node:crypto";
import { Failure } from "../../core/failure.ts";
import type { CheckRepositoryResult, Damage, TaskOf } from "../../contract/worker-task.ts";
import { openBackupKeys } from "../keys/backup-keys.ts";
import { checkReferences } from "./check-references.ts";
import { listLeftovers } from "./sweep-repository.ts";
import { ProgressReporter } from "../report-progress.ts";
import { readMetadata } from "./read-metadata.ts";
import { listBackupFolders, forProject, openRepository } from "./repository.ts";
import { listProjects, listMissing } from "./scan-repository.ts";
import type { TaskRun } from "../task.ts";
import { verifyStored } from "../read/verify-stored.ts";

/**
 * Looks at every sealed backup of a repository, without any catalog: signature, keyring, presence and size of
 * everything it needs; with `readData` every stored byte too (or the given part of them, chosen by name, so
 * that m runs of n/m read everything once). Changes nothing. Damage is a result, not a rejection.
 */
export async function checkRepository(
  task: TaskOf<"check-repository">,
  run: TaskRun,
): Promise<CheckRepositoryResult> {
  const { copyTo } = await openRepository(run);
  const damages: Damage[] = [];
  const progress = new ProgressReporter(run, { component: "check", phase: "checking", bytes: 0, objects: 0 });
  let backups = 0;
  let files = 0;
  let bytesRead = 0;
  for (const projectId of await listProjects(run, task.onlyProject)) {
    const project = forProject(run, projectId);
    for await (const { backupId, sealed } of listBackupFolders(project, projectId)) {
      if (!sealed) continue;
      run.signal.throwIfAborted();
      backups += 1;
      const found = await checkPresence(project, backupId);
      if (task.readData && found.length === 0) {
        const isWanted = subsetOf(task.subset);
        const read = await verifyStored(project, backupId, {
          onBytes: (bytes) => progress.add(bytes),
          isWanted,
        });
        files += read.files;
        bytesRead += read.storedBytes;
        found.push(...read.damages);
      }
      damages.push(...found);
      progress.add(0, 1);
    }
  }
  const leftovers: CheckRepositoryResult["leftovers"][number][] = [];
  for await (const object of listLeftovers(run)) {
    const ageSeconds = Math.max(0, Math.round((run.clock.nowMs() - object.modifiedAtMs) / 1000));
    leftovers.push({ name: object.name, sizeBytes: object.sizeBytes, ageSeconds });
  }
  progress.end();
  return { ...(copyTo === undefined ? {} : { copyTo }), backups, files, bytesRead, damages, leftovers };
}

async function checkPresence(run: TaskRun, backupId: string): Promise<Damage[]> {
  try {
    const keys = await openBackupKeys(run, backupId);
    const metadata = await readMetadata(run, backupId, keys);
    const missing = await listMissing(run, metadata);
    const damages: Damage[] = missing.map((name) => ({
      code: "backup-incomplete",
      backupId,
      name,
      message: `${backupId} lacks ${name}.`,
    }));
    if (damages.length === 0 && metadata.components.files !== undefined) {
      const advice = "Restore from another backup, or put the file back from a copy of the repository.";
      await checkReferences(run, backupId, metadata.components.files, keys, {
        isNeeded: () => true,
        advice,
        isRead: true,
      });
    }
    return damages;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [{ code: error.code, backupId, name: "metadata.json", message: error.message }];
  }
}

/** A name's part is decided by its hash, so the parts stay the same from run to run. */
function subsetOf(subset: { part: number; of: number } | undefined): (name: string) => boolean {
  if (subset === undefined) return () => true;
  return (name) => createHash("sha256").update(name).digest().readUInt32BE(0) % subset.of === subset.part - 1;
}
