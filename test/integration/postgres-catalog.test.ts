/** What a catalog on a server meets that a file does not: rights, other versions, a server that goes and comes. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startPostgres } from "../../demo/postgres-servers.ts";
import { openPostgresCatalog } from "../../src/catalog/open-postgres-catalog.ts";
import { openSqliteCatalog } from "../../src/catalog/open-sqlite-catalog.ts";
import type { Catalog } from "../../src/core/ports/catalog.ts";
import {
  freshDatabase,
  installations,
  urlWithPassword,
  useServer,
  type TestDatabase,
} from "../support/servers.ts";

const newest = (await installations()).at(-1);
if (newest === undefined) throw new Error("No PostgreSQL server can be had here.");

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase(await useServer(newest.major), { ownerCreatesDatabases: false });
});
afterAll(async () => await database.drop());

const open = (url: string, schema: string): Catalog => openPostgresCatalog(url, { schema, env: {} });
const newSchema = (): string => `lc2_${randomBytes(4).toString("hex")}`;
const ownerUrl = (): string => urlWithPassword(database.owner);
const inDatabase = async (sql: string): Promise<Record<string, unknown>[]> =>
  await database.server.query(sql, database.name);

/** The failure of a first use. */
async function failureOf(catalog: Catalog): Promise<{ code: string; message: string; retry: string }> {
  try {
    await catalog.listOpenOperations();
  } catch (error) {
    return error as { code: string; message: string; retry: string };
  } finally {
    await catalog.close();
  }
  throw new Error("The catalog could be used.");
}

describe("a server that goes away", () => {
  it("keeps what it answered, though it is set to answer before it has written", async () => {
    const directory = await mkdtemp(join(tmpdir(), "lc2-catalog-crash-"));
    const settings = { synchronous_commit: "off", wal_writer_delay: "10s" };
    const first = await startPostgres(newest, { directory, settings });
    const url = first.url.replace("@", `:${first.password}@`);
    const catalog = open(url, "lc2");
    try {
      await catalog.putRestore("restore-1", { approvedAtMs: 1 });
      await first.stop("immediate");
      await using _second = await startPostgres(newest, { directory, port: first.port });
      expect(await catalog.getRestore("restore-1")).toMatchObject({ approvedAtMs: 1 });
    } finally {
      await catalog.close();
      await first.stop("immediate");
      await rm(directory, { recursive: true, force: true });
    }
  });

  it("is named while it is away, and used again when it is back", async () => {
    const directory = await mkdtemp(join(tmpdir(), "lc2-catalog-outage-"));
    const first = await startPostgres(newest, { directory });
    const url = first.url.replace("@", `:${first.password}@`);
    const catalog = open(url, "lc2");
    try {
      await catalog.putRestore("restore-1", { approvedAtMs: 1 });
      await first.stop("fast");
      await expect(catalog.getRestore("restore-1")).rejects.toMatchObject({
        code: "catalog-unreachable",
        retry: "backoff",
        message: expect.stringContaining(`127.0.0.1:${first.port}`) as string,
      });
      // Asked while nobody answers; answered by the server that comes back.
      const waiting = catalog.putRestore("restore-2", { approvedAtMs: 2 });
      await using second = await startPostgres(newest, { directory, port: first.port });
      await waiting;
      expect((await catalog.getRestore("restore-2"))?.approvedAtMs).toBe(2);
      expect((await catalog.getRestore("restore-1"))?.approvedAtMs).toBe(1);
      await catalog.close();
      await second.stop();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it("in the middle of a session loses that session only", async () => {
    const catalog = open(ownerUrl(), newSchema());
    await catalog.putRestore("restore-1", {});
    const killed = await inDatabase(
      "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'lc2 catalog' and datname = current_database()",
    );
    expect(killed.length).toBeGreaterThan(0);
    expect(await catalog.getRestore("restore-1")).toEqual({ restoreId: "restore-1" });
    await catalog.close();
  });

  it("and never was there is told at once", async () => {
    const failure = await failureOf(open("postgres://lc2:secret@127.0.0.1:9/lc2", "lc2"));
    expect(failure).toMatchObject({ code: "catalog-unreachable", retry: "backoff" });
    expect(failure.message).toContain("127.0.0.1:9");
    expect(failure.message).not.toContain("secret");
  });

  it("or a table that somebody holds for long ends a statement, not the program", async () => {
    const schema = newSchema();
    const catalog = open(ownerUrl(), schema);
    await catalog.putRestore("restore-1", {});
    const client = await holdTable(`${schema}.restores`);
    await expect(catalog.getRestore("restore-1")).rejects.toMatchObject({ code: "catalog-unreachable" });
    await client.end();
    expect(await catalog.getRestore("restore-1")).toBeDefined();
    await catalog.close();
  });
});

describe("what a role may do", () => {
  it("is enough with a schema of its own, without any right on the database", async () => {
    const schema = newSchema();
    const role = `limited_${schema}`;
    await inDatabase(`create role ${role} login password 'p'`);
    const url = database.server.urlOf(database.name, role).replace("@", ":p@");
    const refused = await failureOf(open(url, schema));
    expect(refused).toMatchObject({ code: "catalog-failed", retry: "never" });
    expect(refused.message).toContain(`CREATE SCHEMA "${schema}" AUTHORIZATION "${role}"`);

    await inDatabase(`create schema ${schema} authorization ${role}`);
    const catalog = open(url, schema);
    await catalog.putRestore("restore-1", {});
    expect(await catalog.getRestore("restore-1")).toBeDefined();
    await catalog.close();
  });

  it("is too little on a server that takes no writes", async () => {
    const url = `${ownerUrl()}?options=-c%20default_transaction_read_only%3Don`;
    const failure = await failureOf(open(url, newSchema()));
    expect(failure.code).toBe("catalog-failed");
    expect(failure.message).toContain("primary");
  });

  it("begins with its password, which no message repeats", async () => {
    const failure = await failureOf(open(database.owner.url.replace("@", ":hunter2@"), "lc2"));
    expect(failure).toMatchObject({ code: "catalog-failed", retry: "never" });
    expect(failure.message).toContain("password");
    expect(failure.message).not.toContain("hunter2");
  });

  it("is that of DATABASE_URL alone: settings for the databases that are backed up lead nowhere else", async () => {
    const env = {
      PGHOST: "nowhere.invalid",
      PGPORT: "9",
      PGPASSWORD: "wrong",
      PGOPTIONS: "-c role=postgres",
    };
    const catalog = openPostgresCatalog(ownerUrl(), { schema: newSchema(), env });
    expect(await catalog.listOpenOperations()).toEqual([]);
    await catalog.close();
  });

  it("is not asked of another kind of URL", async () => {
    const failure = await failureOf(open("mysql://cms:hunter2@db/cms", "lc2"));
    expect(failure.code).toBe("usage");
    expect(failure.message).toContain("DATABASE_URL");
    expect(failure.message).not.toContain("hunter2");
  });

  it("is not enough in a database that cannot hold every name", async () => {
    const name = `latin_${randomBytes(4).toString("hex")}`;
    await database.server.query(`create database ${name} encoding 'LATIN1' locale 'C' template template0`);
    const url = database.server.urlOf(name).replace("@", `:${database.server.password}@`);
    const failure = await failureOf(open(url, "lc2"));
    expect(failure.code).toBe("catalog-failed");
    expect(failure.message).toContain("LATIN1");
    await database.server.query(`drop database ${name} with (force)`);
  });
});

describe("schema versions", () => {
  it("of a newer program that this one can go on beside are left as they are", async () => {
    const schema = newSchema();
    await touch(schema);
    await inDatabase(`update ${schema}.schema_version set version = 999;
      alter table ${schema}.restores add column added_later text`);
    await touch(schema);
    expect(await inDatabase(`select version from ${schema}.schema_version`)).toEqual([{ version: 999 }]);
  });

  it("of a newer program that this one must not write beside are refused, and nothing is changed", async () => {
    const schema = newSchema();
    await touch(schema);
    await inDatabase(`update ${schema}.schema_version set version = 999, oldest_program = 999`);
    const failure = await failureOf(open(ownerUrl(), schema));
    expect(failure.code).toBe("catalog-too-new");
    expect(failure.message).toContain("999");
    expect(await inDatabase(`select version from ${schema}.schema_version`)).toEqual([{ version: 999 }]);
  });

  it("are made once by several processes that start at the same moment", async () => {
    const schema = newSchema();
    const module = fileURLToPath(new URL("../../src/catalog/open-postgres-catalog.ts", import.meta.url));
    const program =
      `const { openPostgresCatalog } = await import(${JSON.stringify(module)});` +
      `const catalog = openPostgresCatalog(process.env.URL, { schema: ${JSON.stringify(schema)}, env: {} });` +
      "await catalog.putRestore(`restore-${process.argv[1]}`, {}); await catalog.close();";
    const children = [1, 2, 3, 4, 5].map((index) =>
      spawn(process.execPath, ["--input-type=module", "-e", program, String(index)], {
        stdio: "inherit",
        env: { ...process.env, URL: ownerUrl() },
      }),
    );
    const codes = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0] as number));
    expect(codes).toEqual([0, 0, 0, 0, 0]);
    const rows = await inDatabase(`select restore_id from ${schema}.restores`);
    expect(rows).toHaveLength(5);
  });
});

describe("a catalog file of an earlier version", () => {
  it.each([1])("%i opens, shows what it holds, and goes on", async (version) => {
    const folder = await mkdtemp(join(tmpdir(), "lc2-catalog-upgrade-"));
    const file = join(folder, "catalog.db");
    await copyFile(new URL(`../fixtures/catalog/version-${version}.db`, import.meta.url), file);
    const catalog = openSqliteCatalog(file);
    const backupId = "backup-20251110-020000-3f9c2a";

    expect((await catalog.listBackups({ limit: 10 })).backups).toMatchObject([
      { backupId: "backup-20251111-020000-aaaaaa", outcome: "Failed" },
      { backupId, outcome: "Completed", storedBytes: 5_000_000_000, application: "liferay" },
    ]);
    expect((await catalog.getBackup(backupId))?.verifiedAtMs).toBe(Date.parse("2025-11-10T02:01:30Z"));
    expect(await catalog.getBackupMetadata(backupId, "shop")).toEqual({ format: "lc2-backup" });
    expect(await catalog.listTasks(backupId)).toMatchObject([{ name: "prepare", state: "done" }]);
    expect(await catalog.listLog(backupId)).toMatchObject([{ level: "info" }]);
    expect((await catalog.getOperation("backup-20251111-020000-aaaaaa"))?.end?.failure?.code).toBe(
      "disk-full",
    );
    expect(await catalog.listRetiredDatabases()).toMatchObject([{ retiredDatabase: "lportal_old" }]);

    const [open] = await catalog.listOpenOperations();
    const { id, leaseOwner } = open?.operation ?? { id: "", leaseOwner: "" };
    expect(await catalog.takeOver(id, leaseOwner, "me", { seconds: 30 })).toBe(true);
    expect(await catalog.finishOperation(id, "me", { finishedAtMs: 1, outcome: "Completed" })).toBe(true);
    await catalog.close();
    await rm(folder, { recursive: true, force: true });
  });
});

async function touch(schema: string): Promise<void> {
  const catalog = open(ownerUrl(), schema);
  await catalog.putRestore("restore-1", {});
  await catalog.close();
}

/** A session that has the table to itself until it ends. */
async function holdTable(table: string) {
  const { default: pg } = await import("pg");
  const { server, name } = database;
  const { host, port, superuser: user, password } = server;
  const client = new pg.Client({ host, port, user, password, database: name });
  await client.connect();
  await client.query(`begin; lock table ${table} in access exclusive mode`);
  return client;
}
