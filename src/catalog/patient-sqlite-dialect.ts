import { setTimeout as sleep } from "node:timers/promises";
import { SqliteDialect, type DatabaseConnection, type Driver, type SqliteDialectConfig } from "kysely";

/**
 * SQLite's own wait for another writer blocks the whole process. When that writer is a transaction of this
 * same process, between two of its statements, nobody would ever wake it. So a statement that finds the
 * catalog locked is tried again after a moment in which others can go on.
 *
 * Safe: a statement outside a transaction that was refused has done nothing, and a transaction takes the
 * write lock with its first word.
 */
export class PatientSqliteDialect extends SqliteDialect {
  readonly #patienceMs: number;
  readonly #describe: (error: unknown) => Error;

  /** `describe` makes the error that callers see. */
  constructor(config: SqliteDialectConfig, patienceMs: number, describe: (error: unknown) => Error) {
    super(config);
    this.#patienceMs = patienceMs;
    this.#describe = describe;
  }

  override createDriver(): Driver {
    const driver = super.createDriver();
    const acquire = driver.acquireConnection.bind(driver);
    let patient: DatabaseConnection | undefined;
    driver.acquireConnection = async (options) => (patient ??= this.#makePatient(await acquire(options)));
    return driver;
  }

  #makePatient(connection: DatabaseConnection): DatabaseConnection {
    return {
      executeQuery: async (query, options) => {
        const deadlineMs = performance.now() + this.#patienceMs;
        for (;;) {
          try {
            return await connection.executeQuery(query, options);
          } catch (error) {
            // SQLite has rolled back by itself, as it does when a disk is full: what made it do so is what is told.
            if (query.sql === "rollback" && isRolledBack(error)) return { rows: [] };
            if (!isBusy(error) || performance.now() > deadlineMs) throw this.#describe(error);
            await sleep(2 + Math.random() * 15);
          }
        }
      },
      streamQuery: (query, chunkSize, options) => connection.streamQuery(query, chunkSize, options),
    };
  }
}

/** SQLITE_BUSY, in whichever of its forms. */
export const isBusy = (error: unknown): boolean => primaryCodeOf(error) === 5;

/** SQLITE_IOERR and SQLITE_FULL: nothing was written, and it may be the next time. */
export const isDiskTrouble = (error: unknown): boolean => [10, 13].includes(primaryCodeOf(error));

const isRolledBack = (error: unknown): boolean =>
  error instanceof Error && error.message.includes("no transaction is active");

const primaryCodeOf = (error: unknown): number =>
  error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
