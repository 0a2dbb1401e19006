import { setTimeout as sleep } from "node:timers/promises";
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from "kysely";
import type pg from "pg";
import { Failure } from "../core/failure.ts";

export interface PoolOptions {
  /** Opens one session; rejects with a Failure that is final or says `backoff`. */
  readonly open: () => Promise<pg.Client>;
  /** Makes the error that callers see of one that a statement met. */
  readonly describe: (error: unknown) => Failure;
  readonly maximumSessions: number;
  /** How long a server that was there before, and is not now, is asked again before a caller is told. */
  readonly patienceMs: number;
}

/**
 * The catalog's sessions. Made here, because `sslmode=prefer`, typed failures and a server that comes back are
 * matters of how a session is opened, which a general pool does by itself.
 *
 * A session that met anything but an answer of the server is closed, never lent again: what it would say next
 * may belong to another statement.
 */
export class PostgresSessions implements PostgresPool {
  readonly options = {};
  readonly #settings: PoolOptions;
  readonly #idle = new Set<pg.Client>();
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #wasThere = false;
  #closed = false;

  constructor(settings: PoolOptions) {
    this.#settings = settings;
    this.#free = settings.maximumSessions;
  }

  async connect(): Promise<PostgresPoolClient> {
    await this.#waitForTurn();
    try {
      const [idle] = this.#idle;
      if (idle === undefined) return this.#lend(await this.#openPatiently());
      this.#idle.delete(idle);
      return this.#lend(idle);
    } catch (error) {
      this.#endTurn();
      throw error;
    }
  }

  async end(): Promise<void> {
    this.#closed = true;
    const idle = [...this.#idle];
    this.#idle.clear();
    await Promise.all(idle.map(async (client) => await client.end()));
  }

  async #waitForTurn(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #endTurn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }

  /** A connection that could not be made has done nothing, so trying again is always safe. */
  async #openPatiently(): Promise<pg.Client> {
    const deadlineMs = performance.now() + (this.#wasThere ? this.#settings.patienceMs : 0);
    for (;;) {
      try {
        const client = await this.#settings.open();
        this.#wasThere = true;
        client.once("end", () => this.#idle.delete(client));
        return client;
      } catch (error) {
        const failure = this.#settings.describe(error);
        if (failure.retry === "never" || this.#closed || performance.now() >= deadlineMs) throw failure;
        await sleep(100 + Math.random() * 200);
      }
    }
  }

  #lend(client: pg.Client): PostgresPoolClient {
    let isSound = true;
    const { describe } = this.#settings;
    const run = async <R>(
      sql: string,
      parameters: readonly unknown[] = [],
    ): Promise<PostgresQueryResult<R>> => {
      try {
        const { command, rowCount, rows } = await client.query<R & object>(sql, [...parameters]);
        return { command: command as PostgresQueryResult<R>["command"], rowCount: rowCount ?? 0, rows };
      } catch (error) {
        const failure = describe(error);
        isSound &&= failure.code !== "catalog-unreachable";
        throw failure;
      }
    };
    function query<R>(sql: string, parameters?: readonly unknown[]): Promise<PostgresQueryResult<R>>;
    function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
    function query<R>(
      sql: string | PostgresCursor<R>,
      parameters?: readonly unknown[],
    ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
      if (typeof sql !== "string") throw new Failure("internal", "The catalog reads no cursors.");
      return run<R>(sql, parameters);
    }
    const release = (destroy = false): void => {
      if (isSound && !destroy && !this.#closed) this.#idle.add(client);
      else client.end().catch(() => undefined);
      this.#endTurn();
    };
    return { query, release };
  }
}
