import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import { Failure } from "../../core/failure.ts";
import {
  commentStatement,
  markStatement,
  readDatabaseState,
  type DatabaseState,
  type Marker,
} from "./marker.ts";
import { quoteIdentifier } from "../../postgres/quote.ts";

/** One rename of a swap, with the comment that the database gets in the same transaction. */
export interface Rename {
  readonly from: DatabaseState;
  readonly to: string;
  readonly mark: Marker | { readonly comment: string | undefined };
}

export interface SwapOptions {
  readonly endSessions: boolean;
  readonly signal: AbortSignal;
  /** How long sessions may take to end, in milliseconds. */
  readonly patienceMs?: number;
}

const defaultPatienceMs = 15_000;

/**
 * Renames databases in one transaction, with nobody in them: refuses connections, ends sessions, renames,
 * allows connections again. On any failure nothing is renamed and connections are allowed again
 * (`session-will-not-end` names who stayed). `admin` is a session in another database. Not idempotent by
 * itself: callers look at what exists first.
 */
export async function renameTogether(
  admin: pg.Client,
  renames: readonly Rename[],
  options: SwapOptions,
): Promise<void> {
  const names = renames.map((rename) => rename.from.name);
  await forbidConnections(admin, names);
  try {
    await endSessions(admin, names, options);
    options.signal.throwIfAborted();
    await renameInOneTransaction(admin, renames);
  } catch (error) {
    // With the session gone this cannot work; the next run of the task, or its discarding, does it.
    await allowConnections(admin, names).catch(() => {});
    throw error;
  }
}

async function forbidConnections(admin: pg.Client, names: readonly string[]): Promise<void> {
  for (const name of names)
    await admin.query(`ALTER DATABASE ${quoteIdentifier(name)} ALLOW_CONNECTIONS false`);
}

/** Lets people in again, by name. Idempotent; a name that is gone is no error. */
export async function allowConnections(admin: pg.Client, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const state = await readDatabaseState(admin, name);
    if (state?.allowsConnections === false) {
      await admin.query(`ALTER DATABASE ${quoteIdentifier(name)} ALLOW_CONNECTIONS true`);
    }
  }
}

async function renameInOneTransaction(admin: pg.Client, renames: readonly Rename[]): Promise<void> {
  await admin.query("BEGIN");
  try {
    for (const { from, to, mark } of renames) {
      await admin.query(`ALTER DATABASE ${quoteIdentifier(from.name)} RENAME TO ${quoteIdentifier(to)}`);
      await admin.query("state" in mark ? markStatement(to, mark) : commentStatement(to, mark.comment));
      await admin.query(`ALTER DATABASE ${quoteIdentifier(to)} ALLOW_CONNECTIONS true`);
    }
    // The rows were loaded without waiting for the disk; this commit waits for all of it.
    await admin.query("SET LOCAL synchronous_commit = on");
    await admin.query("COMMIT");
  } catch (error) {
    await admin.query("ROLLBACK").catch(() => {});
    throw await renameFailure(admin, error, renames);
  }
}

async function renameFailure(admin: pg.Client, error: unknown, renames: readonly Rename[]): Promise<Failure> {
  const message = error instanceof Error ? error.message : String(error);
  const names = renames.map((rename) => `"${rename.from.name}"`).join(" and ");
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "55006") {
    const left = await sessionsIn(
      admin,
      renames.map((rename) => rename.from.name),
    );
    return sessionFailure(renames[0]?.from.name ?? "", left, message);
  }
  return new Failure(
    "restore-target-failed",
    `The databases ${names} cannot be renamed: ${message}. Nothing was renamed; connections are allowed again.`,
    { cause: error },
  );
}

interface Session {
  readonly pid: number;
  readonly user: string | null;
  readonly application: string | null;
  readonly database: string;
  readonly kind: string | null;
}

async function sessionsIn(admin: pg.Client, names: readonly string[]): Promise<Session[]> {
  // Autovacuum gives way to a rename by itself. It has no user, and to an ordinary role no kind either.
  const { rows } = await admin.query<Session>(
    `SELECT pid, usename AS user, application_name AS application, datname AS database, backend_type AS kind
       FROM pg_stat_activity
      WHERE datname = ANY($1) AND pid <> pg_backend_pid()
        AND NOT (usesysid IS NULL AND coalesce(backend_type, 'autovacuum worker') = 'autovacuum worker')
      ORDER BY pid`,
    [names],
  );
  return rows;
}

async function endSessions(admin: pg.Client, names: readonly string[], options: SwapOptions): Promise<void> {
  const deadlineMs = performance.now() + (options.patienceMs ?? defaultPatienceMs);
  const refused = new Map<number, string>();
  for (;;) {
    options.signal.throwIfAborted();
    const sessions = await sessionsIn(admin, names);
    if (sessions.length === 0) return;
    if (!options.endSessions)
      throw sessionFailure(names[0] ?? "", sessions, "ending sessions was not asked for");
    for (const session of sessions) {
      try {
        await admin.query("SELECT pg_terminate_backend($1)", [session.pid]);
      } catch (error) {
        refused.set(session.pid, error instanceof Error ? error.message : String(error));
      }
    }
    const left = sessions.filter((session) => refused.has(session.pid));
    // Sessions that may not be ended do not go away by waiting much longer; the others need a moment.
    const stubborn = left.length > 0 && left.length === sessions.length;
    if (stubborn || performance.now() > deadlineMs) {
      const stayed = await sessionsIn(admin, names);
      if (stayed.length === 0) return;
      throw sessionFailure(names[0] ?? "", stayed, refused.get(stayed[0]?.pid ?? 0) ?? "it does not react");
    }
    await pause(100, undefined, { signal: options.signal });
  }
}

function sessionFailure(database: string, sessions: readonly Session[], reason: string): Failure {
  const shown = sessions
    .slice(0, 5)
    .map(
      (session) =>
        `pid ${session.pid} of ${session.user === null ? session.kind : `"${session.user}"`}` +
        (session.application ? ` (${session.application})` : ""),
    )
    .join(", ");
  return new Failure(
    "session-will-not-end",
    `Database "${database}" cannot be swapped while it has sessions: ${shown || "unknown"} (${reason}). ` +
      "Nothing was swapped; connections are allowed again. End them, or let a superuser or a member of " +
      "pg_signal_backend run the restore.",
  );
}
