import type pg from "pg";
import type { TaskOf, TaskResults } from "../contract/worker-task.ts";
import { Failure } from "../core/failure.ts";
import type { DatabasePlan } from "../core/restore/restore.ts";
import { connectAdmin } from "../databases/postgres/admin-session.ts";
import { resolveConnection } from "../databases/postgres/connection.ts";
import { readDatabaseState, type DatabaseState } from "../databases/postgres/marker.ts";
import { allowConnections, renameTogether } from "../databases/postgres/swap-databases.ts";
import type { TaskRun } from "./task.ts";

/**
 * Puts the loaded database in the target's place, in one transaction of the server. Idempotent: looks at which
 * databases there are and finishes what a dead try left, or finds it done. Rejects with
 * `session-will-not-end` (nothing swapped, connections allowed) or `restore-state-unknown`.
 */
export async function swapDatabase(
  task: TaskOf<"swap-database">,
  run: TaskRun,
): Promise<TaskResults["swap-database"]> {
  const plan = task.plan.database;
  if (plan === undefined || plan.into !== "swap" || plan.retireAs === undefined) return { swapped: false };
  const admin = await connectAdmin(await resolveConnection(plan.url, run.env), [
    plan.target, plan.loadInto, plan.retireAs,
  ]);
  try {
    await swap(admin, plan, plan.retireAs, task.restoreId, run);
    return { swapped: true, retiredDatabase: plan.retireAs };
  } finally {
    await admin.end();
  }
}

async function swap(
  admin: pg.Client,
  plan: DatabasePlan,
  retireAs: string,
  restoreId: string,
  run: TaskRun,
): Promise<void> {
  const target = await readDatabaseState(admin, plan.target);
  const loaded = await readDatabaseState(admin, plan.loadInto);
  const retired = await readDatabaseState(admin, retireAs);
  const isOurs = (state: DatabaseState | undefined, name: string): boolean =>
    state?.marker?.restoreId === restoreId && state.marker.state === name;
  if (loaded === undefined && target !== undefined && isOurs(retired, "retired")) {
    await allowConnections(admin, [plan.target, retireAs]);
    return;
  }
  if (target === undefined || retired !== undefined || !isOurs(loaded, "loaded") || loaded === undefined) {
    if (target !== undefined) await allowConnections(admin, [plan.target]);
    throw unknownState(plan, { target, loaded, retired });
  }
  await renameTogether(
    admin,
    [
      {
        from: target,
        to: retireAs,
        mark: {
          restoreId,
          state: "retired",
          ...(target.comment === undefined ? {} : { comment: target.comment }),
        },
      },
      { from: loaded, to: plan.target, mark: { comment: loaded.marker?.comment } },
    ],
    { endSessions: plan.endSessions, signal: run.signal },
  );
}

function unknownState(
  plan: DatabasePlan,
  found: { target: DatabaseState | undefined; loaded: DatabaseState | undefined; retired: DatabaseState | undefined },
): Failure {
  const show = (name: string | undefined, state: DatabaseState | undefined): string =>
    `"${name}" ${state === undefined ? "is not there" : (state.marker?.state ?? "is there, without a mark of ours")}`;
  return new Failure(
    "restore-state-unknown",
    `The databases are not as this restore leaves them: ${show(plan.target, found.target)}, ` +
      `${show(plan.loadInto, found.loaded)}, ${show(plan.retireAs, found.retired)}. Nothing was changed. ` +
      "Look at the server, then restore again.",
  );
}
