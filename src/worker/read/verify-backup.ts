import { Failure } from "../../core/failure.ts";
import { makeOperationId } from "../../core/repository/layout.ts";
import type { RestorePlan } from "../../core/restore/restore.ts";
import type { TaskOf, VerifyBackupResult } from "../../contract/worker-task.ts";
import { discardRestore } from "../restore/discard-restore.ts";
import { planRestore } from "../restore/plan-restore.ts";
import { readMetadata } from "../repository/read-metadata.ts";
import { ProgressReporter } from "../report-progress.ts";
import { openRepository } from "../repository/repository.ts";
import { restoreDatabase } from "../restore/restore-database.ts";
import type { TaskRun } from "../task.ts";
import { verifyStored } from "./verify-stored.ts";

/**
 * Reads and checks every stored byte that the backup needs; with `scratchDatabase` also restores its
 * database into a new scratch database on that server, compares it with what was backed up, and drops it.
 * Damage is a result, not a rejection. A scratch restore that fails is a rejection.
 */
export async function verifyBackup(task: TaskOf<"verify-backup">, run: TaskRun): Promise<VerifyBackupResult> {
  await openRepository(run);
  const metadata = await readMetadata(run, task.backupId).catch((error: unknown) => {
    if (error instanceof Failure && error.kind === "integrity") return undefined;
    throw error;
  });
  const progress = new ProgressReporter(run, {
    component: "verify",
    phase: "reading",
    bytes: 0,
    ...(metadata === undefined ? {} : { totalBytes: metadata.storedBytes }),
  });
  const read = await verifyStored(run, task.backupId, { onBytes: (bytes) => progress.add(bytes) });
  progress.end();
  if (task.scratchDatabase === undefined || read.damages.length > 0) return read;
  if (metadata?.components.database === undefined) {
    throw new Failure("nothing-to-restore", `${task.backupId} holds no database that could be restored.`);
  }
  return { ...read, restored: await restoreIntoScratch(task.backupId, task.scratchDatabase, run) };
}

async function restoreIntoScratch(
  backupId: string,
  server: string,
  run: TaskRun,
): Promise<NonNullable<VerifyBackupResult["restored"]>> {
  const restoreId = makeOperationId("restore", run.clock.nowMs(), run.ids.hex(6));
  const url = withDatabaseName(server, `lc2_verify_${run.ids.hex(8)}`);
  const plan = await planScratch(restoreId, backupId, url, run);
  try {
    const evidence = await restoreDatabase(
      { kind: "restore-database", restoreId, plan, ...taskFrame(run) },
      run,
    );
    return { database: evidence.database, tables: evidence.tables, rows: evidence.rows, differences: [] };
  } finally {
    // Also after a cancellation: nothing may stay behind on the server.
    const clearing = { ...run, signal: AbortSignal.timeout(60_000) };
    await discardRestore({ kind: "discard-restore", restoreId, plan, ...taskFrame(run) }, clearing);
  }
}

async function planScratch(
  restoreId: string,
  backupId: string,
  url: string,
  run: TaskRun,
): Promise<RestorePlan> {
  const { projectId } = run.context;
  const database = { url, into: "new" as const };
  const spec = {
    projectId,
    backupId,
    restoreType: "database-only" as const,
    database,
    include: [],
    tables: [],
  };
  const plan = await planRestore({ kind: "plan-restore", restoreId, spec, ...taskFrame(run) }, run);
  const [blocker] = plan.blockers;
  if (blocker !== undefined)
    throw new Failure(blocker.code, `The scratch restore cannot be done: ${blocker.message}`);
  if (plan.database === undefined)
    throw new Failure("internal", "The plan of a scratch restore has no database part.");
  // Without a final name the database stays marked as loaded, and discarding the restore drops it.
  const { finalName: _, ...scratch } = plan.database;
  return { ...plan, database: scratch };
}

const taskFrame = (run: TaskRun) => ({ context: run.context, lease: { seconds: 30 } });

/** The same server, another database. */
function withDatabaseName(url: string, name: string): string {
  const parsed = new URL(url);
  parsed.pathname = `/${name}`;
  parsed.searchParams.delete("dbname");
  return parsed.href;
}
