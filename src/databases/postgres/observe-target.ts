import { statfs } from "node:fs/promises";
import type pg from "pg";
import { Failure } from "../../core/failure.ts";
import type { TargetObservation } from "../../core/restore/plan-restore.ts";
import { connectAdmin } from "./admin-session.ts";
import { catalogApplicationName, connect, type Connection } from "../../postgres/connection.ts";
import { readDatabaseContents, readServerFacts, type DatabaseContents, type ServerFacts } from "./target.ts";

/** All that a plan wants to know of the target. Only reads. */
export interface ObservedTarget extends TargetObservation {
  readonly server: ServerFacts;
  /** Absent where the target does not exist. */
  readonly contents?: DatabaseContents;
  /** An administrator set this role to read only. */
  readonly readOnlyRole: boolean;
  readonly form?: { readonly encoding: string; readonly collate: string; readonly ctype: string };
  /** What a swap would cut, as sentences. */
  readonly breaks: readonly string[];
  /** What would stop a swap: prepared transactions. */
  readonly swapStoppers: readonly string[];
  /** An lc2 has its catalog in it, and works with it at this moment. */
  readonly holdsCatalog: boolean;
  /** Free bytes where the server keeps its data; absent where it cannot be known. */
  readonly freeBytes?: number;
}

/** Rejects with a `database-…` Failure when the server cannot be asked; a missing database is an answer. */
export async function observeTarget(connection: Connection): Promise<ObservedTarget> {
  const own = await connectOwn(connection);
  if (own === undefined) {
    const admin = await connectAdmin(connection, [connection.database]);
    try {
      return await observeMissing(connection, admin);
    } finally {
      await admin.end();
    }
  }
  try {
    return await observeExisting(connection, own);
  } finally {
    await own.end();
  }
}

async function connectOwn(connection: Connection): Promise<pg.Client | undefined> {
  try {
    return await connect(connection, { applicationName: "lc2 restore" });
  } catch (error) {
    if (error instanceof Failure && error.code === "database-not-found") return undefined;
    throw error;
  }
}

async function observeMissing(connection: Connection, admin: pg.Client): Promise<ObservedTarget> {
  const server = await readServerFacts(admin);
  const freeBytes = await readFreeBytes(connection, admin);
  return {
    database: connection.database,
    user: server.user,
    state: "missing",
    owns: false,
    createDatabase: server.createDatabase,
    mayCreateInside: false,
    server,
    readOnlyRole: await isReadOnly(admin),
    breaks: [],
    swapStoppers: [],
    holdsCatalog: false,
    ...(freeBytes === undefined ? {} : { freeBytes }),
  };
}

async function observeExisting(connection: Connection, client: pg.Client): Promise<ObservedTarget> {
  const server = await readServerFacts(client);
  const contents = await readDatabaseContents(client);
  const { rows } = await client.query<{ owns: boolean; encoding: string; collate: string; ctype: string }>(
    `SELECT pg_has_role(datdba, 'USAGE') AS owns, pg_encoding_to_char(encoding) AS encoding,
            datcollate AS collate, datctype AS ctype
       FROM pg_database WHERE datname = current_database()`,
  );
  const row = rows[0];
  const freeBytes = await readFreeBytes(connection, client);
  return {
    database: connection.database,
    user: server.user,
    state: contents.userObjects === 0 ? "empty" : "occupied",
    owns: row?.owns ?? false,
    createDatabase: server.createDatabase,
    mayCreateInside: contents.mayCreateSchemas || contents.mayCreateInPublic,
    server,
    contents,
    readOnlyRole: await isReadOnly(client),
    ...(row === undefined
      ? {}
      : { form: { encoding: row.encoding, collate: row.collate, ctype: row.ctype } }),
    breaks: await readBreaks(client),
    swapStoppers: await preparedTransactions(client),
    holdsCatalog: await isCatalogInUse(client),
    ...(freeBytes === undefined ? {} : { freeBytes }),
  };
}

async function isReadOnly(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ value: string }>(
    "SELECT current_setting('default_transaction_read_only') AS value",
  );
  return rows[0]?.value === "on";
}

async function preparedTransactions(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ gid: string }>(
    "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared",
  );
  return rows.map((row) => row.gid);
}

/**
 * However the two URLs are spelled: whoever plans this restore has a session with its catalog open, and the names of
 * sessions are shown to everybody.
 */
async function isCatalogInUse(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query(
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1 LIMIT 1",
    [catalogApplicationName],
  );
  return rows.length > 0;
}

async function readBreaks(client: pg.Client): Promise<string[]> {
  const list = async (sql: string): Promise<string[]> => {
    // What this role may not look at is not known, and no reason to refuse a plan.
    const { rows } = await client.query<{ name: string }>(sql).catch(() => ({ rows: [] }));
    return rows.map((row) => row.name);
  };
  const sessions = await list(
    `SELECT coalesce(nullif(application_name, ''), 'session') || ' (' || coalesce(usename, '?') || ')' AS name
       FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
      ORDER BY 1`,
  );
  const slots = await list(
    "SELECT slot_name AS name FROM pg_replication_slots WHERE database = current_database()",
  );
  const subscriptions = await list(
    `SELECT subname AS name FROM pg_subscription
      WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  const publications = await list("SELECT pubname AS name FROM pg_publication");
  const cron = await list("SELECT extname AS name FROM pg_extension WHERE extname = 'pg_cron'");
  const cronDatabase = await list("SELECT current_setting('cron.database_name', true) AS name");
  const jobs =
    cron.length === 0 ? [] : await list("SELECT coalesce(jobname, jobid::text) AS name FROM cron.job");
  const told: string[] = [];
  if (sessions.length > 0) told.push(`${sessions.length} open sessions are ended: ${shorten(sessions)}.`);
  if (slots.length > 0) {
    told.push(
      `Replication slots stay with the old database and keep its WAL: ${shorten(slots)}. Make them anew.`,
    );
  }
  if (subscriptions.length > 0)
    told.push(`Subscriptions stay with the old database: ${shorten(subscriptions)}.`);
  if (publications.length > 0) {
    told.push(
      `Subscribers of ${shorten(publications)} must be set up anew; their slots belong to the old database.`,
    );
  }
  if (cron.length > 0)
    told.push(`pg_cron runs in this database; its jobs stay with the old one: ${shorten(jobs)}.`);
  else if (cronDatabase[0])
    told.push(
      `pg_cron jobs of "${cronDatabase[0]}" go by the database's name: they run in the restored one.`,
    );
  told.push(
    "Poolers (PgBouncer and others) and foreign servers that name this database reach the restored one when they reconnect.",
  );
  return told;
}

const shorten = (names: readonly string[]): string =>
  names.length <= 5 ? names.join(", ") : `${names.slice(0, 5).join(", ")} and ${names.length - 5} more`;

/** Only for a server on this machine that tells where its data are. */
async function readFreeBytes(connection: Connection, client: pg.Client): Promise<number | undefined> {
  if (!connection.host.startsWith("/") && !["localhost", "127.0.0.1", "::1"].includes(connection.host))
    return undefined;
  try {
    const { rows } = await client.query<{ directory: string | null }>(
      "SELECT current_setting('data_directory', true) AS directory",
    );
    const directory = rows[0]?.directory;
    if (directory === null || directory === undefined) return undefined;
    const facts = await statfs(directory);
    return facts.bavail * facts.bsize;
  } catch {
    return undefined;
  }
}
