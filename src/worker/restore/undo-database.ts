import type pg from "pg";
import type { UndoEvidence } from "../../contract/operations.ts";
import { Failure } from "../../core/failure.ts";
import { loadingName, undoneName } from "../../core/restore/restore-names.ts";
import type { DatabasePlan } from "../../core/restore/restore.ts";
import { connectAdmin } from "../../databases/postgres/admin-session.ts";
import { connect, resolveConnection, type Connection } from "../../postgres/connection.ts";
import { createLoadingDatabase } from "../../databases/postgres/create-database.ts";
import { readDatabaseState, type DatabaseState } from "../../databases/postgres/marker.ts";
import { allowConnections, renameTogether, type Rename } from "../../databases/postgres/swap-databases.ts";
import { quoteIdentifier } from "../../postgres/quote.ts";
import type { TaskRun } from "../task.ts";

type DatabaseUndo = NonNullable<UndoEvidence["database"]>;

/** Puts back what was there before; see each way. Rejects with `undo-not-possible` where nothing was kept. */
export async function undoDatabase(
  restoreId: string,
  plan: DatabasePlan,
  run: TaskRun,
): Promise<DatabaseUndo> {
  const connection = await resolveConnection(plan.url, run.env);
  if (plan.tables !== undefined) {
    return await (await import("./undo-tables.ts")).undoTables(restoreId, plan, connection);
  }
  if (plan.into === "in-place") {
    throw new Failure(
      "undo-not-possible",
      `"${plan.target}" was restored in place, which keeps nothing of what was there. Restore the backup made before it.`,
    );
  }
  const undone = undoneName(plan.finalName ?? plan.target, restoreId);
  const admin = await connectAdmin(connection, [
    plan.target,
    plan.loadInto,
    undone,
    ...(plan.retireAs === undefined ? [] : [plan.retireAs]),
  ]);
  const job: UndoJob = { restoreId, plan, undone, admin, connection, run };
  try {
    if (plan.into === "swap") return await swapBack(job);
    return plan.into === "new" ? await putNewAside(job) : await emptyAgain(job);
  } finally {
    await admin.end();
  }
}

interface UndoJob {
  readonly restoreId: string;
  readonly plan: DatabasePlan;
  readonly undone: string;
  readonly admin: pg.Client;
  readonly connection: Connection;
  readonly run: TaskRun;
}

const isOurs = (job: UndoJob, state: DatabaseState | undefined, name: string): boolean =>
  state?.marker?.restoreId === job.restoreId && state.marker.state === name;

const putAside = (job: UndoJob, from: DatabaseState): Rename => ({
  from,
  to: job.undone,
  mark: {
    restoreId: job.restoreId,
    state: "undone",
    ...(from.comment === undefined ? {} : { comment: from.comment }),
  },
});

/** The retired database gets its name back; the restored one is kept under another. */
async function swapBack(job: UndoJob): Promise<DatabaseUndo> {
  const { plan, admin, undone } = job;
  const target = await readDatabaseState(admin, plan.target);
  const retired = await readDatabaseState(admin, plan.retireAs ?? "");
  const aside = await readDatabaseState(admin, undone);
  if (retired === undefined && target !== undefined && isOurs(job, aside, "undone")) {
    await allowConnections(admin, [plan.target, undone]);
    return { swappedBack: true, keptAs: undone };
  }
  if (retired === undefined || !isOurs(job, retired, "retired")) {
    throw new Failure(
      "undo-not-possible",
      `The database that was swapped out ("${plan.retireAs}") is not there any more. Nothing was changed.`,
    );
  }
  if (aside !== undefined) throw occupied(undone);
  await renameTogether(
    admin,
    [
      // Somebody may have dropped the restored one: then there is nothing to keep.
      ...(target === undefined ? [] : [putAside(job, target)]),
      { from: retired, to: plan.target, mark: { comment: retired.marker?.comment } },
    ],
    { endSessions: plan.endSessions, signal: job.run.signal },
  );
  return { swappedBack: true, ...(target === undefined ? {} : { keptAs: undone }) };
}

/** There was no database of this name before: the restored one is renamed away. One beside the target stays. */
async function putNewAside(job: UndoJob): Promise<DatabaseUndo> {
  const { plan, admin, undone } = job;
  const name = plan.finalName ?? plan.loadInto;
  if (name !== plan.target) return { swappedBack: false, keptAs: name };
  const made = await readDatabaseState(admin, name);
  const aside = await readDatabaseState(admin, undone);
  if (made === undefined && isOurs(job, aside, "undone")) return { swappedBack: true, keptAs: undone };
  if (made === undefined) {
    throw new Failure(
      "undo-not-possible",
      `The restored database "${name}" is not there any more. Nothing was changed.`,
    );
  }
  if (aside !== undefined) throw occupied(undone);
  await renameTogether(admin, [putAside(job, made)], {
    endSessions: plan.endSessions,
    signal: job.run.signal,
  });
  return { swappedBack: true, keptAs: undone };
}

/** The filled database is renamed away and an empty one takes its place, with the same owner and locale. */
async function emptyAgain(job: UndoJob): Promise<DatabaseUndo> {
  const { plan, admin, undone, restoreId } = job;
  const filled = await readDatabaseState(admin, plan.target);
  const aside = await readDatabaseState(admin, undone);
  if (isOurs(job, aside, "undone") && filled !== undefined) return { swappedBack: true, keptAs: undone };
  if (filled === undefined) {
    throw new Failure(
      "undo-not-possible",
      `The database "${plan.target}" is not there any more. Nothing was changed.`,
    );
  }
  if (aside !== undefined) throw occupied(undone);
  const name = loadingName(plan.target, restoreId);
  await createLoadingDatabase(admin, name, restoreId, await readForm(job)).catch((cause: unknown) => {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(
      "undo-not-possible",
      `To undo, an empty database takes the place of "${plan.target}", and it cannot be created: ${message}`,
      { cause },
    );
  });
  await admin.query(`ALTER DATABASE ${quoteIdentifier(name)} OWNER TO ${quoteIdentifier(filled.owner)}`);
  const empty = await readDatabaseState(admin, name);
  if (empty === undefined) throw new Failure("restore-state-unknown", `The database "${name}" vanished.`);
  await renameTogether(
    admin,
    [putAside(job, filled), { from: empty, to: plan.target, mark: { comment: undefined } }],
    { endSessions: plan.endSessions, signal: job.run.signal },
  );
  return { swappedBack: true, keptAs: undone };
}

async function readForm(job: UndoJob): Promise<{ encoding: string; collate: string; ctype: string }> {
  const client = await connect(job.connection, { applicationName: "lc2 restore" });
  try {
    const { rows } = await client.query<{ encoding: string; collate: string; ctype: string }>(
      `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype
         FROM pg_database WHERE datname = current_database()`,
    );
    const row = rows[0];
    if (row === undefined) throw new Error("the current database is not in pg_database");
    return row;
  } finally {
    await client.end();
  }
}

const occupied = (name: string): Failure =>
  new Failure(
    "target-occupied",
    `There is a database "${name}" already, so the restored one cannot be kept under that name.`,
  );
