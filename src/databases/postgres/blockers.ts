import type pg from "pg";
import { connect, type Connection } from "../../postgres/connection.ts";

/** Who holds a lock that a session waits for, from a session of its own, while it waits. */
export class LockWatch implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #pid: number | undefined;
  readonly #applicationName: string;
  readonly #onBlocked: (sentence: string) => void;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #seen: readonly string[] = [];

  /** Watches the session of `client`, or with undefined every session of `applicationName`. */
  constructor(
    connection: Connection,
    client: pg.Client | undefined,
    applicationName: string,
    onBlocked: (sentence: string) => void,
  ) {
    this.#connection = connection;
    this.#pid = client === undefined ? undefined : processId(client);
    this.#applicationName = applicationName;
    this.#onBlocked = onBlocked;
    // To watch is a courtesy: when it fails, the wait itself goes on and reports what it can.
    this.#done = this.#watch().catch(() => {});
  }

  /** The last blockers seen, as short descriptions. */
  get seen(): readonly string[] {
    return this.#seen;
  }

  /** No more looks; `seen` stays. Idempotent. */
  stop(): void {
    this.#stop.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#done;
  }

  async #watch(): Promise<void> {
    if (!(await pause(firstLookMs, this.#stop.signal))) return;
    const client = await connect(this.#connection, {
      applicationName: "lc2 lock watch",
      statementTimeoutMs: 5_000,
    });
    try {
      do {
        const blockers = await readBlockers(client, this.#pid, this.#applicationName);
        if (blockers.length > 0 && blockers.join() !== this.#seen.join()) {
          this.#onBlocked(`Waiting for a lock held by ${blockers.join("; ")}.`);
        }
        if (blockers.length > 0) this.#seen = blockers;
      } while (await pause(laterLooksMs, this.#stop.signal));
    } finally {
      await client.end();
    }
  }
}

const firstLookMs = 150;
const laterLooksMs = 500;

/** False when stopped meanwhile. */
function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  if (signal.aborted) resolve(false);
  const timer = setTimeout(() => resolve(true), milliseconds);
  signal.addEventListener(
    "abort",
    () => {
      clearTimeout(timer);
      resolve(false);
    },
    { once: true },
  );
  return promise;
}

async function readBlockers(
  client: pg.Client,
  pid: number | undefined,
  applicationName: string,
): Promise<string[]> {
  const { rows } = await client.query<{
    pid: number;
    user: string | null;
    query: string | null;
    state: string | null;
    seconds: string | null;
  }>(
    `SELECT b.pid, b.usename AS user, b.query, b.state,
            floor(extract(epoch FROM clock_timestamp() - b.xact_start))::text AS seconds
       FROM pg_stat_activity w
       CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS blocking(pid)
       JOIN pg_stat_activity b ON b.pid = blocking.pid
      WHERE w.pid = $1 OR ($1::int IS NULL AND w.application_name = $2 AND w.pid <> pg_backend_pid())
      GROUP BY 1, 2, 3, 4, 5 ORDER BY 1 LIMIT 5`,
    [pid ?? null, applicationName],
  );
  return rows.map((row) => {
    const since = row.seconds === null ? "" : `, in a transaction for ${row.seconds} s`;
    const query = row.query ? `, query: ${withoutValues(row.query)}` : "";
    return `process ${row.pid} of role "${row.user ?? "?"}" (${row.state ?? "state unknown"}${since}${query})`;
  });
}

/** The statement's shape: literals and numbers may be somebody's personal data. At most 100 characters. Pure. */
export function withoutValues(query: string): string {
  const shape = query
    .replaceAll(/E?'(?:[^'\\]|''|\\.)*'?/gs, "'…'")
    .replaceAll(/\$(\w*)\$.*?(?:\$\1\$|$)/gs, "'…'")
    .replaceAll(/(?<![\w"])\d[\d.]*/g, "…")
    .replaceAll(/\s+/g, " ")
    .trim();
  return shape.length > 100 ? `${shape.slice(0, 100)}…` : shape;
}

/** Ends what a session is doing, from another one; it stays connected. Tries once, and never rejects. */
export async function cancelSession(connection: Connection, session: pg.Client): Promise<void> {
  const pid = processId(session);
  try {
    const client = await connect(connection, { applicationName: "lc2 cancel", statementTimeoutMs: 2_000 });
    try {
      await client.query("SELECT pg_cancel_backend($1)", [pid]);
    } finally {
      await client.end();
    }
  } catch {
    // The session ends by itself when its connection is closed.
  }
}

function processId(client: pg.Client): number | undefined {
  return "processID" in client && typeof client.processID === "number" ? client.processID : undefined;
}
