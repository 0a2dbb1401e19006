/**
 * Fingerprints prove that a database or folder is what it was: every row, every large object's bytes, every
 * sequence and definition; every file's bytes, mode, time and target. Two fingerprints are compared line by
 * line, so that a difference has a name.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type pg from "pg";
import { openClient, type PostgresServer } from "./postgres-servers.ts";

const run = promisify(execFile);

/** What there is (`table "cms"."document"`, `file a/b`) → its content in short. */
export type Fingerprint = ReadonlyMap<string, string>;

export interface Difference {
  readonly what: string;
  /** Absent: it was not there. */
  readonly before?: string;
  readonly after?: string;
}

/** What differs between two fingerprints, ordered by name; empty when they are equal. */
export function diffFingerprints(before: Fingerprint, after: Fingerprint): Difference[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort()
    .filter((what) => before.get(what) !== after.get(what))
    .map((what) => ({ what, ...present("before", before.get(what)), ...present("after", after.get(what)) }));
}

const present = (name: "before" | "after", value: string | undefined) =>
  value === undefined ? {} : { [name]: value };

export interface DatabaseFingerprintOptions {
  /** Connections that read tables at once; default 2. */
  readonly connections?: number;
  /** Definitions too, by `pg_dump --schema-only`; default true. */
  readonly definitions?: boolean;
}

/**
 * Reads all of a database as its server's superuser. Keys: `table`, `materialized view`, `sequence`, `large
 * object`, `definition`, `database`. The rows of a partitioned table are one entry, whichever partition they
 * lie in; the order of rows does not count.
 */
export async function fingerprintDatabase(
  server: PostgresServer,
  database: string,
  options: DatabaseFingerprintOptions = {},
): Promise<Fingerprint> {
  const clients = await Promise.all(
    Array.from({ length: options.connections ?? 2 }, () => openReader(server, database)),
  );
  try {
    const [first] = clients;
    if (first === undefined) throw new Error("at least one connection is needed");
    const work = [...(await listRelations(first)), "large objects" as const];
    const entries: [string, string][] = [];
    await Promise.all(
      clients.map(async (client) => {
        for (let next = work.shift(); next !== undefined; next = work.shift()) {
          entries.push(
            ...(next === "large objects"
              ? await readLargeObjects(client)
              : [await readRelation(client, next)]),
          );
        }
      }),
    );
    entries.push(...(await readDatabaseFacts(first)));
    if (options.definitions !== false) entries.push(...(await readDefinitions(server, database)));
    return sorted(entries);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

const sorted = (entries: [string, string][]): Fingerprint =>
  new Map(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));

/** Text forms of values depend on settings: these are fixed. */
async function openReader(server: PostgresServer, database: string): Promise<pg.Client> {
  const client = await openClient(server.urlOf(database), server.password);
  await client.query(`
    SET search_path = ''; SET row_security = off; SET statement_timeout = 0;
    SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET extra_float_digits = 3;
    SET bytea_output = 'hex'; SET xmloption = 'content'; SET lc_monetary = 'C';
  `);
  return client;
}

interface Relation {
  readonly kind: "table" | "materialized view" | "sequence";
  /** Quoted. */
  readonly name: string;
  readonly bytes: number;
  /** A materialised view made WITH NO DATA cannot be read. */
  readonly filled: boolean;
}

/** The largest first, so that the connections end at about the same time. */
async function listRelations(client: pg.Client): Promise<Relation[]> {
  const { rows } = await client.query<Relation>(`
    SELECT CASE c.relkind WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
           format('%I.%I', n.nspname, c.relname) AS name, c.relispopulated AS filled,
           coalesce((SELECT sum(pg_catalog.pg_table_size(tree.relid)) FROM pg_catalog.pg_partition_tree(c.oid) AS tree),
                    pg_catalog.pg_table_size(c.oid))::float8 AS bytes
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'S') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY bytes DESC, name`);
  return rows;
}

/** Count and two sums of 64-bit hashes of the rows' text: the same for the same rows in any order. */
async function readRelation(client: pg.Client, { kind, name, filled }: Relation): Promise<[string, string]> {
  if (!filled) return [`${kind} ${name}`, "not filled"];
  if (kind === "sequence") {
    const { rows } = await client.query<{ at: string }>(
      `SELECT last_value || ' ' || is_called AS at FROM ${name}`,
    );
    return [`${kind} ${name}`, rows[0]?.at ?? ""];
  }
  // OFFSET keeps PostgreSQL from making each row's text twice.
  // ONLY leaves the rows of inheriting tables to themselves; a partitioned table has none but its partitions'.
  const { rows: partitioned } = await client.query(
    "SELECT FROM pg_catalog.pg_partitioned_table WHERE partrelid = $1::regclass",
    [name],
  );
  const { rows } = await client.query<{ count: string; a: string | null; b: string | null }>(`
    SELECT count(*), sum(pg_catalog.hashtextextended(line, 0)) AS a, sum(pg_catalog.hashtextextended(line, 1)) AS b
    FROM (SELECT t::text AS line FROM ${partitioned.length > 0 ? "" : "ONLY "}${name} AS t OFFSET 0) AS rows`);
  const [row] = rows;
  return [`${kind} ${name}`, `${row?.count} rows ${row?.a ?? "-"} ${row?.b ?? "-"}`];
}

/** Logical bytes: a hole reads as zeros, whether it is stored or not. */
async function readLargeObjects(client: pg.Client): Promise<[string, string][]> {
  await client.query("BEGIN");
  const { rows } = await client.query<{ oid: string; bytes: string; md5: string }>(`
    SELECT oid, bytes,
           (SELECT pg_catalog.md5(coalesce(string_agg(pg_catalog.md5(pg_catalog.lo_get(oid, piece * 1048576, 1048576)), '' ORDER BY piece), ''))
            FROM pg_catalog.generate_series(0, (bytes - 1) / 1048576) AS piece) AS md5
    FROM (SELECT oid, pg_catalog.lo_lseek64(pg_catalog.lo_open(oid, 262144), 0, 2) AS bytes
          FROM pg_catalog.pg_largeobject_metadata) AS sizes
    ORDER BY oid`);
  await client.query("COMMIT");
  return rows.map(({ oid, bytes, md5 }) => [`large object ${oid}`, `${bytes} bytes ${md5}`]);
}

/** What belongs to the database and no plain dump holds. */
async function readDatabaseFacts(client: pg.Client): Promise<[string, string][]> {
  const { rows } = await client.query<{ what: string; value: string }>(`
    WITH me AS (SELECT * FROM pg_catalog.pg_database WHERE datname = current_database())
    SELECT 'owner' AS what, pg_catalog.pg_get_userbyid(datdba)::text AS value FROM me
    UNION ALL SELECT 'encoding and locale', concat_ws(' ', pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype) FROM me
    UNION ALL SELECT 'comment', coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '') FROM me
    UNION ALL SELECT 'rights', coalesce((SELECT string_agg(item::text, ' ' ORDER BY item::text) FROM unnest(datacl) AS item), 'default') FROM me
    UNION ALL SELECT 'setting of ' || coalesce(pg_catalog.pg_get_userbyid(nullif(setrole, 0)), 'all'), setting
      FROM me JOIN pg_catalog.pg_db_role_setting ON setdatabase = me.oid, unnest(setconfig) AS setting`);
  const facts = new Map<string, string>();
  for (const { what, value } of rows.sort((a, b) => (a.value < b.value ? -1 : 1))) {
    const key = `database ${what}`;
    facts.set(key, facts.has(key) ? `${facts.get(key)}; ${value}` : value);
  }
  return [...facts];
}

/** One entry per object of the schema dump, named by its comment header. */
async function readDefinitions(server: PostgresServer, database: string): Promise<[string, string][]> {
  const tools = server.installation.clientDirectory;
  if (tools === undefined) throw new Error(`no pg_dump for PostgreSQL ${server.installation.version}`);
  const { stdout } = await run(
    join(tools, "pg_dump"),
    ["--schema-only", "--dbname", server.urlOf(database)],
    {
      env: { PATH: "/usr/bin:/bin", PGPASSWORD: server.password },
      maxBuffer: 256 * 1024 * 1024,
    },
  );
  const entries = new Map<string, string>();
  // Newer minor versions add `\restrict` with a random word.
  const pieces = stdout.replaceAll(/^\\(un)?restrict .*$/gm, "").split(/^--\n-- Name: /m);
  for (const piece of pieces.slice(1)) {
    const [, name = "", type = "", schema = ""] =
      /^([^]*?); Type: ([^;]*); Schema: ([^;]*);/.exec(piece) ?? [];
    const key = `definition ${type} ${schema}.${name}`;
    const body = piece
      .slice(piece.indexOf("\n--\n") + 4)
      .replace(/--\n-- PostgreSQL database dump complete[^]*$/, "");
    entries.set(key, `${entries.get(key) ?? ""}${body.trim()}`);
  }
  return [...entries].map(([key, body]) => [key, createHash("md5").update(body).digest("hex")]);
}

/**
 * Reads all of a folder without following links. Keys are `file`, `folder`, `link`, `other` and the path,
 * bytes that are not UTF-8 as `\xff`; values hold mode, modification time in milliseconds, size and SHA-256
 * or target.
 */
export async function fingerprintFolder(folder: string): Promise<Fingerprint> {
  const entries: [string, string][] = [];
  await readFolder(Buffer.from(folder), Buffer.alloc(0), entries);
  return sorted(entries);
}

async function readFolder(root: Buffer, relative: Buffer, entries: [string, string][]): Promise<void> {
  const names = await readdir(joinBytes(root, relative), { encoding: "buffer" });
  for (const name of names) {
    const below = relative.length === 0 ? name : joinBytes(relative, name);
    const path = joinBytes(root, below);
    const facts = await lstat(path);
    const time = `${(facts.mode & 0o7777).toString(8)} ${Math.round(facts.mtimeMs)}`;
    const shown = showPath(below);
    if (facts.isFile()) entries.push([`file ${shown}`, `${time} ${facts.size} ${await hashFile(path)}`]);
    else if (facts.isSymbolicLink()) {
      entries.push([`link ${shown}`, showPath(await readlink(path, { encoding: "buffer" }))]);
    } else if (facts.isDirectory()) {
      entries.push([`folder ${shown}`, time]);
      await readFolder(root, below, entries);
    } else entries.push([`other ${shown}`, time]);
  }
}

const joinBytes = (a: Buffer, b: Buffer): Buffer =>
  b.length === 0 ? a : Buffer.concat([a, Buffer.from("/"), b]);

async function hashFile(path: Buffer): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** UTF-8 where it is; other bytes as `\xff`. Different paths are shown differently. */
function showPath(path: Buffer): string {
  const text = path.toString("utf8");
  if (Buffer.from(text, "utf8").equals(path)) return text.replaceAll("\\", "\\\\");
  return path
    .toString("latin1")
    .replaceAll("\\", "\\\\")
    .replaceAll(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
}
