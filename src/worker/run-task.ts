import type { TaskKind, TaskOf, TaskResults } from "../contract/worker-task.ts";
import type { TaskRun } from "./task.ts";

type TaskFunction<K extends TaskKind> = (task: TaskOf<K>, run: TaskRun) => Promise<TaskResults[K]>;

/** A new kind of task does not compile until it has its line. Each is loaded when it is run, not before. */
const taskFunctions: { readonly [K in TaskKind]: () => Promise<TaskFunction<K>> } = {
  "prepare-backup": async () => (await import("./backup/prepare-backup.ts")).prepareBackup,
  "backup-database": async () => (await import("./backup/backup-database.ts")).backupDatabase,
  "backup-files": async () => (await import("./backup/backup-files.ts")).backupFiles,
  "seal-backup": async () => (await import("./backup/seal-backup.ts")).sealBackup,
  "run-hook": async () => (await import("./hooks/run-hook.ts")).runHook,
  "hold-hook": async () => (await import("./hooks/run-hook.ts")).holdHook,
  "send-notification": async () => (await import("./notify/send-notification.ts")).sendNotification,
  "read-metadata": async () => (await import("./repository/find-metadata.ts")).findMetadata,
  "verify-backup": async () => (await import("./read/verify-backup.ts")).verifyBackup,
  "browse-backup": async () => (await import("./read/browse-backup.ts")).browseBackup,
  download: async () => (await import("./read/download.ts")).download,
  "copy-backup": async () => (await import("./copy/copy-backup.ts")).copyBackup,
  "delete-backup": async () => (await import("./repository/delete-backup.ts")).deleteBackup,
  "plan-restore": async () => (await import("./restore/plan-restore.ts")).planRestore,
  "restore-database": async () => (await import("./restore/restore-database.ts")).restoreDatabase,
  "restore-files": async () => (await import("./restore/restore-files.ts")).restoreFiles,
  "swap-database": async () => (await import("./restore/swap-database.ts")).swapDatabase,
  "drop-old-database": async () => (await import("./restore/drop-old-database.ts")).dropOldDatabase,
  "discard-restore": async () => (await import("./restore/discard-restore.ts")).discardRestore,
  "undo-restore": async () => (await import("./restore/undo-restore.ts")).undoRestore,
  "check-repository": async () => (await import("./repository/check-repository.ts")).checkRepository,
  "scan-repository": async () => (await import("./repository/scan-repository.ts")).scanRepository,
  "sweep-repository": async () => (await import("./repository/sweep-repository.ts")).sweepRepository,
  "describe-repository": async () => (await import("./repository/describe-repository.ts")).describeRepository,
  "check-environment": async () => (await import("./check-environment.ts")).checkEnvironment,
  "save-definitions": async () => (await import("./repository/saved-definitions.ts")).saveDefinitions,
  "set-copy-target": async () => (await import("./repository/describe-repository.ts")).setCopyTarget,
  "probe-repository": async () => (await import("./repository/probe-repository.ts")).probeRepository,
  "rotate-keys": async () => (await import("./keys/rotate-keys.ts")).rotateKeys,
};

/** Runs the function of the task's kind. */
export async function runTask<K extends TaskKind>(
  kind: K,
  task: TaskOf<K>,
  run: TaskRun,
): Promise<TaskResults[K]> {
  const taskFunction = await taskFunctions[kind]();
  return await taskFunction(task, run);
}

/** Loads the code of a kind of task, where there is such a kind. */
export async function loadTask(kind: string): Promise<void> {
  const load: Readonly<Record<string, () => Promise<unknown>>> = taskFunctions;
  await load[kind]?.();
}
