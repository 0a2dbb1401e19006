import type pg from "pg";
import { Failure } from "../../core/failure.ts";
import { markerSchemaName } from "../../core/restore/restore-names.ts";
import { connect, type Connection } from "../../postgres/connection.ts";
import { quoteIdentifier, quoteLiteral } from "../../postgres/quote.ts";
import { readDatabaseContents } from "./target.ts";

/**
 * Filling a database that exists and is empty. A schema of the restore's own marks it from before the first
 * object until the restore is done: only with that mark may its content be cleared again.
 */
interface FillingMark {
  readonly restoreId: string;
  /** Extensions that were there before. */
  readonly extensions: readonly string[];
}

async function openSession(connection: Connection): Promise<pg.Client> {
  const client = await connect(connection, { applicationName: "lc2 restore" });
  // The database may have been restored with the setting of an archive that nobody is to write to.
  await client.query("SET default_transaction_read_only = off");
  return client;
}

/**
 * Marks the database. What a dead try of this restore left in it is cleared first. Rejects with
 * `target-occupied` when something else is in it.
 */
export async function beginFilling(connection: Connection, restoreId: string): Promise<void> {
  await clearFilling(connection, restoreId);
  const client = await openSession(connection);
  try {
    const contents = await readDatabaseContents(client);
    if (contents.userObjects > 0) {
      throw new Failure(
        "target-occupied",
        `Database "${connection.database}" is not empty any more. Nothing was changed. Plan again.`,
      );
    }
    const mark: FillingMark = { restoreId, extensions: [...contents.installedExtensions].toSorted() };
    await makeMark(client, markerSchemaName(restoreId), JSON.stringify(mark), contents.mayCreateSchemas);
  } finally {
    await client.end();
  }
}

async function makeMark(client: pg.Client, name: string, text: string, asSchema: boolean): Promise<void> {
  await client.query("BEGIN");
  if (asSchema) {
    await client.query(`CREATE SCHEMA ${quoteIdentifier(name)}`);
    await client.query(`COMMENT ON SCHEMA ${quoteIdentifier(name)} IS ${quoteLiteral(text)}`);
  } else {
    await client.query(`CREATE TABLE public.${quoteIdentifier(name)} ()`);
    await client.query(`COMMENT ON TABLE public.${quoteIdentifier(name)} IS ${quoteLiteral(text)}`);
  }
  await client.query("COMMIT");
}

interface FoundMark extends FillingMark {
  readonly drop: string;
}

async function findMark(client: pg.Client, restoreId: string): Promise<FoundMark | undefined> {
  const name = markerSchemaName(restoreId);
  const { rows } = await client.query<{ text: string | null; drop: string }>(
    `SELECT obj_description(oid, 'pg_namespace') AS text, 'DROP SCHEMA IF EXISTS ' || quote_ident(nspname) AS drop
       FROM pg_namespace WHERE nspname = $1
     UNION ALL
     SELECT obj_description(oid, 'pg_class'), 'DROP TABLE IF EXISTS public.' || quote_ident(relname)
       FROM pg_class WHERE relname = $1 AND relnamespace = to_regnamespace('public')`,
    [name],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const mark = JSON.parse(row.text ?? "{}") as Partial<FillingMark>;
  if (mark.restoreId !== restoreId) return undefined;
  return { restoreId, extensions: mark.extensions ?? [], drop: row.drop };
}

/** True from the beginning of the filling until its mark is taken off or it is cleared. */
export async function hasFillingMark(connection: Connection, restoreId: string): Promise<boolean> {
  const client = await openSession(connection);
  try {
    return (await findMark(client, restoreId)) !== undefined;
  } finally {
    await client.end();
  }
}

/** Makes the restored content permanent. Idempotent. */
export async function removeFillingMark(connection: Connection, restoreId: string): Promise<void> {
  const client = await openSession(connection);
  try {
    const mark = await findMark(client, restoreId);
    if (mark !== undefined) await client.query(mark.drop);
  } finally {
    await client.end();
  }
}

/**
 * Empties a database that carries this restore's mark, which goes last; false, and nothing touched, where
 * there is no mark. Idempotent: a clearing that was interrupted is taken up.
 */
export async function clearFilling(connection: Connection, restoreId: string): Promise<boolean> {
  const client = await openSession(connection);
  try {
    const mark = await findMark(client, restoreId);
    if (mark === undefined) return false;
    await endOwnLoaders(client);
    await dropEverything(client, mark);
    await client.query(mark.drop);
    return true;
  } finally {
    await client.end();
  }
}

/** pg_restore sessions that a killed worker left behind would go on filling. */
async function endOwnLoaders(client: pg.Client): Promise<void> {
  await client
    .query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user
          AND application_name IN ('lc2 restore', 'pg_restore', 'psql')`,
    )
    .catch(() => {});
}

/** Objects of the database that a query lists, as `DROP` statements; repeated until nothing is left. */
async function dropEverything(client: pg.Client, mark: FoundMark): Promise<void> {
  await client.query("SET client_min_messages = warning");
  await dropListed(client, listTopLevel, [mark.extensions]);
  // Tables one at a time: a whole schema at once may need more locks than the server has.
  await dropListed(client, listTables, [markerSchemaName(mark.restoreId)]);
  await dropListed(client, listInPublic, [markerSchemaName(mark.restoreId)]);
  await dropListed(client, listSchemas, [markerSchemaName(mark.restoreId)]);
  for (;;) {
    const { rows } = await client.query(
      "SELECT lo_unlink(oid) FROM (SELECT oid FROM pg_largeobject_metadata LIMIT 500) AS batch",
    );
    if (rows.length === 0) break;
  }
}

async function dropListed(client: pg.Client, list: string, values: readonly unknown[]): Promise<void> {
  let before = Number.POSITIVE_INFINITY;
  for (;;) {
    const { rows } = await client.query<{ statement: string }>(list, [...values]);
    if (rows.length === 0) return;
    if (rows.length >= before) {
      throw new Failure(
        "restore-target-failed",
        `What the restore had created cannot all be dropped again: ${rows[0]?.statement}. Drop it by hand.`,
      );
    }
    before = rows.length;
    // Something earlier in the list may have taken this one along.
    for (const { statement } of rows) await client.query(statement).catch(() => {});
  }
}

const notOfExtension = (catalog: string): string =>
  `NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = o.oid AND e.deptype = 'e')`;

const listTopLevel = `
  SELECT 'DROP EVENT TRIGGER ' || quote_ident(evtname) || ' CASCADE' AS statement FROM pg_event_trigger o
   WHERE ${notOfExtension("pg_event_trigger")}
  UNION ALL SELECT 'DROP PUBLICATION ' || quote_ident(pubname) FROM pg_publication
  UNION ALL SELECT 'DROP SERVER ' || quote_ident(srvname) || ' CASCADE' FROM pg_foreign_server o
   WHERE ${notOfExtension("pg_foreign_server")}
  UNION ALL SELECT 'DROP FOREIGN DATA WRAPPER ' || quote_ident(fdwname) || ' CASCADE' FROM pg_foreign_data_wrapper o
   WHERE ${notOfExtension("pg_foreign_data_wrapper")}
  UNION ALL SELECT 'DROP CAST (' || format_type(castsource, NULL) || ' AS ' || format_type(casttarget, NULL) || ')'
    FROM pg_cast o WHERE oid >= 16384 AND ${notOfExtension("pg_cast")}
  UNION ALL SELECT 'DROP EXTENSION ' || quote_ident(extname) || ' CASCADE' FROM pg_extension WHERE extname <> ALL ($1)`;

const userSchema = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> $1";

const listTables = `
  SELECT 'DROP ' || CASE relkind WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END
         || ' IF EXISTS ' || quote_ident(n.nspname) || '.' || quote_ident(relname) || ' CASCADE' AS statement
    FROM pg_class o JOIN pg_namespace n ON n.oid = relnamespace
   WHERE relkind IN ('r', 'p', 'f', 'm') AND ${userSchema} AND relname <> $1 AND ${notOfExtension("pg_class")}`;

const listInPublic = `
  SELECT DISTINCT 'DROP ' || upper(i.type) || ' IF EXISTS ' || i.identity || ' CASCADE' AS statement
    FROM pg_depend d JOIN pg_namespace n ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
    CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
   WHERE d.deptype = 'n' AND n.nspname = 'public' AND ${userSchema} AND d.objsubid = 0
     AND i.name IS DISTINCT FROM $1 AND i.identity NOT LIKE '%[]'
     AND i.type NOT IN ('index', 'toast table', 'default acl', 'extension', 'rule', 'trigger')
     AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')`;

const listSchemas = `
  SELECT 'DROP SCHEMA ' || quote_ident(n.nspname) || ' CASCADE' AS statement FROM pg_namespace n
   WHERE ${userSchema} AND n.nspname <> 'public'
     AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e')`;
