import type pg from "pg";
import type { TaskOf, TaskResults } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import type { DatabasePlan } from "../../core/restore/restore.ts";
import { connectAdmin } from "../../databases/postgres/admin-session.ts";
import { connect, resolveConnection, type Connection } from "../../postgres/connection.ts";
import { hasFillingMark, removeFillingMark } from "../../databases/postgres/fill-database.ts";
import { readDatabaseState, type DatabaseState } from "../../databases/postgres/marker.ts";
import { arePlaced, placeTables } from "../../databases/postgres/place-tables.ts";
import { allowConnections, renameTogether } from "../../databases/postgres/swap-databases.ts";
import type { TaskRun } from "../task.ts";

type SwapResult = TaskResults["swap-database"];

/**
 * Puts the loaded database in its place: the names are swapped in one transaction (swap), it gets its name
 * (new), or its mark is taken off (empty). Idempotent: looks at which databases there are and finishes what a
 * dead try left, or finds it done. With `lookOnly` it changes nothing and answers whether it is done.
 * Rejects with `session-will-not-end` (nothing swapped, connections allowed) or `restore-state-unknown`.
 */
export async function swapDatabase(task: TaskOf<"swap-database">, run: TaskRun): Promise<SwapResult> {
  const plan = task.plan.database;
  if (plan === undefined || plan.into === "in-place") return { swapped: false };
  const lookOnly = task.lookOnly ?? false;
  const connection = await resolveConnection(plan.url, run.env);
  if (plan.tables !== undefined) return await placeChosenTables(task, plan, connection, run);
  if (plan.into === "empty") {
    if (!lookOnly) await removeFillingMark(connection, task.restoreId);
    return { swapped: !(await hasFillingMark(connection, task.restoreId)) };
  }
  const avoid = [plan.target, plan.loadInto, plan.retireAs, plan.finalName].filter(
    (name) => name !== undefined,
  );
  const admin = await connectAdmin(connection, avoid);
  try {
    const swap: Swap = { admin, plan, restoreId: task.restoreId, run };
    const seen = await look(swap);
    if (!seen.done && lookOnly) return { swapped: false };
    if (seen.done) {
      if (!lookOnly) await allowConnections(admin, avoid);
    } else {
      await (plan.into === "new" ? giveName(swap, seen) : swapNames(swap, seen));
    }
    return { swapped: true, ...(plan.retireAs === undefined ? {} : { retiredDatabase: plan.retireAs }) };
  } finally {
    await admin.end();
  }
}

/** Tables that were restored by themselves go from the restore's schema into their place. */
async function placeChosenTables(
  task: TaskOf<"swap-database">,
  plan: DatabasePlan,
  connection: Connection,
  run: TaskRun,
): Promise<SwapResult> {
  const client = await connect(connection, { applicationName: "lc2 restore" });
  try {
    const tables = plan.tables ?? [];
    if (task.lookOnly === true) return { swapped: await arePlaced(client, task.restoreId, tables) };
    const { foreignKeysToMake } = await import("./restore-tables.ts");
    const keys = await foreignKeysToMake(run, task.plan.backupId, plan);
    const undo = plan.undoSchema === undefined ? {} : { undoSchema: plan.undoSchema };
    await placeTables(client, task.restoreId, { tables, ...undo }, keys);
    return { swapped: true };
  } finally {
    await client.end();
  }
}

interface Swap {
  readonly admin: pg.Client;
  readonly plan: DatabasePlan;
  readonly restoreId: string;
  readonly run: TaskRun;
}

interface Seen {
  readonly done: boolean;
  /** The name the loaded database is to have. */
  readonly final: DatabaseState | undefined;
  /** Whole and ours. */
  readonly loaded: DatabaseState | undefined;
  readonly retired: DatabaseState | undefined;
}

/** Only the swap takes the loaded database's name away and leaves something under the final one. */
async function look({ admin, plan, restoreId }: Swap): Promise<Seen> {
  const final = await readDatabaseState(admin, plan.finalName ?? plan.target);
  const loading = await readDatabaseState(admin, plan.loadInto);
  const retired = plan.retireAs === undefined ? undefined : await readDatabaseState(admin, plan.retireAs);
  const isOurs = (state: DatabaseState | undefined, name: string): boolean =>
    state?.marker?.restoreId === restoreId && state.marker.state === name;
  const replaced = plan.into === "new" || isOurs(retired, "retired");
  return {
    done: loading === undefined && final !== undefined && replaced,
    final,
    loaded: isOurs(loading, "loaded") ? loading : undefined,
    retired,
  };
}

async function giveName(swap: Swap, seen: Seen): Promise<void> {
  const { admin, plan, run } = swap;
  const name = plan.finalName ?? plan.target;
  if (seen.loaded === undefined) throw unknownState(plan, seen);
  if (seen.final !== undefined) {
    throw new Failure(
      "target-occupied",
      `A database "${name}" has come up since the plan was made. Nothing was changed. Plan again.`,
    );
  }
  const mark = { comment: seen.loaded.marker?.comment };
  await renameTogether(admin, [{ from: seen.loaded, to: name, mark }], {
    endSessions: true,
    signal: run.signal,
  });
}

async function swapNames(swap: Swap, seen: Seen): Promise<void> {
  const { admin, plan, restoreId, run } = swap;
  const { final: target, loaded, retired } = seen;
  const { retireAs } = plan;
  if (target === undefined || loaded === undefined || retired !== undefined || retireAs === undefined) {
    if (target !== undefined) await allowConnections(admin, [plan.target]);
    throw unknownState(plan, seen);
  }
  const comment = target.comment === undefined ? {} : { comment: target.comment };
  await renameTogether(
    admin,
    [
      { from: target, to: retireAs, mark: { restoreId, state: "retired", ...comment } },
      { from: loaded, to: plan.target, mark: { comment: loaded.marker?.comment } },
    ],
    { endSessions: plan.endSessions, signal: run.signal },
  );
}

function unknownState(plan: DatabasePlan, seen: Seen): Failure {
  const show = (name: string | undefined, state: DatabaseState | undefined): string =>
    `"${name}" ${state === undefined ? "is not there" : (state.marker?.state ?? "is there, without a mark of ours")}`;
  return new Failure(
    "restore-state-unknown",
    `The databases are not as this restore leaves them: ${show(plan.finalName ?? plan.target, seen.final)}, ` +
      `${show(plan.loadInto, seen.loaded)}${plan.retireAs === undefined ? "" : `, ${show(plan.retireAs, seen.retired)}`}. ` +
      "Nothing was changed. Look at the server, then restore again.",
  );
}
