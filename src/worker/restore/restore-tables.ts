import type pg from "pg";
import { sideSchemaName } from "../../core/restore/restore-names.ts";
import { foreignKeysOf, selectEntries } from "../../core/restore/select-tables.ts";
import type { DatabasePlan } from "../../core/restore/restore.ts";
import { connectAdmin, sameServer } from "../../databases/postgres/admin-session.ts";
import { connect, type Connection } from "../../postgres/connection.ts";
import { createLoadingDatabase, dropOwnDatabase, formOf } from "../../databases/postgres/create-database.ts";
import { dropStage, makeStage, type PlannedTables } from "../../databases/postgres/place-tables.ts";
import { quoteIdentifier, quoteName } from "../../postgres/quote.ts";
import { quoteConnectionValue } from "../../databases/postgres/restore-archive.ts";
import { restoreToolFailure } from "../../databases/postgres/restore-errors.ts";
import { feed, startTool, type RestoreTarget } from "../../databases/postgres/restore-tool.ts";
import {
  countingPlan,
  countTables,
  requireComplete,
  type RestoreComparison,
} from "../../databases/postgres/verify-restore.ts";
import { loadDatabase } from "./load-database.ts";
import { loadTarget, type Restored, type RestoreJob } from "./restore-job.ts";
import { openDatabaseSource, sectionedEntries } from "./restore-source.ts";
import type { TaskRun } from "../task.ts";

/**
 * Loads the chosen tables into a scratch database and brings them from there into the restore's own schema in
 * the target, with one pg_dump and one pg_restore in a single transaction; their rows are counted there. They
 * are put in their place by the restore's last step. On failure nothing of it stays in the target.
 */
export async function restoreTables(job: RestoreJob): Promise<Restored> {
  const { plan, source, restoreId } = job;
  const tables = plan.tables ?? [];
  const stage = sideSchemaName(restoreId);
  const target = sameServer(job.connection, plan.target);
  const admin = await connectAdmin(job.connection, [plan.loadInto]);
  try {
    await createLoadingDatabase(
      admin,
      plan.loadInto,
      restoreId,
      plan.form ?? formOf(source.inventory.database),
    );
    await loadScratch(job, tables);
    await withClient(sameServer(job.connection, plan.loadInto), (client) =>
      stageInScratch(client, tables, stage),
    );
    await withClient(target, (client) => makeStage(client, restoreId));
    await transfer(loadTarget(job), target, stage, plan);
    const comparison = await compareStaged(job, tables, stage);
    requireComplete(comparison, plan.target);
    await dropOwnDatabase(admin, plan.loadInto, restoreId, { states: ["loading"] });
    return { comparison, warnings: [] };
  } catch (error) {
    await withClient(target, (client) => dropStage(client, restoreId)).catch(() => false);
    await dropOwnDatabase(admin, plan.loadInto, restoreId, { states: ["loading"] }).catch(() => false);
    throw error;
  } finally {
    await admin.end();
  }
}

async function loadScratch(job: RestoreJob, tables: PlannedTables): Promise<void> {
  const { plan, source, run } = job;
  const wanted = selectEntries(sectionedEntries(source), tables);
  await loadDatabase(source, plan, loadTarget(job), run, async () => run.signal.throwIfAborted(), {
    selects: (dumpId) => wanted.has(dumpId),
    tables: await withSequences(job, tables),
  });
}

/** Names that pg_restore is given for rows: the tables, and the sequences they own. */
async function withSequences(
  job: RestoreJob,
  tables: PlannedTables,
): Promise<{ schema: string; name: string }[]> {
  const owned = sectionedEntries(job.source).filter(
    ({ kind, schema, definition }) =>
      kind === "SEQUENCE OWNED BY" &&
      tables.some(
        (table) =>
          definition.includes(`OWNED BY ${shown(table.schema)}.${shown(table.name)}.`) && schema !== "",
      ),
  );
  const identity = sectionedEntries(job.source).filter(
    ({ kind, definition }) =>
      kind === "SEQUENCE" &&
      tables.some((table) =>
        definition.startsWith(`ALTER TABLE ${shown(table.schema)}.${shown(table.name)} ALTER COLUMN`),
      ),
  );
  return [...tables, ...owned, ...identity].map(({ schema, name }) => ({ schema, name }));
}

/** A name as pg_dump writes it: quoted where it has to be. */
const shown = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : quoteIdentifier(name));

/** Moves the tables into a schema of the name they will have in the target; beside an existing one they stay inert. */
async function stageInScratch(client: pg.Client, tables: PlannedTables, stage: string): Promise<void> {
  await client.query(`CREATE SCHEMA ${quoteIdentifier(stage)}`);
  for (const { schema, name, landsIn } of tables) {
    if (landsIn === stage) await dropTriggersAndRules(client, schema, name);
    await client.query(`ALTER TABLE ${quoteName(schema, name)} SET SCHEMA ${quoteIdentifier(stage)}`);
  }
}

async function dropTriggersAndRules(client: pg.Client, schema: string, name: string): Promise<void> {
  const table = quoteName(schema, name);
  const { rows } = await client.query<{ statement: string }>(
    `SELECT 'DROP TRIGGER ' || quote_ident(tgname) AS statement FROM pg_trigger
      WHERE tgrelid = to_regclass($1) AND NOT tgisinternal AND tgparentid = 0
     UNION ALL
     SELECT 'DROP RULE ' || quote_ident(rulename) FROM pg_rewrite
      WHERE ev_class = to_regclass($1) AND rulename <> '_RETURN'`,
    [table],
  );
  for (const { statement } of rows) await client.query(`${statement} ON ${table}`);
}

/** From the scratch database into the target, one program's output into the other's input. */
async function transfer(
  scratch: RestoreTarget,
  target: Connection,
  stage: string,
  plan: DatabasePlan,
): Promise<void> {
  const patterns = (plan.tables ?? []).map(({ name }) => `--table=${quoteName(stage, name)}`);
  const dump = startTool(scratch, "pg_dump", [
    `--dbname=${quoteConnectionValue(scratch.connection.database)}`,
    "--no-password",
    "--format=custom",
    "--compress=0",
    ...patterns,
  ]);
  dump.stdin.end();
  const restore = startTool({ ...scratch, connection: target }, "pg_restore", [
    `--dbname=${quoteConnectionValue(target.database)}`,
    "--no-password",
    "--single-transaction",
    "--exit-on-error",
    ...(plan.noOwner ? ["--no-owner"] : []),
    ...(plan.noTablespaces === true ? ["--no-tablespaces"] : []),
  ]);
  restore.stdout.resume();
  try {
    await feed(restore.stdin, dump.stdout as AsyncIterable<Uint8Array>);
  } catch (error) {
    dump.kill();
    restore.kill();
    await Promise.allSettled([dump.ended, restore.ended]);
    throw error;
  }
  const [dumped, restored] = await Promise.all([dump.ended, restore.ended]);
  scratch.signal.throwIfAborted();
  if (restored.exitCode !== 0) throw restoreToolFailure(restored, "bringing the tables", target.database);
  if (dumped.exitCode !== 0)
    throw restoreToolFailure(dumped, "reading the tables", scratch.connection.database);
}

async function compareStaged(
  job: RestoreJob,
  tables: PlannedTables,
  stage: string,
): Promise<RestoreComparison> {
  const chosen = job.source.inventory.tables.filter(({ schema, name }) =>
    tables.some((table) => table.schema === schema && table.name === name),
  );
  const staged = chosen.map(({ parent, ...table }) => {
    const isInTree = parent !== undefined && tables.some(({ name }) => name === parent.name);
    return { ...table, schema: stage, ...(isInTree ? { parent: { schema: stage, name: parent.name } } : {}) };
  });
  const wanted = countingPlan(staged);
  const counted = await countTables(sameServer(job.connection, job.plan.target), wanted, {
    jobs: job.plan.jobs,
    signal: job.run.signal,
    analyze: true,
  });
  return {
    tables: tables.length,
    rows: counted.rows,
    sequences: 0,
    largeObjects: 0,
    differences: counted.differences,
  };
}

/** The foreign keys of tables that land in their own place, as the statements of the backup. */
export async function foreignKeysToMake(
  run: TaskRun,
  backupId: string,
  plan: DatabasePlan,
): Promise<string[]> {
  const placed = (plan.tables ?? []).filter((table) => table.landsIn === table.schema);
  const source = await openDatabaseSource(run, backupId);
  return foreignKeysOf(sectionedEntries(source), placed).map((entry) => entry.definition);
}

async function withClient<T>(connection: Connection, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(connection, { applicationName: "lc2 restore" });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
