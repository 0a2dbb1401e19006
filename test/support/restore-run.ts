/** Restore tasks called in memory, on a backup of a real database. */
import type { RestoreDatabaseEvidence, RestoreSpec, UndoEvidence } from "../../src/contract/operations.ts";
import type { TaskResults } from "../../src/contract/worker-task.ts";
import { metadataName } from "../../src/core/repository/layout.ts";
import type { BackupMetadata, DatabaseComponent } from "../../src/core/repository/metadata.ts";
import type { RestorePlan } from "../../src/core/restore/restore.ts";
import { openBackupKeys } from "../../src/worker/keys/backup-keys.ts";
import { discardRestore } from "../../src/worker/restore/discard-restore.ts";
import { dropOldDatabase } from "../../src/worker/restore/drop-old-database.ts";
import { planRestore } from "../../src/worker/restore/plan-restore.ts";
import { signMetadata } from "../../src/worker/repository/read-metadata.ts";
import { restoreDatabase } from "../../src/worker/restore/restore-database.ts";
import { swapDatabase } from "../../src/worker/restore/swap-database.ts";
import type { TaskRun } from "../../src/worker/task.ts";
import { undoRestore } from "../../src/worker/restore/undo-restore.ts";
import { backupId, startBackupRun, type BackupRun } from "./backup-run.ts";
import { installations, type TestDatabase, type TestRole } from "./servers.ts";

/** Where every major's client tools are. */
async function toolFolders(): Promise<Record<string, string>> {
  const found = await installations();
  return { LC2_PG_BIN: found.flatMap((one) => one.clientDirectory ?? []).join(":") };
}

type DatabaseSpec = NonNullable<RestoreSpec["database"]>;

export interface RestoreRun extends AsyncDisposable {
  readonly backup: BackupRun;
  readonly component: DatabaseComponent;
  /** Credentials of the role that restores. */
  as(role: TestRole): RestoreAs;
}

export interface RestoreOptions {
  readonly restoreId?: string;
  readonly tables?: readonly string[];
  readonly changes?: Partial<TaskRun>;
}

/** The tasks of one restore, run as one role. */
export interface RestoreAs {
  plan(database: DatabaseSpec, options?: RestoreOptions): Promise<RestorePlan>;
  load(plan: RestorePlan, changes?: Partial<TaskRun>): Promise<RestoreDatabaseEvidence>;
  swap(plan: RestorePlan, lookOnly?: boolean): Promise<TaskResults["swap-database"]>;
  undo(plan: RestorePlan): Promise<UndoEvidence>;
  discard(plan: RestorePlan): Promise<readonly string[]>;
  dropOld(plan: RestorePlan): Promise<boolean>;
  /** Plan, load, swap; fails on blockers. */
  restore(database: DatabaseSpec, options?: RestoreOptions): Promise<RestorePlan>;
}

let restores = 0;

/** An id that no other restore of this process has. */
export function nextRestoreId(): string {
  restores += 1;
  return `restore-20251110-030000-${(restores + process.pid * 256).toString(16).padStart(6, "0").slice(-6)}`;
}

/** Backs the database up, as its owner where nobody else is named, and seals the backup. */
export async function backUp(
  database: TestDatabase,
  reader = database.owner,
  options: { readonly streams?: number } = {},
): Promise<RestoreRun> {
  const folders = await toolFolders();
  const backup = await startBackupRun({ env: { ...folders, ...reader.environment } });
  const component = await backup.backup({ url: reader.url, ...options });
  await seal(backup, component);
  return {
    backup,
    component,
    as: (role) => tasksOf({ ...backup.run, env: { ...backup.run.env, ...role.environment } }),
    [Symbol.asyncDispose]: () => backup[Symbol.asyncDispose](),
  };
}

/** Writes metadata.json; the files that go with a sealed backup are not needed here. */
async function seal(backup: BackupRun, database: DatabaseComponent): Promise<void> {
  const { run } = backup;
  const at = new Date(run.clock.nowMs()).toISOString();
  const metadata: Omit<BackupMetadata, "signature"> = {
    format: "lc2-backup",
    formatVersion: 1,
    projectId: run.context.projectId,
    backupId,
    attempt: 1,
    createdAt: at,
    sealedAt: at,
    writtenBy: "test",
    encryption: "client",
    components: { database },
    storedBytes: 0,
    sourceBytes: 0,
    restoreByHand: "",
  };
  const keys = await openBackupKeys(run, backupId);
  const signed = { ...metadata, signature: signMetadata(metadata, keys.signing) };
  const name = metadataName(run.context.projectId, backupId);
  await run.store.delete(name);
  await run.store.createIfAbsent(name, Buffer.from(JSON.stringify(signed)));
}

function tasksOf(run: TaskRun): RestoreAs {
  const frame = { context: run.context, lease: { seconds: 30 } };
  const { projectId } = run.context;
  const tasks: RestoreAs = {
    plan: (database, { restoreId = nextRestoreId(), tables = [], changes } = {}) =>
      planRestore(
        {
          ...frame,
          kind: "plan-restore",
          restoreId,
          spec: {
            projectId,
            backupId,
            restoreType: tables.length === 0 ? "database-only" : "selective",
            database,
            include: [],
            tables,
          },
        },
        { ...run, ...changes },
      ),
    load: (plan, changes) =>
      restoreDatabase(
        { ...frame, kind: "restore-database", restoreId: plan.restoreId, plan },
        { ...run, ...changes },
      ),
    swap: (plan, lookOnly = false) =>
      swapDatabase({ ...frame, kind: "swap-database", restoreId: plan.restoreId, plan, lookOnly }, run),
    undo: (plan) =>
      undoRestore(
        { ...frame, kind: "undo-restore", restoreId: plan.restoreId, plan, parts: ["database"] },
        run,
      ),
    discard: async (plan) =>
      (await discardRestore({ ...frame, kind: "discard-restore", restoreId: plan.restoreId, plan }, run))
        .dropped,
    dropOld: async (plan) =>
      (await dropOldDatabase({ ...frame, kind: "drop-old-database", restoreId: plan.restoreId, plan }, run))
        .dropped,
    async restore(database, options = {}) {
      const plan = await tasks.plan(database, options);
      if (plan.blockers.length > 0)
        throw new Error(plan.blockers.map((blocker) => blocker.message).join(" "));
      await tasks.load(plan, options.changes);
      await tasks.swap(plan);
      return plan;
    },
  };
  return tasks;
}
