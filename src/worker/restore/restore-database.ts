import type pg from "pg";
import type { RestoreDatabaseEvidence } from "../../contract/operations.ts";
import type { TaskOf } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import { connectAdmin, sameServer } from "../../databases/postgres/admin-session.ts";
import { connect, resolveConnection, type Connection } from "../../postgres/connection.ts";
import {
  createLoadingDatabase,
  dropOwnDatabase,
  formOf,
  requireSameDatabase,
} from "../../databases/postgres/create-database.ts";
import { createMissingRoles } from "../../databases/postgres/create-roles.ts";
import {
  applyDatabaseExtras,
  applyPossibleGrants,
  databaseExtras,
} from "../../databases/postgres/database-settings.ts";
import { commentStatement, markStatement, readDatabaseState } from "../../databases/postgres/marker.ts";
import { beginFilling, clearFilling } from "../../databases/postgres/fill-database.ts";
import { quoteIdentifier } from "../../postgres/quote.ts";
import { readDatabaseContents, readServerFacts, targetRights } from "../../databases/postgres/target.ts";
import { requireComplete } from "../../databases/postgres/verify-restore.ts";
import { loadDatabase } from "./load-database.ts";
import { compare, loadTarget, type Restored, type RestoreJob, leftOutEntries } from "./restore-job.ts";
import { openDatabaseSource } from "./restore-source.ts";
import type { TaskRun } from "../task.ts";

/**
 * Loads a backup's database as the plan says, compares it with the inventory, and leaves it where the plan
 * wants it: ready for the swap, under its own new name, or in the target. Whatever fails, the target is as it
 * was, and what this made is dropped. Running it again drops what a dead try left, or takes up what it finished.
 */
export async function restoreDatabase(
  task: TaskOf<"restore-database">,
  run: TaskRun,
): Promise<RestoreDatabaseEvidence> {
  const plan = task.plan.database;
  if (plan === undefined) throw new Failure("nothing-to-restore", "The plan has no database part.");
  const startedAtMs = run.clock.nowMs();
  const source = await openDatabaseSource(run, task.plan.backupId);
  const connection = await resolveConnection(plan.url, run.env);
  const job: RestoreJob = { restoreId: task.restoreId, plan, source, connection, run };
  const done = await restoreInto(job);
  return {
    database: plan.finalName ?? plan.target,
    tables: done.comparison.tables,
    rows: done.comparison.rows,
    sequences: done.comparison.sequences,
    largeObjects: done.comparison.largeObjects,
    analyzed: true,
    leftOut: plan.leaveOut.map(({ what, why }) => `${what} (${why})`),
    warnings: done.warnings,
    durationMs: run.clock.nowMs() - startedAtMs,
  };
}

async function restoreInto(job: RestoreJob): Promise<Restored> {
  if (job.plan.tables !== undefined) return await (await import("./restore-tables.ts")).restoreTables(job);
  if (job.plan.into === "in-place") return await (await import("./restore-in-place.ts")).restoreInPlace(job);
  return await (job.plan.into === "empty" ? fillEmptyDatabase(job) : restoreIntoNewDatabase(job));
}

async function restoreIntoNewDatabase(job: RestoreJob): Promise<Restored> {
  const { plan } = job;
  const admin = await connectAdmin(job.connection, [plan.target, plan.loadInto]);
  try {
    const earlier = await takeUpFinished(job, admin);
    if (earlier !== undefined) return earlier;
    const roleNotes = plan.createRoles ? await createMissingRoles(admin, job.source.rolesSql) : [];
    const form = plan.form ?? formOf(job.source.inventory.database);
    const oid = await createLoadingDatabase(admin, plan.loadInto, job.restoreId, form);
    try {
      const restored = await fillNewDatabase(job, admin, oid);
      return { ...restored, warnings: [...roleNotes, ...restored.warnings] };
    } catch (error) {
      await dropAfterFailure(job, admin, oid);
      throw error;
    }
  } finally {
    await admin.end();
  }
}

async function fillNewDatabase(job: RestoreJob, admin: pg.Client, oid: number): Promise<Restored> {
  const { plan, source, run } = job;
  const between = async (): Promise<void> => {
    run.signal.throwIfAborted();
    await requireSameDatabase(admin, plan.loadInto, oid);
  };
  await loadDatabase(source, plan, loadTarget(job), run, between);
  await applyLeftOutGrants(job);
  const comparison = await compare(job, plan.loadInto);
  requireComplete(comparison, plan.loadInto);
  await between();
  return { comparison, warnings: await finishNewDatabase(job, admin) };
}

/** Into the target itself, which was empty; the mark in it stays until the last step of the restore. */
async function fillEmptyDatabase(job: RestoreJob): Promise<Restored> {
  const { plan, source, run } = job;
  const target = sameServer(job.connection, plan.loadInto);
  await beginFilling(target, job.restoreId);
  try {
    const roleNotes = plan.createRoles
      ? await withClient(target, (c) => createMissingRoles(c, source.rolesSql))
      : [];
    await loadDatabase(source, plan, loadTarget(job), run, async () => {
      run.signal.throwIfAborted();
    });
    await applyLeftOutGrants(job);
    const comparison = await compare(job, plan.loadInto);
    requireComplete(comparison, plan.loadInto);
    run.signal.throwIfAborted();
    return {
      comparison,
      warnings: [...roleNotes, ...(await withClient(target, (c) => applyExtras(job, c)))],
    };
  } catch (error) {
    await clearFilling(target, job.restoreId).catch((cause: unknown) => reportLeftover(job, cause));
    throw error;
  }
}

async function withClient<T>(connection: Connection, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(connection, { applicationName: "lc2 restore" });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Settings and grants of the database itself, for its final name; its comment where it has none. */
async function applyExtras(job: RestoreJob, client: pg.Client): Promise<string[]> {
  const { plan, source } = job;
  const extras = databaseExtras(source.entries, plan.target);
  const rights = targetRights(await readServerFacts(client), undefined);
  const notes = await applyDatabaseExtras(client, extras, rights);
  const state = await readDatabaseState(client, plan.target);
  if (extras.comment !== undefined && state?.comment === undefined) {
    await client.query(commentStatement(plan.target, extras.comment)).catch(() => {
      notes.push("The comment of the database was not set: it belongs to another role.");
    });
  }
  return notes;
}

/** Grants that name a role the target lacks are left out entry by entry; their other roles get theirs. */
async function applyLeftOutGrants(job: RestoreJob): Promise<void> {
  const entries = leftOutEntries(job);
  if (entries.length === 0) return;
  const client = await connect(sameServer(job.connection, job.plan.loadInto), {
    applicationName: "lc2 restore",
  });
  try {
    const rights = targetRights(await readServerFacts(client), await readDatabaseContents(client));
    await applyPossibleGrants(client, entries, rights);
  } finally {
    await client.end();
  }
}

/** Settings and grants of the database itself; then the mark that it is whole, with the comment it is to have. */
async function finishNewDatabase(job: RestoreJob, admin: pg.Client): Promise<string[]> {
  const { plan, source } = job;
  const extras = databaseExtras(source.entries, plan.loadInto);
  const applied = await applyDatabaseExtras(
    admin,
    extras,
    targetRights(await readServerFacts(admin), undefined),
  );
  const notes = applied.map((note) => note.replaceAll(plan.loadInto, plan.finalName ?? plan.target));
  await giveToOwner(job, admin);
  const comment = extras.comment === undefined ? {} : { comment: extras.comment };
  await admin.query(markStatement(plan.loadInto, { restoreId: job.restoreId, state: "loaded", ...comment }));
  return notes;
}

/** The database gets the owner that the target has, or that it had in the source, where this role may give it. */
async function giveToOwner(job: RestoreJob, admin: pg.Client): Promise<void> {
  const current = await readDatabaseState(admin, job.plan.target);
  const owner = current?.owner ?? (job.plan.noOwner ? undefined : job.source.inventory.database.owner);
  if (owner === undefined) return;
  const facts = await readServerFacts(admin);
  if (!(facts.superuser ? facts.roles : facts.actsAs).has(owner)) return;
  await admin.query(
    `ALTER DATABASE ${quoteIdentifier(job.plan.loadInto)} OWNER TO ${quoteIdentifier(owner)}`,
  );
}

/** A try that died after its work was done, before anybody heard of it: compared again instead of done again. */
async function takeUpFinished(job: RestoreJob, admin: pg.Client): Promise<Restored | undefined> {
  const { plan } = job;
  const loaded = await readDatabaseState(admin, plan.loadInto);
  if (loaded?.marker?.restoreId !== job.restoreId || loaded.marker.state !== "loaded") return undefined;
  const comparison = await compare(job, plan.loadInto).catch(() => undefined);
  return comparison?.differences.length === 0 ? { comparison, warnings: [] } : undefined;
}

/** As far as it goes: what stays is marked, and `discard-restore` or the next try drops it. */
async function dropAfterFailure(job: RestoreJob, admin: pg.Client, oid: number): Promise<void> {
  const { plan } = job;
  try {
    await dropOwnDatabase(admin, plan.loadInto, job.restoreId, { states: ["loading", "loaded"], oid });
  } catch (cause) {
    reportLeftover(job, cause);
  }
}

function reportLeftover(job: RestoreJob, cause: unknown): void {
  const message = cause instanceof Error ? cause.message : String(cause);
  job.run.report({
    type: "log",
    level: "warn",
    message: `What was half restored is still in "${job.plan.loadInto}" (${message}).`,
  });
}
