import type { TaskOf, TaskResults } from "../../contract/worker-task.ts";
import { connectAdmin } from "../../databases/postgres/admin-session.ts";
import { connect, resolveConnection, type Connection } from "../../postgres/connection.ts";
import { dropOwnDatabase } from "../../databases/postgres/create-database.ts";
import { clearFilling } from "../../databases/postgres/fill-database.ts";
import { readDatabaseState } from "../../databases/postgres/marker.ts";
import { dropStage } from "../../databases/postgres/place-tables.ts";
import { allowConnections } from "../../databases/postgres/swap-databases.ts";
import type { TaskRun } from "../task.ts";

/**
 * Clears away what a restore that failed or died left on the target's server: the database it was loading, and
 * the closed door of a swap, or of its undo, that did not come to pass. Never what has been put in place. Idempotent.
 */
export async function discardRestore(
  task: TaskOf<"discard-restore">,
  run: TaskRun,
): Promise<TaskResults["discard-restore"]> {
  const plan = task.plan.database;
  if (plan === undefined) return { dropped: [] };
  const connection = await resolveConnection(plan.url, run.env);
  const dropped: string[] = [];
  if (plan.tables !== undefined && (await dropStagedTables(connection, task.restoreId))) {
    dropped.push(`tables brought into ${plan.target}`);
  }
  if (plan.into === "empty" && (await clearFilling(connection, task.restoreId))) {
    dropped.push(`everything in ${plan.target}`);
  }
  if (plan.loadInto !== plan.target) {
    const admin = await connectAdmin(connection, [plan.target, plan.loadInto]);
    try {
      const loaded = await readDatabaseState(admin, plan.loadInto);
      const retired = await readDatabaseState(admin, plan.retireAs ?? "");
      // Loaded: a swap was under way. Retired: an undo of one.
      const isOurs = [loaded, retired].some((state) => state?.marker?.restoreId === task.restoreId);
      if (plan.into === "swap" && isOurs) {
        await allowConnections(admin, [plan.target, ...(retired === undefined ? [] : [retired.name])]);
      }
      const states = ["loading", "loaded"];
      if (await dropOwnDatabase(admin, plan.loadInto, task.restoreId, { states }))
        dropped.push(plan.loadInto);
    } finally {
      await admin.end();
    }
  }
  return { dropped };
}

async function dropStagedTables(connection: Connection, restoreId: string): Promise<boolean> {
  const client = await connect(connection, { applicationName: "lc2 restore" });
  try {
    return await dropStage(client, restoreId);
  } finally {
    await client.end();
  }
}
