import type pg from "pg";
import { formatVersion } from "../../core/repository/layout.ts";
import type { DatabaseInventory, InventoryTable } from "../../core/repository/metadata.ts";
import type { WalkedSequence, WalkedTable } from "./archive-walker.ts";
import { madeByExtension, userSchemas, type CatalogTable, type ServerFacts } from "./catalog.ts";

/** What the archives of one backup were found to hold, all together. */
export interface ArchivedContents {
  readonly tables: ReadonlyMap<number, WalkedTable>;
  readonly sequences: readonly WalkedSequence[];
  readonly largeObjects: { readonly count: number; readonly bytes: number };
}

/**
 * The inventory of a database: catalog facts as the session of `client` sees them (give the one that holds
 * the snapshot), rows, sequences and large objects as they passed into the archives.
 */
export async function readInventory(
  client: pg.Client,
  facts: ServerFacts,
  tables: readonly CatalogTable[],
  excluded: ReadonlySet<number>,
  archived: ArchivedContents,
): Promise<DatabaseInventory> {
  return {
    format: "lc2-database-inventory",
    formatVersion,
    database: await readDatabase(client, facts.major),
    serverVersion: facts.version,
    extensions: await readExtensions(client),
    tables: [
      ...tables
        .filter((table) => !table.partitioned)
        .map((table) => describeTable(table, excluded, archived)),
      ...(await readMaterializedViews(client)),
    ],
    sequences: archived.sequences.map(({ schema, name, lastValue, isCalled }) => ({
      schema,
      name,
      lastValue,
      isCalled,
    })),
    largeObjects: archived.largeObjects,
    counts: await readCounts(client),
    invalidIndexes: await readInvalidIndexes(client),
  };
}

function describeTable(
  table: CatalogTable,
  excluded: ReadonlySet<number>,
  archived: ArchivedContents,
): InventoryTable {
  const walked = archived.tables.get(table.oid);
  // An extension may fill its tables when it is created, so its rows cannot be compared after a restore.
  const rows = walked === undefined || table.ofExtension ? {} : { rows: walked.rows };
  return {
    schema: table.schema,
    name: table.name,
    kind: "table",
    ...rows,
    ...(walked === undefined ? {} : { bytes: walked.bytes }),
    ...(excluded.has(table.oid) ? { excluded: true } : {}),
    ...(table.root === undefined ? {} : { parent: table.root }),
  };
}

async function readDatabase(client: pg.Client, major: number): Promise<DatabaseInventory["database"]> {
  const provider = major >= 15 ? "datlocprovider::text" : "NULL";
  const locale = major >= 17 ? "datlocale" : major >= 15 ? "daticulocale" : "NULL";
  const { rows } = await client.query<{
    name: string;
    owner: string;
    encoding: string;
    collate: string;
    ctype: string;
    provider: string | null;
    locale: string | null;
    comment: string | null;
    connection_limit: number;
  }>(`
    SELECT datname AS name, pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding,
           datcollate AS collate, datctype AS ctype, ${provider} AS provider, ${locale} AS locale,
           shobj_description(oid, 'pg_database') AS comment, datconnlimit AS connection_limit
      FROM pg_database WHERE datname = current_database()`);
  const row = rows[0];
  if (!row) throw new Error("the server does not know its own database");
  return {
    name: row.name,
    owner: row.owner,
    encoding: row.encoding,
    collate: row.collate,
    ctype: row.ctype,
    ...(row.provider === null ? {} : { localeProvider: row.provider }),
    ...(row.locale === null ? {} : { icuLocale: row.locale }),
    ...(row.comment === null ? {} : { comment: row.comment }),
    connectionLimit: row.connection_limit,
  };
}

async function readExtensions(client: pg.Client): Promise<DatabaseInventory["extensions"]> {
  const { rows } = await client.query<{ name: string; version: string; schema: string }>(`
    SELECT e.extname AS name, e.extversion AS version, n.nspname AS schema
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY 1`);
  return rows;
}

async function readMaterializedViews(client: pg.Client): Promise<InventoryTable[]> {
  const { rows } = await client.query<{ schema: string; name: string }>(`
    SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'm' AND ${userSchemas} AND NOT ${madeByExtension} ORDER BY 1, 2`);
  return rows.map((row) => ({ ...row, kind: "materialized-view" }));
}

/** Kinds are `constraint.f`, `index`, `trigger`, `function`, `relation.v`, …; extensions' objects are not counted. */
export async function readCounts(client: pg.Client): Promise<Record<string, number>> {
  const { rows } = await client.query<{ kind: string; count: string }>(`
    SELECT kind, count(*)::text AS count FROM (
      SELECT 'relation.' || c.relkind::text AS kind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relpersistence <> 't' AND c.relkind <> 't' AND ${userSchemas} AND NOT ${madeByExtension}
      UNION ALL
      SELECT 'constraint.' || o.contype::text FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relpersistence <> 't' AND ${userSchemas} AND NOT ${madeByExtension}
      UNION ALL
      SELECT 'trigger' FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE NOT t.tgisinternal AND ${userSchemas} AND NOT ${madeByExtension}
      UNION ALL
      SELECT 'policy' FROM pg_policy
      UNION ALL
      SELECT 'function' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
       WHERE ${userSchemas} AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_proc'::regclass
             AND x.objid = p.oid AND x.deptype = 'e')
      UNION ALL
      SELECT 'schema' FROM pg_namespace n WHERE ${userSchemas}
    ) AS objects GROUP BY kind ORDER BY kind`);
  return Object.fromEntries(rows.map((row) => [row.kind, Number(row.count)]));
}

async function readInvalidIndexes(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    SELECT n.nspname || '.' || c.relname AS name
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT (i.indisvalid AND i.indisready) AND ${userSchemas} ORDER BY 1`);
  return rows.map((row) => row.name);
}
