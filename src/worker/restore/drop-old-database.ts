import type { TaskOf, TaskResults } from "../../contract/worker-task.ts";
import { connectAdmin } from "../../databases/postgres/admin-session.ts";
import { resolveConnection } from "../../postgres/connection.ts";
import { dropOwnDatabase } from "../../databases/postgres/create-database.ts";
import type { TaskRun } from "../task.ts";

/**
 * Drops the database that this restore swapped out, and nothing else: only under its retired name and with this
 * restore's mark (`target-occupied` otherwise). After it there is no undo. Idempotent: false when it was gone.
 */
export async function dropOldDatabase(
  task: TaskOf<"drop-old-database">,
  run: TaskRun,
): Promise<TaskResults["drop-old-database"]> {
  const plan = task.plan.database;
  if (plan?.retireAs === undefined) return { dropped: false };
  const connection = await resolveConnection(plan.url, run.env);
  const admin = await connectAdmin(connection, [plan.retireAs]);
  try {
    return { dropped: await dropOwnDatabase(admin, plan.retireAs, task.restoreId, { states: ["retired"] }) };
  } finally {
    await admin.end();
  }
}
