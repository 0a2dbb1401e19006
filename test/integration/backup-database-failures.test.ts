import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FailureCode } from "../../src/core/failure.ts";
import type { ObjectStore } from "../../src/core/ports/object-store.ts";
import { Failure } from "../../src/core/failure.ts";
import {
  backupId,
  failureOf,
  startBackupRun,
  type BackupRun,
  type BackupRunOptions,
} from "../support/backup-run.ts";
import { wrapPgDump } from "../support/dump-tools.ts";
import { freshDatabase, installations, useServer, type TestDatabase } from "../support/servers.ts";
import { openClient, type PostgresServer } from "../../demo/postgres-servers.ts";
import { until } from "../support/until.ts";

const installed = (await installations()).filter((one) => one.hasClientTools);
const newest = installed.at(-1);
if (newest === undefined) throw new Error("no PostgreSQL with client tools is here");
const tools = newest.binDirectory;

let server: PostgresServer;
let database: TestDatabase;

beforeAll(async () => {
  server = await useServer(newest.major);
  database = await freshDatabase(server);
  await server.psql(
    `SET ROLE "${database.owner.name}";
     CREATE TABLE articles (id bigserial PRIMARY KEY, body text);
     INSERT INTO articles (body) SELECT repeat(md5(i::text), 32) FROM generate_series(1, 30000) i;
     CREATE TABLE authors (id int, name text);
     INSERT INTO authors SELECT i, 'name ' || i FROM generate_series(1, 100) i;`,
    database.name,
  );
});
afterAll(() => database.drop());

const startRun = (options: BackupRunOptions = {}): Promise<BackupRun> =>
  startBackupRun({ ...options, env: { ...database.superuser.environment, ...options.env } });

const source = (toolFolder = tools): { url: string; tools: string } => ({
  url: database.superuser.url,
  tools: toolFolder,
});

async function sessions(): Promise<number> {
  const [row] = await server.query(
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = '${database.name}' AND application_name LIKE 'lc2 %'`,
  );
  return Number(row?.["n"]);
}

async function expectNothingLeft(backup: BackupRun): Promise<void> {
  expect(await backup.names()).toEqual([]);
  await until("the sessions of the backup to end", async () => (await sessions()) === 0);
}

/** Slow enough that a test can look at a backup that is under way. */
const slow = { maxRateBytesPerSecond: 200_000 };

const reached = (backup: BackupRun, type: string): Promise<void> =>
  until(type, async () => backup.messages.some((message) => message.type === type));

describe("a dump tool that", () => {
  const cases: readonly [string, string, FailureCode, RegExp][] = [
    [
      "says success after half its output",
      '"$real" "$@" | head -c 10000000; exit 0',
      "dump-incomplete",
      /not whole/,
    ],
    ["says success after nothing at all", "exit 0", "dump-incomplete", /table of contents/],
    [
      "leaves out a table",
      'exec "$real" --exclude-table-data=authors "$@"',
      "dump-incomplete",
      /authors are missing/,
    ],
    ["fails after its whole output", '"$real" "$@"; exit 3', "dump-failed", /exit code 3/],
    ["is killed half-way", '"$real" "$@" | head -c 10000000; kill -9 $$', "dump-failed", /SIGKILL/],
    ["writes something else", "yes hello | head -c 1000000", "dump-incomplete", /PostgreSQL archive/],
    ["cannot connect", 'PGPORT=1 exec "$real" "$@"', "dump-failed", /exit code 1: .*connection/],
  ];
  test.each(cases)("%s", async (_, body, code, message) => {
    await using wrapped = await wrapPgDump(tools, body);
    await using backup = await startRun();
    const failure = await failureOf(backup.backup(source(wrapped.directory)));
    expect([failure.code, failure.message]).toEqual([code, expect.stringMatching(message)]);
    await expectNothingLeft(backup);
  });

  test("fails in one of several streams ends the others", async () => {
    const body = 'case "$*" in *--data-only*) exit 7;; *) exec "$real" "$@";; esac';
    await using wrapped = await wrapPgDump(tools, body);
    await using backup = await startRun(slow);
    const failure = await failureOf(backup.backup({ ...source(wrapped.directory), streams: 2 }));
    expect([failure.code, failure.message]).toEqual(["dump-failed", expect.stringContaining("exit code 7")]);
    await expectNothingLeft(backup);
  });
});

test("an abort ends children and sessions", async () => {
  await using backup = await startRun(slow);
  const work = backup.backup(source());
  work.catch(() => {});
  await reached(backup, "recovery-point");
  await until("pg_dump's session", async () => (await sessions()) >= 2);
  backup.abort(new Failure("cancelled", "The operation was cancelled."));
  expect((await failureOf(work)).code).toBe("cancelled");
  await expectNothingLeft(backup);
});

test("an abort does not wait for a tool that ignores SIGTERM", async () => {
  const body = "trap '' TERM; touch \"${0%/*}/started\"; while :; do sleep 1; done";
  await using wrapped = await wrapPgDump(tools, body);
  await using backup = await startRun();
  const work = backup.backup(source(wrapped.directory));
  work.catch(() => {});
  await until("the tool to start", () => existsSync(join(wrapped.directory, "started")));
  backup.abort(new Failure("cancelled", "The operation was cancelled."));
  expect((await failureOf(work)).code).toBe("cancelled");
  await expectNothingLeft(backup);
});

test("the end of the session that holds the snapshot ends the backup", async () => {
  await using backup = await startRun(slow);
  const work = backup.backup(source());
  work.catch(() => {});
  await reached(backup, "progress");
  await server.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'lc2 ${backupId}' AND datname = '${database.name}' AND state = 'idle in transaction'`,
  );
  expect((await failureOf(work)).code).toBe("snapshot-lost");
  await expectNothingLeft(backup);
});

test("a table is locked against TRUNCATE from the recovery point on", async () => {
  await using backup = await startRun(slow);
  const work = backup.backup(source());
  work.catch(() => {});
  await reached(backup, "recovery-point");
  const truncate = server.query("SET lock_timeout = '200ms'; TRUNCATE authors", database.name);
  await expect(truncate).rejects.toThrow(/lock timeout/);
  backup.abort();
  await expect(work).rejects.toMatchObject({ name: "AbortError" });
});

test("a lock that another session holds is reported with who holds it, without the values in its query", async () => {
  await using backup = await startRun();
  const other = await openClient(server.urlOf(database.name), server.password);
  try {
    await other.query("BEGIN; LOCK TABLE authors IN ACCESS EXCLUSIVE MODE; SELECT 'secret', 4711");
    const failure = await failureOf(backup.backup({ ...source(), lockTimeoutMs: 1_500 }));
    expect(failure.code).toBe("lock-timeout");
    expect(failure.message).toMatch(/process \d+ of role "postgres" \(idle in transaction/);
    expect(failure.message).not.toMatch(/secret|4711/);
    const logged = backup.messages
      .filter((message) => message.type === "log")
      .map((message) => message.message);
    expect(logged.some((message) => message.startsWith("Waiting for a lock held by process"))).toBe(true);
    await expectNothingLeft(backup);
  } finally {
    await other.end();
  }
});

test("an abort while waiting for a lock does not wait for it", async () => {
  await using backup = await startRun();
  const other = await openClient(server.urlOf(database.name), server.password);
  try {
    await other.query("BEGIN; LOCK TABLE authors IN ACCESS EXCLUSIVE MODE");
    const work = backup.backup({ ...source(), lockTimeoutMs: 600_000 });
    work.catch(() => {});
    await reached(backup, "log");
    backup.abort(new Failure("cancelled", "The operation was cancelled."));
    expect((await failureOf(work)).code).toBe("cancelled");
    await expectNothingLeft(backup);
  } finally {
    await other.end();
  }
});

test("a store that fails ends the backup with the store's own failure", async () => {
  await using backup = await startRun();
  const { store } = backup;
  const broken: ObjectStore = {
    url: store.url,
    list: (prefix) => store.list(prefix),
    listUnfinished: () => store.listUnfinished(),
    listFolders: (prefix) => store.listFolders(prefix),
    head: (name) => store.head(name),
    read: (name, range) => store.read(name, range),
    createIfAbsent: (name, bytes) => store.createIfAbsent(name, bytes),
    replace: (name, bytes) => store.replace(name, bytes),
    delete: (name) => store.delete(name),
    async write(name) {
      const writer = await store.write(name);
      return {
        write: () => Promise.reject(new Failure("disk-full", "There is no space left.")),
        commit: () => writer.commit(),
        abort: () => writer.abort(),
      };
    },
  };
  const failing = await failureOf(backup.backup(source(), { store: broken }));
  expect(failing.code).toBe("disk-full");
  await expectNothingLeft(backup);
});
