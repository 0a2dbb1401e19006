import { closeSync, mkdirSync, openSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Kysely, sql, type SqliteDatabase } from "kysely";
import { Failure } from "../core/failure.ts";
import type { Catalog } from "../core/ports/catalog.ts";
import { createCatalog } from "./catalog.ts";
import { nextMigrations, parseSchemaVersion, type SchemaVersion } from "./migrations.ts";
import { isBusy, isDiskTrouble, PatientSqliteDialect } from "./patient-sqlite-dialect.ts";
import type { CatalogTables } from "./schema.ts";

/** How long a statement waits for another process's write. */
const busyTimeoutMs = 10_000;

export interface SqliteCatalogOptions {
  /** Milliseconds that never go back and that every process of the machine shares. For tests. */
  readonly leaseClockMs?: () => number;
  /** `statfs` type of a folder. For tests. */
  readonly fileSystemType?: (folder: string) => number;
  /** How long a statement waits for another process's write. For tests. */
  readonly patienceMs?: number;
  /** The file may not grow, as on a disk that is full. For tests. */
  readonly isFull?: boolean;
}

/**
 * Opens the catalog file, creating and migrating it as needed; safe while other processes do the same.
 * `:memory:` gives a private one. Rejects with `catalog-failed`, `catalog-too-new` and
 * `catalog-on-network` (SQLite's locks are not reliable there); methods with `catalog-unreachable` (to be tried again)
 * where another process holds it for long, or its disk is full or fails.
 */
export function openSqliteCatalog(path: string, options: SqliteCatalogOptions = {}): Catalog {
  const database = path === ":memory:" ? new DatabaseSync(path) : openFile(path, options);
  const toKysely = (one: DatabaseSync) =>
    new Kysely<CatalogTables>({
      dialect: new PatientSqliteDialect(
        { database: adapt(one) },
        options.patienceMs ?? busyTimeoutMs,
        (error) => catalogFailure(path, error),
      ),
    });
  try {
    prepareDatabase(database, path);
    if (options.isFull === true) database.exec("pragma max_page_count = 1");
    const lasting = toKysely(database);
    const leaseClockMs = options.leaseClockMs ?? monotonicMs;
    return createCatalog(lasting, {
      leaseNow: () => sql.val(leaseClockMs()),
      // Whoever writes is alone, from a transaction's first word on: no row needs a lock of its own.
      keepRow: sql``,
      hasty: path === ":memory:" ? lasting : toKysely(openHasty(path)),
    });
  } catch (error) {
    database.close();
    throw catalogFailure(path, error);
  }
}

/** CLOCK_MONOTONIC: the same in all processes, untouched by whoever sets the time. */
const monotonicMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

function openFile(path: string, options: SqliteCatalogOptions): DatabaseSync {
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    refuseNetworkFileSystem(folder, options.fileSystemType ?? ((name) => statfsSync(name).type));
    // Made by us first: SQLite would give it the umask's permissions, and gives its -wal and -shm the file's.
    closeSync(openSync(path, "a", 0o600));
    return new DatabaseSync(path, { timeout: busyTimeoutMs });
  } catch (error) {
    throw catalogFailure(path, error);
  }
}

function prepareDatabase(database: DatabaseSync, path: string): void {
  setJournalMode(database);
  // A recorded end must survive a power cut; commits are few.
  database.exec("pragma synchronous = full; pragma foreign_keys = on;");
  migrate(database, path);
  // From here on waiting is done without blocking this process; see `PatientSqliteDialect`.
  database.exec("pragma busy_timeout = 0");
}

/**
 * A session whose commits do not wait for the disk, and with them everybody whom this process answers: fifteen running
 * operations write several times a second. The next lasting commit brings theirs to the disk with it.
 */
function openHasty(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec("pragma synchronous = normal; pragma foreign_keys = on; pragma busy_timeout = 0");
  return database;
}

/** The change to WAL does not wait for other openers as other statements do. */
function setJournalMode(database: DatabaseSync): void {
  const deadlineMs = monotonicMs() + busyTimeoutMs;
  for (;;) {
    try {
      database.exec("pragma journal_mode = wal");
      return;
    } catch (error) {
      if (!isBusy(error) || monotonicMs() > deadlineMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

function migrate(database: DatabaseSync, path: string): void {
  if (nextMigrations(readVersion(database), path).length === 0) return;
  database.exec("begin immediate");
  try {
    database.exec("create table if not exists schema_version (version integer not null)");
    const pending = nextMigrations(readVersion(database), path);
    for (const { statements } of pending) for (const statement of statements) database.exec(statement);
    const last = pending.at(-1);
    if (last !== undefined) {
      database.exec("delete from schema_version");
      database
        .prepare("insert into schema_version (version, oldest_program) values (?, ?)")
        .run(last.version, last.oldestProgram);
    }
    database.exec("commit");
  } catch (error) {
    database.exec("rollback");
    throw error;
  }
}

function readVersion(database: DatabaseSync): SchemaVersion {
  const table = database
    .prepare("select 1 from sqlite_master where type = 'table' and name = 'schema_version'")
    .get();
  return parseSchemaVersion(
    table === undefined ? undefined : database.prepare("select * from schema_version").get(),
  );
}

/** What kysely needs of a database, over `node:sqlite`. */
function adapt(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare: (text) => {
      // A transaction that reads first and writes later would fail, not wait, beside another writer.
      const statement = database.prepare(text === "begin" ? "begin immediate" : text);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...toValues(parameters)),
        run: (parameters) => statement.run(...toValues(parameters)),
        iterate: (parameters) => statement.iterate(...toValues(parameters)),
      };
    },
  };
}

type SqlValue = string | number | bigint | null | Uint8Array;
const toValues = (parameters: readonly unknown[]): SqlValue[] => parameters.map((value) => value as SqlValue);

/** `statfs` types of file systems that other machines can write too. */
const networkFileSystems = new Map<number, string>([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x5346414f, "AFS"],
  [0x73757245, "Coda"],
  [0x00c36400, "Ceph"],
  [0x47504653, "GPFS"],
  [0x0bd00bd0, "Lustre"],
  [0x7461636f, "OCFS2"],
  [0x01161970, "GFS2"],
]);

function refuseNetworkFileSystem(folder: string, type: (folder: string) => number): void {
  const name = networkFileSystems.get(type(folder) >>> 0);
  if (name === undefined) return;
  throw new Failure(
    "catalog-on-network",
    `The data directory ${folder} is on a network file system (${name}), where SQLite's locks cannot be ` +
      "relied on. Choose a local folder with --data-dir or LC2_DATA_DIR; repositories may stay where they are.",
  );
}

function catalogFailure(path: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const reason = error instanceof Error ? error.message : String(error);
  if (reason.includes("ENOSPC")) {
    return new Failure("disk-full", `The catalog ${path} cannot be written: no space is left.`, {
      cause: error,
    });
  }
  if (isDiskTrouble(error)) {
    return new Failure(
      "catalog-unreachable",
      `The catalog ${path} cannot be used now: ${reason}. Free space on its disk, or mend the disk; what waits for the catalog ` +
        "goes on when that is done.",
      { cause: error, retry: "backoff" },
    );
  }
  if (isBusy(error)) {
    return new Failure(
      "catalog-unreachable",
      `The catalog ${path} cannot be used now: ${reason}. Another process has held it for long; try again.`,
      { cause: error, retry: "backoff" },
    );
  }
  return new Failure(
    "catalog-failed",
    `The catalog ${path} cannot be used: ${reason}. Check owner, permissions and space of the data directory; if the ` +
      "file is damaged, move it away and run `lc2 repository scan`, which rebuilds it.",
    { cause: error },
  );
}
