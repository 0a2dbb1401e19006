import type pg from "pg";
import { Failure } from "../../core/failure.ts";
import { sideSchemaName, undoneSchemaName } from "../../core/restore/restore-names.ts";
import type { DatabasePlan } from "../../core/restore/restore.ts";
import { quoteIdentifier, quoteLiteral, quoteName } from "../../postgres/quote.ts";

/**
 * Restored tables come into the target in a schema of the restore's own, made with its mark, and are moved from
 * there into their place in one transaction. What they replace is moved into another schema, never deleted: rules
 * of Liferay's tables unlink large objects when rows are deleted.
 */
type State = "staged" | "placed" | "undone";

interface SchemaMark {
  readonly restoreId: string;
  readonly state: State;
}

export type PlannedTables = NonNullable<DatabasePlan["tables"]>;

const sentences: Record<State, string> = {
  staged: "is being filled by",
  placed: "holds tables restored or replaced by",
  undone: "holds tables put aside by the undo of",
};

function markSchema(schema: string, mark: SchemaMark): string {
  const text = `This schema ${sentences[mark.state]} lc2 ${mark.restoreId}.\nlc2-marker ${JSON.stringify(mark)}`;
  return `COMMENT ON SCHEMA ${quoteIdentifier(schema)} IS ${quoteLiteral(text)}`;
}

/** The mark of a schema; undefined where there is no such schema or it is not one of ours. */
async function readMark(client: pg.Client, schema: string): Promise<SchemaMark | undefined> {
  const { rows } = await client.query<{ text: string | null }>(
    "SELECT obj_description(oid, 'pg_namespace') AS text FROM pg_namespace WHERE nspname = $1",
    [schema],
  );
  const json = /\nlc2-marker (\{.*\})$/s.exec(rows[0]?.text ?? "")?.[1];
  return json === undefined ? undefined : (JSON.parse(json) as SchemaMark);
}

/** Makes the empty schema that the tables come into; what a dead try of this restore left in it is dropped. */
export async function makeStage(client: pg.Client, restoreId: string): Promise<void> {
  await dropStage(client, restoreId);
  const stage = sideSchemaName(restoreId);
  await client.query("BEGIN");
  await client.query(`CREATE SCHEMA ${quoteIdentifier(stage)}`);
  await client.query(markSchema(stage, { restoreId, state: "staged" }));
  await client.query("COMMIT");
}

/** Drops tables that were never put in place; true when there were some. Never touches placed ones. Idempotent. */
export async function dropStage(client: pg.Client, restoreId: string): Promise<boolean> {
  const stage = sideSchemaName(restoreId);
  const mark = await readMark(client, stage);
  if (mark?.restoreId !== restoreId || mark.state !== "staged") return false;
  await client.query(`DROP SCHEMA ${quoteIdentifier(stage)} CASCADE`);
  return true;
}

/** Whether the tables of this plan are where they land. */
export async function arePlaced(
  client: pg.Client,
  restoreId: string,
  tables: PlannedTables,
): Promise<boolean> {
  const mark = await readMark(client, sideSchemaName(restoreId));
  if (mark?.restoreId === restoreId) return mark.state === "placed";
  for (const { landsIn, name } of tables) if (!(await exists(client, landsIn, name))) return false;
  return tables.every(({ landsIn }) => landsIn !== sideSchemaName(restoreId));
}

/**
 * Moves the tables into their place, those that are replaced into the undo schema, and makes the foreign keys
 * of the placed ones; all in one transaction. Idempotent. Rejects with `target-occupied` when a table has come up
 * since the plan, and with `restore-target-failed`.
 */
export async function placeTables(
  client: pg.Client,
  restoreId: string,
  plan: { readonly tables: PlannedTables; readonly undoSchema?: string },
  foreignKeys: readonly string[],
): Promise<void> {
  if (await arePlaced(client, restoreId, plan.tables)) return;
  const stage = sideSchemaName(restoreId);
  const moved = plan.tables.filter((table) => table.landsIn !== stage);
  await inTransaction(client, "putting the restored tables in place", async () => {
    if (plan.undoSchema !== undefined) {
      await client.query(`CREATE SCHEMA ${quoteIdentifier(plan.undoSchema)}`);
      await client.query(markSchema(plan.undoSchema, { restoreId, state: "placed" }));
    }
    for (const { landsIn, name } of moved) {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(landsIn)}`);
      if (await exists(client, landsIn, name)) await moveAway(client, landsIn, name, plan.undoSchema);
    }
    for (const { landsIn, name } of moved) await moveTable(client, stage, name, landsIn);
    for (const statement of foreignKeys) await client.query(statement);
    await client.query(
      moved.length === plan.tables.length
        ? `DROP SCHEMA ${quoteIdentifier(stage)}`
        : markSchema(stage, { restoreId, state: "placed" }),
    );
  });
}

async function moveAway(
  client: pg.Client,
  schema: string,
  name: string,
  undoSchema: string | undefined,
): Promise<void> {
  if (undoSchema === undefined) {
    throw new Failure(
      "target-occupied",
      `A table ${schema}.${name} has come up since the plan was made. Nothing was changed. Plan again.`,
    );
  }
  for (const member of await treeOf(client, schema, name)) {
    await moveTable(client, member.schema, member.name, undoSchema);
  }
}

/** A table and, where it is partitioned, everything below it. */
async function treeOf(
  client: pg.Client,
  schema: string,
  name: string,
): Promise<{ schema: string; name: string }[]> {
  const { rows } = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name
       FROM (SELECT to_regclass($1)::oid AS oid
             UNION SELECT relid::oid FROM pg_partition_tree(to_regclass($1))) AS tree
       JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = c.relnamespace`,
    [quoteName(schema, name)],
  );
  return rows;
}

async function moveTable(client: pg.Client, from: string, name: string, to: string): Promise<void> {
  await client.query(`ALTER TABLE ${quoteName(from, name)} SET SCHEMA ${quoteIdentifier(to)}`);
}

async function exists(client: pg.Client, schema: string, name: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [
    quoteName(schema, name),
  ]);
  return rows[0]?.there ?? false;
}

/**
 * Takes it back: restored tables into a schema of their own, replaced ones into their old place, in one
 * transaction. Gives that schema's name. Idempotent.
 */
export async function takeTablesBack(
  client: pg.Client,
  restoreId: string,
  plan: { readonly tables: PlannedTables; readonly undoSchema?: string },
): Promise<string> {
  const undone = undoneSchemaName(restoreId);
  if ((await readMark(client, undone))?.restoreId === restoreId) return undone;
  const stage = sideSchemaName(restoreId);
  await inTransaction(client, "putting the replaced tables back", async () => {
    await client.query(`CREATE SCHEMA ${quoteIdentifier(undone)}`);
    await client.query(markSchema(undone, { restoreId, state: "undone" }));
    for (const { landsIn, name } of plan.tables) {
      if (await exists(client, landsIn, name)) await moveTable(client, landsIn, name, undone);
    }
    if (plan.undoSchema !== undefined) await moveBack(client, plan.undoSchema, plan.tables);
    await client.query(`DROP SCHEMA IF EXISTS ${quoteIdentifier(stage)}`);
  });
  return undone;
}

/** Everything in the undo schema goes back; partitions that only the replaced table had go beside their root. */
async function moveBack(client: pg.Client, undoSchema: string, tables: PlannedTables): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f')`,
    [undoSchema],
  );
  for (const { name } of rows) {
    const place = tables.find((table) => table.name === name) ?? tables[0];
    if (place !== undefined) await moveTable(client, undoSchema, name, place.landsIn);
  }
  await client.query(`DROP SCHEMA ${quoteIdentifier(undoSchema)}`);
}

/** What keeps an existing table from being replaced: it would go on pointing to the old one. Sentences. */
export async function listDependents(client: pg.Client, tables: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    `WITH replaced AS (SELECT to_regclass(name)::oid AS oid FROM unnest($1::text[]) AS name)
     SELECT 'foreign key ' || conname || ' of ' || conrelid::regclass AS what
       FROM pg_constraint WHERE contype = 'f' AND confrelid IN (SELECT oid FROM replaced)
        AND conrelid NOT IN (SELECT oid FROM replaced WHERE oid IS NOT NULL) AND conparentid = 0
     UNION
     SELECT CASE c.relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || c.oid::regclass
       FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
       JOIN pg_class c ON c.oid = r.ev_class
      WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM replaced)
        AND c.oid NOT IN (SELECT oid FROM replaced WHERE oid IS NOT NULL)
     UNION
     SELECT 'function ' || d.objid::regprocedure
       FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.refobjid IN (SELECT oid FROM replaced)
     UNION
     SELECT 'table ' || inhrelid::regclass || ', which inherits from it' FROM pg_inherits
      WHERE inhparent IN (SELECT oid FROM replaced) AND inhrelid NOT IN (SELECT oid FROM replaced WHERE oid IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = inhparent AND relkind = 'p')
     ORDER BY 1`,
    [tables],
  );
  return rows.map((row) => row.what);
}

async function inTransaction(client: pg.Client, doing: string, work: () => Promise<void>): Promise<void> {
  await client.query("BEGIN");
  try {
    await client.query("SET LOCAL lock_timeout = '60s'");
    await work();
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    if (error instanceof Failure) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new Failure(
      "restore-target-failed",
      `The server refused ${doing}: ${message}. Nothing was changed by it.`,
      { cause: error },
    );
  }
}
