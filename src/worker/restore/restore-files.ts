import type { RestoreFilesEvidence } from "../../contract/operations.ts";
import type { TaskOf } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import type { FilesPlan } from "../../core/restore/restore.ts";
import { FilesRestore } from "./files-restore.ts";
import { withSharedLease } from "../repository/repository-lease.ts";
import { openFileTarget } from "../open-files.ts";
import { changeOptions, openRestoreSource } from "./restore-target.ts";
import { findChanges } from "./target-changes.ts";
import type { TaskRun } from "../task.ts";
import {
  createUndoPlace,
  listUndoParts,
  nextUndoRun,
  readUndoPart,
  writtenFiles,
  type UndoPlace,
} from "./undo-journal.ts";
import { verifyTarget } from "./verify-target.ts";

/**
 * Brings a folder or a bucket to the state of a backup, touching only what differs. What is overwritten or removed
 * is kept in the repository first, under the restore's own key; each object changes in one step.
 *
 * Killed at any point, it can be run again with the same restore's id, or undone: the journal says of every
 * object that may have been touched how it was. Rejects with `restore-target-failed`, `disk-full`,
 * `restored-files-differ`, and with the integrity failures of what it reads.
 */
export async function restoreFiles(
  task: TaskOf<"restore-files">,
  run: TaskRun,
): Promise<RestoreFilesEvidence> {
  const plan = task.plan.files;
  if (plan === undefined) throw new Failure("nothing-to-restore", "The plan of this restore has no files.");
  const target = await openFileTarget(plan.url, task.restoreId, run, plan);
  return restoreFilesTo(target, plan, task, run);
}

/** The same to any target. Closes it. */
export async function restoreFilesTo(
  target: FileTarget,
  plan: FilesPlan,
  task: TaskOf<"restore-files">,
  run: TaskRun,
): Promise<RestoreFilesEvidence> {
  try {
    return await withSharedLease(run, `restoring files for ${task.restoreId}`, (signal) =>
      restore(target, plan, task, { ...run, signal }),
    );
  } finally {
    await target.close();
  }
}

async function restore(
  target: FileTarget,
  plan: FilesPlan,
  task: TaskOf<"restore-files">,
  run: TaskRun,
): Promise<RestoreFilesEvidence> {
  const source = await openRestoreSource(run, task.plan.backupId, plan.include);
  const undo = await createUndoPlace(run, task.restoreId, source.keys.encryption);
  await cleanUpAfterKill(target, undo);
  const work = new FilesRestore({
    target,
    plan,
    backupId: task.plan.backupId,
    keys: source.keys,
    undo,
    undoRun: await nextUndoRun(undo),
    run,
  });
  const options = await changeOptions(target, run, task.restoreId, source.metadata, plan);
  let evidence: RestoreFilesEvidence;
  try {
    for await (const changes of findChanges(target, source.entries(), options)) {
      for (const change of changes) await work.take(change);
    }
    evidence = await work.finish();
  } catch (error) {
    await work.abort();
    throw error;
  }
  if (!work.isDurable) await target.sync();
  await verifyTarget(target, source.entries(), options);
  return evidence;
}

/** Half-written files of an earlier run of this restore can only be those of its last part. */
async function cleanUpAfterKill(target: FileTarget, undo: UndoPlace): Promise<void> {
  const last = (await listUndoParts(undo)).at(-1);
  if (last === undefined) return;
  await target.removeTemporary(writtenFiles(await readUndoPart(undo, last)));
}
