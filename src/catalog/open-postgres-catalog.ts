import { Kysely, PostgresDialect, sql } from "kysely";
import type pg from "pg";
import { Failure } from "../core/failure.ts";
import type { Catalog } from "../core/ports/catalog.ts";
import {
  connect,
  redactedUrl,
  resolveConnection,
  type Connection,
  type ConnectOptions,
  type Environment,
  catalogApplicationName,
} from "../postgres/connection.ts";
import { createCatalog } from "./catalog.ts";
import { isMigrated, migratePostgres } from "./migrate-postgres.ts";
import { postgresCatalogFailure } from "./postgres-failure.ts";
import { PostgresSessions } from "./postgres-pool.ts";
import type { CatalogTables } from "./schema.ts";

export interface PostgresCatalogOptions {
  /** Holds all of the catalog's tables; made when it is missing. */
  readonly schema: string;
  /** Where libpq's files are: HOME, PGPASSFILE, PGSERVICEFILE, PGSYSCONFDIR. Nothing else is read of it. */
  readonly env: Environment;
  /** How far the lease clock is ahead of the server's. For tests. */
  readonly leaseClockAheadMs?: () => number;
}

/** The other PG* variables are meant for the databases that are backed up: they must not lead the catalog astray. */
const variablesRead = ["HOME", "PGPASSFILE", "PGSERVICEFILE", "PGSYSCONFDIR"];

/** Of one process. Transactions are short; fifteen operations at once do well with these. */
const maximumSessions = 5;
const longestConnectSeconds = 10;
/** As long as SQLite's. */
const patienceMs = 10_000;
const sessionOptions: ConnectOptions = {
  applicationName: catalogApplicationName,
  statementTimeoutMs: 10_000,
  answerTimeoutMs: 15_000,
  idleInTransactionTimeoutMs: 10_000,
};

/**
 * A catalog on PostgreSQL 13 or newer, for any number of machines. `url` is libpq's form and may hold a
 * password, which appears in no message. Connects, and creates and migrates the schema, when first asked for
 * something; safe while other processes do the same. Methods reject with `catalog-unreachable` (to be tried again)
 * while server or network are away and go on by themselves afterwards; with `catalog-failed` and
 * `catalog-too-new` where somebody must act.
 */
export function openPostgresCatalog(url: string, options: PostgresCatalogOptions): Catalog {
  const dialect = new PostgresDialect({ pool: async () => await openSessions(url, options) });
  const database = new Kysely<CatalogTables>({ dialect }).withSchema(options.schema);
  const ahead = options.leaseClockAheadMs ?? (() => 0);
  return createCatalog(database, {
    leaseNow: () =>
      sql<number>`((extract(epoch from clock_timestamp()) * 1000)::bigint + ${sql.lit(ahead())}::bigint)`,
    keepRow: sql`for share`,
    hasty: database,
    lockQueue: sql`select pg_advisory_xact_lock(hashtextextended(${`lc2 queue ${options.schema}`}, 0))`,
  });
}

async function openSessions(url: string, options: PostgresCatalogOptions): Promise<PostgresSessions> {
  const connection = await resolveCatalogConnection(url, options.env);
  const where = redactedUrl(connection);
  const describe = (error: unknown): Failure => postgresCatalogFailure(error, where);
  const open = async (): Promise<pg.Client> => await openDurable(connection);
  const place = { schema: options.schema, where };
  try {
    await using session = disposable(await open());
    if (!(await isMigrated(session.client, place))) await migrate(connection, place);
  } catch (error) {
    throw describe(error);
  }
  return new PostgresSessions({ open, describe, maximumSessions, patienceMs });
}

/**
 * A session whose commits are on disk when they are answered: a server set to `synchronous_commit = off` loses the
 * last ones when it crashes, and with them a request that was promised or the hold on an operation. Any other setting,
 * such as waiting for a replica, stays as the server has it.
 */
async function openDurable(connection: Connection): Promise<pg.Client> {
  const client = await connect(connection, sessionOptions);
  try {
    await client.query(
      "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'",
    );
    return client;
  } catch (error) {
    client.end().catch(() => undefined);
    throw error;
  }
}

/** A session of its own: a step may take longer than any other statement should. */
async function migrate(connection: Connection, place: Parameters<typeof migratePostgres>[1]): Promise<void> {
  await using session = disposable(
    await connect(connection, {
      applicationName: "lc2 catalog migration",
      idleInTransactionTimeoutMs: 60_000,
    }),
  );
  await migratePostgres(session.client, place);
}

function disposable(client: pg.Client) {
  return { client, [Symbol.asyncDispose]: async () => await client.end().catch(() => undefined) };
}

async function resolveCatalogConnection(url: string, env: Environment): Promise<Connection> {
  try {
    const own = Object.fromEntries(variablesRead.map((name) => [name, env[name]]));
    const connection = await resolveConnection(url, own, { mayHoldPassword: true });
    const connectTimeoutSeconds = Math.min(connection.connectTimeoutSeconds, longestConnectSeconds);
    return { ...connection, connectTimeoutSeconds };
  } catch (error) {
    const { code, message } = Failure.from(error);
    throw new Failure(code, `DATABASE_URL, which names the catalog, is wrong. ${message}`, { cause: error });
  }
}
