import type pg from "pg";
import { readSystemIdentifier } from "./identify-database.ts";

/** Facts about the server and the database a session is connected to. */
export interface ServerFacts {
  readonly major: number;
  /** e.g. "17.10". */
  readonly version: string;
  readonly isStandby: boolean;
  readonly database: string;
  readonly databaseOid: number;
  /** `pg_database_size`: tables, indexes and all. */
  readonly sizeBytes: number;
  readonly encoding: string;
  /** Undefined where this role may not ask. */
  readonly systemIdentifier: string | undefined;
  readonly user: string;
  readonly superuser: boolean;
  readonly bypassesRowSecurity: boolean;
  /** The server's clock, milliseconds since the epoch. */
  readonly nowMs: number;
}

export async function readServerFacts(client: pg.Client): Promise<ServerFacts> {
  const { rows } = await client.query<{
    version_number: number;
    version: string;
    is_standby: boolean;
    database: string;
    oid: string;
    size: string;
    encoding: string;
    user_name: string;
    superuser: boolean;
    bypass: boolean;
    now_ms: string;
  }>(`
    SELECT current_setting('server_version_num')::int AS version_number, current_setting('server_version') AS version,
           pg_is_in_recovery() AS is_standby, d.datname AS database, d.oid::text AS oid,
           pg_database_size(d.oid)::text AS size, pg_encoding_to_char(d.encoding) AS encoding,
           current_user AS user_name, r.rolsuper AS superuser, r.rolbypassrls AS bypass,
           floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS now_ms
      FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user`);
  const row = rows[0];
  if (!row) throw new Error("the server does not know its own database");
  return {
    major: Math.floor(row.version_number / 10_000),
    version: row.version.split(" ")[0] ?? row.version,
    isStandby: row.is_standby,
    database: row.database,
    databaseOid: Number(row.oid),
    sizeBytes: Number(row.size),
    encoding: row.encoding,
    systemIdentifier: await readSystemIdentifier(client),
    user: row.user_name,
    superuser: row.superuser,
    bypassesRowSecurity: row.superuser || row.bypass,
    nowMs: Number(row.now_ms),
  };
}

/**
 * Tables that hold rows of the application, and partitioned ones above them. Not the system's; of an
 * extension's only those that it lists as configuration, because pg_dump takes no others.
 */
export interface CatalogTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly partitioned: boolean;
  readonly unlogged: boolean;
  readonly ofExtension: boolean;
  readonly parentOid?: number;
  readonly root?: { readonly schema: string; readonly name: string };
}

/** Conditions that leave out the system's schemas; `n` is pg_namespace. */
export const userSchemas = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/** True where an extension made the object of pg_class `c`. */
export const madeByExtension = `EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_class'::regclass
  AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e')`;

export async function listTables(client: pg.Client): Promise<CatalogTable[]> {
  const { rows } = await client.query<{
    oid: string;
    schema: string;
    name: string;
    kind: string;
    persistence: string;
    of_extension: boolean;
    parent: string | null;
    root_schema: string | null;
    root_name: string | null;
  }>(`
    SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
           c.relpersistence AS persistence, ${madeByExtension} AS of_extension,
           i.inhparent::oid::text AS parent, rn.nspname AS root_schema, r.relname AS root_name
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_inherits i ON c.relispartition AND i.inhrelid = c.oid
      LEFT JOIN pg_class r ON c.relispartition AND r.oid = pg_partition_root(c.oid)
      LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ${userSchemas}
       AND (NOT ${madeByExtension} OR EXISTS (SELECT FROM pg_extension e WHERE c.oid = ANY (e.extconfig)))
     ORDER BY n.nspname, c.relname`);
  return rows.map((row) => ({
    oid: Number(row.oid),
    schema: row.schema,
    name: row.name,
    partitioned: row.kind === "p",
    unlogged: row.persistence === "u",
    ofExtension: row.of_extension,
    ...(row.parent === null ? {} : { parentOid: Number(row.parent) }),
    ...(row.root_schema === null || row.root_name === null
      ? {}
      : { root: { schema: row.root_schema, name: row.root_name } }),
  }));
}

/**
 * Bytes on disk of each table with its out-of-line values, without indexes. For a session that holds locks
 * on them: otherwise it may wait for one.
 */
export async function readTableSizes(
  client: pg.Client,
  oids: readonly number[],
): Promise<Map<number, number>> {
  const { rows } = await client.query<{ oid: string; size: string }>(
    "SELECT t::text AS oid, coalesce(pg_table_size(t), 0)::text AS size FROM unnest($1::oid[]) AS t",
    [oids],
  );
  return new Map(rows.map((row) => [Number(row.oid), Number(row.size)]));
}

/** Bytes on disk of all large objects. */
export async function readLargeObjectsSize(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ size: string }>(
    "SELECT pg_table_size('pg_largeobject'::regclass)::text AS size",
  );
  return Number(rows[0]?.size ?? 0);
}
