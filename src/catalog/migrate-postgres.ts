import type pg from "pg";
import { Failure } from "../core/failure.ts";
import { quoteIdentifier, quoteLiteral } from "../postgres/quote.ts";
import { nextMigrations, parseSchemaVersion, type SchemaVersion } from "./migrations.ts";

/** How long this program waits for another one that migrates the same catalog. */
const lockTimeoutMs = 60_000;

export interface PostgresPlace {
  readonly schema: string;
  /** Server and database, for messages. */
  readonly where: string;
}

/** Whether the tables are those this program needs. Rejects with `catalog-too-new`. */
export async function isMigrated(client: pg.Client, place: PostgresPlace): Promise<boolean> {
  return nextMigrations(await readVersion(client, place), place.where).length === 0;
}

/**
 * Makes schema and tables what this program needs, in one transaction and under an advisory lock: of several
 * programs that start at once one does it, and the others find it done. Rejects with `catalog-too-new`,
 * changing nothing.
 */
export async function migratePostgres(client: pg.Client, place: PostgresPlace): Promise<void> {
  const schema = quoteIdentifier(place.schema);
  await client.query("begin");
  try {
    await client.query(`set local lock_timeout = ${lockTimeoutMs}`);
    await client.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
      `lc2 catalog ${place.schema}`,
    ]);
    await refuseOtherEncodings(client, place);
    // Asked for first: CREATE … IF NOT EXISTS needs the right to create where there is nothing to do.
    const { rows } = await client.query("select 1 from pg_namespace where nspname = $1", [place.schema]);
    if (rows.length === 0) await createSchema(client, place);
    await client.query(`set local search_path = ${schema}`);
    const pending = nextMigrations(await readVersion(client, place), place.where);
    await client.query("create table if not exists schema_version (version integer not null)");
    for (const { statements } of pending) {
      for (const statement of statements) await client.query(collateByBytes(statement));
    }
    const last = pending.at(-1);
    if (last !== undefined) {
      await client.query("delete from schema_version");
      await client.query("insert into schema_version (version, oldest_program) values ($1, $2)", [
        last.version,
        last.oldestProgram,
      ]);
    }
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    throw error;
  }
}

async function createSchema(client: pg.Client, { schema, where }: PostgresPlace): Promise<void> {
  const name = quoteIdentifier(schema);
  try {
    await client.query(`create schema ${name}`);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "42501")) throw error;
    const role = client.user === undefined ? "its role" : quoteIdentifier(client.user);
    throw new Failure(
      "catalog-failed",
      `The role of the catalog may make no schema in the database at ${where}. Run there as its owner or a ` +
        `superuser: CREATE SCHEMA ${name} AUTHORIZATION ${role};`,
      { cause: error },
    );
  }
}

/**
 * Text in the order of its bytes, as in SQLite: lists come out alike, and an upgrade of the system's locales
 * damages no index.
 */
const collateByBytes = (statement: string): string => statement.replaceAll(/ text\b/g, ' text collate "C"');

async function refuseOtherEncodings(client: pg.Client, { where }: PostgresPlace): Promise<void> {
  const { rows } = await client.query<{ encoding: string }>("select getdatabaseencoding() as encoding");
  const encoding = rows[0]?.encoding;
  if (encoding === "UTF8") return;
  throw new Failure(
    "catalog-failed",
    `The database at ${where} has the encoding ${encoding}, which cannot hold every name. Make one with ` +
      "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
  );
}

async function readVersion(client: pg.Client, { schema }: PostgresPlace): Promise<SchemaVersion> {
  const table = `${quoteIdentifier(schema)}.schema_version`;
  const found = await client.query(`select 1 where to_regclass(${quoteLiteral(table)}) is not null`);
  if (found.rows.length === 0) return parseSchemaVersion(undefined);
  const { rows } = await client.query<Record<string, unknown>>(`select * from ${table}`);
  return parseSchemaVersion(rows[0]);
}
