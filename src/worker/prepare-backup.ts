import type { PrepareBackupResult, TaskOf } from "../contract/worker-task.ts";
import { Failure, type FailureCode } from "../core/failure.ts";
import { createBackupKeys } from "./backup-keys.ts";
import { checkFolderSource } from "../stores/filesystem/check-folder-source.ts";
import { probeDatabase } from "./probe-database.ts";
import { ensureRepository, openRepository } from "./repository.ts";
import type { TaskRun } from "./task.ts";

/**
 * Everything that can be refused is refused here, before a byte moves: sources first (nothing is made for
 * a request that cannot work), then repository and keyring. Idempotent.
 */
export async function prepareBackup(
  task: TaskOf<"prepare-backup">,
  run: TaskRun,
): Promise<PrepareBackupResult> {
  const { spec } = task;
  if (spec.storage !== undefined) await checkFolderSource(spec.storage.url);
  const database = spec.database === undefined ? undefined : await probeDatabase(spec.database, run);
  if (task.dryRun === true) {
    return { ...(await lookWhatIsMissing(run)), ...(database === undefined ? {} : { database }) };
  }
  const { created } = await ensureRepository(run);
  const { projectKeyCreated } = await createBackupKeys(run, task.backupId);
  return {
    repositoryCreated: created,
    keyCreated: projectKeyCreated,
    ...(database === undefined ? {} : { database }),
  };
}

async function lookWhatIsMissing(
  run: TaskRun,
): Promise<Pick<PrepareBackupResult, "repositoryCreated" | "keyCreated">> {
  const { projectId } = run.context;
  return {
    repositoryCreated: await isMissing("repository-not-found", () => openRepository(run)),
    keyCreated: await isMissing("key-missing", () => run.keys.recipients(projectId, { create: false })),
  };
}

async function isMissing(code: FailureCode, look: () => Promise<unknown>): Promise<boolean> {
  try {
    await look();
    return false;
  } catch (error) {
    if (error instanceof Failure && error.code === code) return true;
    throw error;
  }
}
