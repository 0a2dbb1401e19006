import type { TaskOf } from "../../contract/worker-task.ts";
import { repositoryFile, type RepositoryDescription } from "../../core/repository/layout.ts";
import type { TaskRun } from "../task.ts";
import { openRepository } from "./repository.ts";

/** What the repository says of itself. Rejects as `openRepository` does. */
export function describeRepository(
  _task: TaskOf<"describe-repository">,
  run: TaskRun,
): Promise<RepositoryDescription> {
  return openRepository(run);
}

/**
 * Sets where backups of this repository are copied to, or removes it. Idempotent; of two at once the later counts.
 * What else the description says, known or not, stays. Backups record nothing of it.
 */
export async function setCopyTarget(
  { copyTo }: TaskOf<"set-copy-target">,
  run: TaskRun,
): Promise<RepositoryDescription> {
  const { copyTo: _former, ...rest } = await openRepository(run);
  const description: RepositoryDescription = copyTo === undefined ? rest : { ...rest, copyTo };
  await run.store.replace(repositoryFile, Buffer.from(`${JSON.stringify(description, null, 2)}\n`));
  return description;
}
