import type { TaskOf, TaskResults } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import { openBackup, readMetadataUnchecked } from "./read-metadata.ts";
import type { TaskRun } from "../task.ts";

/**
 * Whether a backup is sealed, and its metadata. Needs no key: the signature is checked by whoever uses
 * the backup; where it is to be tried here, the answer says whether it fits. Absence is an answer, not a failure; a repository that cannot be read is a failure.
 */
export async function findMetadata(
  task: TaskOf<"read-metadata">,
  run: TaskRun,
): Promise<TaskResults["read-metadata"]> {
  try {
    const metadata = await readMetadataUnchecked(run, task.backupId);
    return task.check === true ? { metadata, isChecked: await isGenuine(run, task.backupId) } : { metadata };
  } catch (error) {
    if (error instanceof Failure && error.code === "backup-not-found") return {};
    throw error;
  }
}

/** Without the key nothing can be told; what else is wrong is said by whoever uses the backup. */
async function isGenuine(run: TaskRun, backupId: string): Promise<boolean> {
  try {
    await openBackup(run, backupId);
    return true;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}
