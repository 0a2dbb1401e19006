import type pg from "pg";
import { Failure } from "../../core/failure.ts";
import { cancelSession, LockWatch } from "./blockers.ts";
import { listTables, readServerFacts, type CatalogTable, type ServerFacts } from "./catalog.ts";
import { connect, type Connection } from "../../postgres/connection.ts";
import { quoteName } from "../../postgres/quote.ts";

/** One consistent state of the database, held open for pg_dump and for questions to the catalog. */
export interface HeldSnapshot extends AsyncDisposable {
  /** For `pg_dump --snapshot`. */
  readonly id: string;
  readonly lsn: string;
  /** Our clock just before the snapshot was taken: all that was committed by then is in it. */
  readonly atMs: number;
  readonly facts: ServerFacts;
  /** Every table, locked against changes of form (ACCESS SHARE) from before the snapshot until its end. */
  readonly tables: readonly CatalogTable[];
  /** The session, for reading the catalog as of the snapshot. One query at a time. */
  readonly client: pg.Client;
  /** Rejects with `snapshot-lost` when the session ends before it is released. Never resolves. */
  readonly lost: Promise<never>;
}

export interface HoldSnapshotOptions {
  readonly applicationName: string;
  readonly lockTimeoutMs: number;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
  /** Told who holds a lock that we wait for. */
  readonly onBlocked: (sentence: string) => void;
}

/**
 * Opens the session that holds the backup's snapshot, with every time-out off that could end it.
 *
 * Tables are locked before the snapshot is taken. TRUNCATE and rewriting ALTER TABLE do not respect
 * snapshots: one that came between the snapshot and pg_dump's own lock would leave a table empty in the
 * archive without an error.
 *
 * Rejects with `lock-timeout`, naming who blocks. Works on a standby too.
 */
export async function holdSnapshot(
  connection: Connection,
  options: HoldSnapshotOptions,
): Promise<HeldSnapshot> {
  const client = await connect(connection, { applicationName: options.applicationName });
  const cancel = (): void => void cancelSession(connection, client);
  options.signal.addEventListener("abort", cancel, { once: true });
  try {
    const facts = await readServerFacts(client);
    const lost = watchSession(client);
    await switchTimeoutsOff(client, facts.major);
    const taken = await lockAndTake(client, connection, options);
    const stopBeats = keepAlive(client);
    return {
      ...taken,
      facts,
      client,
      lost: lost.promise,
      async [Symbol.asyncDispose]() {
        stopBeats();
        lost.release();
        await client.end().catch(() => {});
      },
    };
  } catch (error) {
    await client.end().catch(() => {});
    options.signal.throwIfAborted();
    throw error instanceof Failure ? error : queryFailure(error, "Taking the backup's snapshot");
  } finally {
    options.signal.removeEventListener("abort", cancel);
  }
}

type TakenSnapshot = Pick<HeldSnapshot, "id" | "lsn" | "atMs" | "tables">;

/** Tables come and go while we begin; after some tries whoever makes them is asked to wait. */
async function lockAndTake(
  client: pg.Client,
  connection: Connection,
  options: HoldSnapshotOptions,
): Promise<TakenSnapshot> {
  for (let tries = 1; ; tries++) {
    try {
      const tables = await lockAllTables(client, connection, options);
      const atMs = options.nowMs();
      const { rows } = await client.query<{ id: string; lsn: string }>(
        `SELECT pg_export_snapshot() AS id,
                (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text AS lsn`,
      );
      const row = rows[0];
      if (!row) throw new Error("pg_export_snapshot gave no row");
      await requireSameTables(client, tables);
      return { id: row.id, lsn: row.lsn, atMs, tables };
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "database-changing" || tries === 5) throw error;
      await client.query("ROLLBACK");
    }
  }
}

async function switchTimeoutsOff(client: pg.Client, major: number): Promise<void> {
  const settings = ["statement_timeout", "idle_in_transaction_session_timeout"];
  if (major >= 14) settings.push("idle_session_timeout");
  if (major >= 17) settings.push("transaction_timeout");
  for (const setting of settings) await client.query(`SET ${setting} = 0`);
}

/**
 * Lists and locks until the list that was locked is the list that is there: tables may be made and dropped
 * in between. Leaves the transaction open, and its snapshot not yet taken (LOCK takes none).
 */
async function lockAllTables(
  client: pg.Client,
  connection: Connection,
  options: HoldSnapshotOptions,
): Promise<readonly CatalogTable[]> {
  const tables = await listTables(client);
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  await client.query(`SET LOCAL lock_timeout = ${options.lockTimeoutMs}`);
  await using watch = new LockWatch(connection, client, options.applicationName, options.onBlocked);
  try {
    for (let start = 0; start < tables.length; start += tablesAtOnce) {
      options.signal.throwIfAborted();
      const names = tables
        .slice(start, start + tablesAtOnce)
        .map((table) => `ONLY ${quoteName(table.schema, table.name)}`);
      await client.query(`LOCK TABLE ${names.join(", ")} IN ACCESS SHARE MODE`);
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "55P03") throw lockTimeout(watch.seen, options.lockTimeoutMs, error);
    throw lockFailure(error);
  }
  await client.query("SET LOCAL lock_timeout = 0");
  return tables;
}

const tablesAtOnce = 500;

/** The tables that the snapshot sees are the ones that were locked before it. */
async function requireSameTables(client: pg.Client, locked: readonly CatalogTable[]): Promise<void> {
  const known = new Set(locked.map((table) => table.oid));
  const unlocked = (await listTables(client)).filter((table) => !known.has(table.oid));
  if (unlocked.length === 0) return;
  const names = unlocked.slice(0, 3).map((table) => `${table.schema}.${table.name}`);
  throw new Failure(
    "database-changing",
    `${unlocked.length} table(s) were created while the backup began (${names.join(", ")}). Run again.`,
    { retry: "backoff" },
  );
}

export function lockTimeout(blockers: readonly string[], lockTimeoutMs: number, cause: unknown): Failure {
  const who = blockers.length === 0 ? "It was not seen who holds it." : `Held by ${blockers.join("; ")}.`;
  return new Failure(
    "lock-timeout",
    `A table could not be locked for reading within ${lockTimeoutMs} ms. ${who} Let that session finish or end ` +
      "it (SELECT pg_terminate_backend(pid)), or run again with a longer --lock-timeout.",
    { cause, retry: "backoff" },
  );
}

function lockFailure(error: unknown): Failure {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "53200") {
    return new Failure(
      "database-query-failed",
      "The server has no room for locks on all tables of this database. Raise max_locks_per_transaction and restart it.",
      { cause: error },
    );
  }
  if (code === "42501") {
    return new Failure(
      "rights-missing",
      `A table cannot be read by this role (${error instanceof Error ? error.message : ""}). It was created or its ` +
        "rights were changed after the backup was prepared: grant SELECT on it, or pg_read_all_data.",
      { cause: error },
    );
  }
  if (code === "42P01" || code === "3F000") {
    return new Failure("database-changing", "A table was dropped while the backup began. Run again.", {
      cause: error,
      retry: "backoff",
    });
  }
  return queryFailure(error, "Locking the tables for reading");
}

function queryFailure(error: unknown, what: string): Failure {
  const message = error instanceof Error ? error.message : String(error);
  return new Failure("database-query-failed", `${what} failed: ${message}.`, { cause: error });
}

/** Turns the end of a session into a rejection, until released. */
function watchSession(client: pg.Client): { promise: Promise<never>; release: () => void } {
  const { promise, reject } = Promise.withResolvers<never>();
  // Whoever waits gets it; without anybody waiting yet it must not end the process.
  promise.catch(() => {});
  const lose = (cause?: unknown): void =>
    reject(
      new Failure(
        "snapshot-lost",
        "The session that held the backup's snapshot ended" +
          (cause instanceof Error ? ` (${cause.message})` : "") +
          ". Look in the server's log for a restart or for who ended it, and run again.",
        { cause, retry: "backoff" },
      ),
    );
  const onEnd = (): void => lose();
  client.on("error", lose);
  client.on("end", onEnd);
  return {
    promise,
    release() {
      client.off("error", lose);
      client.off("end", onEnd);
    },
  };
}

/** A small question now and then shows a dead peer early and keeps the connection open in firewalls. */
function keepAlive(client: pg.Client): () => void {
  let asking = false;
  const timer = setInterval(() => {
    if (asking) return;
    asking = true;
    client
      .query("SELECT 1")
      .catch(() => {})
      .finally(() => (asking = false));
  }, 20_000);
  timer.unref();
  return () => clearInterval(timer);
}
