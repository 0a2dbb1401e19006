import type { TaskOf, TaskResults } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import { readMetadataUnchecked } from "./read-metadata.ts";
import type { TaskRun } from "../task.ts";

/**
 * Whether a backup is sealed, and its metadata. Needs no key: the signature is checked by whoever uses
 * the backup. Absence is an answer, not a failure; a repository that cannot be read is a failure.
 */
export async function findMetadata(
  task: TaskOf<"read-metadata">,
  run: TaskRun,
): Promise<TaskResults["read-metadata"]> {
  try {
    return { metadata: await readMetadataUnchecked(run, task.backupId) };
  } catch (error) {
    if (error instanceof Failure && error.code === "backup-not-found") return {};
    throw error;
  }
}
