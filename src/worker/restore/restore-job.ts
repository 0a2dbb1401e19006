import type { RestoreEntry } from "../../core/restore/restore-entry.ts";
import type { DatabasePlan } from "../../core/restore/restore.ts";
import { sameServer } from "../../databases/postgres/admin-session.ts";
import type { Connection } from "../../postgres/connection.ts";
import type { RestoreTarget } from "../../databases/postgres/restore-tool.ts";
import { verifyRestore, type RestoreComparison } from "../../databases/postgres/verify-restore.ts";
import type { DatabaseSource } from "./restore-source.ts";
import type { TaskRun } from "../task.ts";

/** What every way of restoring a database is given. */
export interface RestoreJob {
  readonly restoreId: string;
  readonly plan: DatabasePlan;
  readonly source: DatabaseSource;
  /** Of the target, as the plan's URL names it. */
  readonly connection: Connection;
  readonly run: TaskRun;
}

export interface Restored {
  readonly comparison: RestoreComparison;
  readonly warnings: readonly string[];
}

/** The database that is loaded, for the tools. */
export const loadTarget = (job: RestoreJob): RestoreTarget => ({
  toolDirectory: job.plan.tools.directory,
  connection: sameServer(job.connection, job.plan.loadInto),
  env: job.run.env,
  signal: job.run.signal,
});

/** Compares a loaded database with the backup's inventory, with ANALYZE on the way. */
export function compare(job: RestoreJob, database: string): Promise<RestoreComparison> {
  const { run, plan, source } = job;
  return verifyRestore(sameServer(job.connection, database), source.inventory, {
    jobs: plan.jobs,
    signal: run.signal,
    analyze: true,
    leftOut: leftOutEntries(job),
    onTable: (done, total) =>
      run.report({
        type: "progress",
        progress: { component: "database", phase: "comparing", bytes: 0, objects: done, totalObjects: total },
      }),
  });
}

/** The entries of the archive that the plan leaves out. */
export function leftOutEntries({ plan, source }: RestoreJob): RestoreEntry[] {
  const leftOut = new Set(plan.leaveOut.map((item) => item.dumpId));
  return source.entries.filter((entry) => leftOut.has(entry.dumpId));
}
