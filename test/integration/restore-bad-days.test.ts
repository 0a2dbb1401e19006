/** Restores of a database that cannot be done, or go wrong, or die on the way. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import { describe, expect, test } from "vitest";
import { diffFingerprints, fingerprintDatabase } from "../../demo/fingerprint.ts";
import { openClient, startPostgres, type PostgresServer } from "../../demo/postgres-servers.ts";
import { quoteIdentifier as quote } from "../../src/postgres/quote.ts";
import { failureOf } from "../support/backup-run.ts";
import { backUp, nextRestoreId, type RestoreRun } from "../support/restore-run.ts";
import { wrapPgRestore } from "../support/restore-tools.ts";
import {
  freshDatabase,
  installations,
  useServer,
  type TestDatabase,
  type TestRole,
} from "../support/servers.ts";
import { until } from "../support/until.ts";

const installed = await installations();
const majors = installed.map((one) => one.major);
const newest = Math.max(...majors);
const oldest = Math.min(...majors);

const schema = `
  CREATE SCHEMA cms;
  CREATE TABLE cms.article (id int PRIMARY KEY, title text);
  INSERT INTO cms.article SELECT i, 'Title ' || i FROM generate_series(1, 2000) i;
  CREATE TABLE cms.comment (id int PRIMARY KEY, article int REFERENCES cms.article);
  INSERT INTO cms.comment SELECT i, i FROM generate_series(1, 500) i;
  CREATE INDEX comment_article ON cms.comment (article);
  CREATE SEQUENCE cms.counter; SELECT setval('cms.counter', 41);
  SELECT lo_from_bytea(4000000000 + i, '\\x0102') FROM generate_series(1, 10) i;
  GRANT SELECT ON cms.article TO PUBLIC;
`;

interface Prepared extends AsyncDisposable {
  readonly server: PostgresServer;
  readonly database: TestDatabase;
  readonly source: RestoreRun;
}

/** A filled database of an ordinary owner, and a backup of it. */
async function prepare(
  where: number | PostgresServer = newest,
  options: Parameters<typeof freshDatabase>[1] = {},
): Promise<Prepared> {
  const server = typeof where === "number" ? await useServer(where) : where;
  const database = await freshDatabase(server, options);
  await server.psql(`SET ROLE ${quote(database.owner.name)}; ${schema}`, database.name);
  const source = await backUp(database);
  return {
    server,
    database,
    source,
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      for (const name of await namesBesides(database)) {
        await server.psql(`DROP DATABASE ${quote(name)} WITH (FORCE)`);
      }
      await database.drop();
    },
  };
}

/** Databases of the test's owner besides its own. */
async function namesBesides(database: TestDatabase): Promise<string[]> {
  const rows = await database.server.query(
    `SELECT datname AS name FROM pg_database
      WHERE pg_get_userbyid(datdba) = '${database.owner.name}' AND datname <> '${database.name.replaceAll("'", "''")}' ORDER BY 1`,
  );
  return rows.map((row) => String(row["name"]));
}

const connectAs = async (server: PostgresServer, database: string, role: TestRole): Promise<pg.Client> => {
  const client = await openClient(server.urlOf(database, role.name), role.password);
  // It is ended by the swap, which is the point.
  client.on("error", () => {});
  return client;
};

const blockerCodes = (plan: { readonly blockers: readonly { readonly code: string }[] }): string[] =>
  plan.blockers.map((blocker) => blocker.code);

describe("what is refused before anything starts", () => {
  test("an occupied target, where an empty one was asked for", async () => {
    await using all = await prepare();
    const plan = await all.source.as(all.database.owner).plan({ url: all.database.owner.url, into: "empty" });
    expect(blockerCodes(plan)).toEqual(["target-occupied"]);
  });

  test("a missing target, where one is to be swapped or restored in place; an empty one is made", async () => {
    await using all = await prepare();
    const url = all.server.urlOf("not_there", all.database.owner.name);
    const { plan } = all.source.as(all.database.owner);
    for (const into of ["swap", "in-place"] as const) {
      expect(blockerCodes(await plan({ url, into }))).toEqual(["database-not-found"]);
    }
    expect(await plan({ url, into: "empty" })).toMatchObject({
      blockers: [],
      database: { into: "new", finalName: "not_there" },
    });
  });

  test("a role that may not create databases is told what to grant and which ways do without", async () => {
    await using all = await prepare(newest, { ownerCreatesDatabases: false });
    const plan = await all.source.as(all.database.owner).plan({ url: all.database.owner.url });
    expect(blockerCodes(plan)).toEqual(["rights-missing-to-restore"]);
    expect(plan.blockers[0]?.message).toMatch(/CREATEDB.*--into empty.*--into in-place/s);
  });

  test("a role that is set to read only", async () => {
    await using all = await prepare();
    const plan = await all.source.as(all.database.backup).plan({ url: all.database.backup.url });
    expect(blockerCodes(plan)).toContain("rights-missing-to-restore");
    expect(plan.blockers.map(({ message }) => message).join("\n")).toMatch(/read only/);
  });

  test("an older server than the one that was backed up", async () => {
    await using all = await prepare();
    const older = await useServer(oldest);
    await using target = await freshDatabase(older);
    const plan = await all.source.as(target.owner).plan({ url: target.owner.url });
    expect(blockerCodes(plan)).toContain("target-too-old");
  });

  test("prepared transactions in the target, by the plan of a swap", async () => {
    const installation = installed.find((one) => one.major === newest);
    if (installation === undefined) throw new Error("there is no PostgreSQL");
    await using server = await startPostgres(installation, { settings: { max_prepared_transactions: "5" } });
    await using all = await prepare(server);
    await server.psql("BEGIN; DELETE FROM cms.comment; PREPARE TRANSACTION 'half done'", all.database.name);
    const plan = await all.source.as(all.database.owner).plan({ url: all.database.owner.url });
    await server.psql("ROLLBACK PREPARED 'half done'", all.database.name);
    expect(blockerCodes(plan)).toEqual(["session-will-not-end"]);
    expect(plan.blockers[0]?.message).toContain("half done");
  });
});

test.skipIf(oldest === newest)(
  "a newer server than the one that was backed up takes the backup",
  async () => {
    await using all = await prepare(oldest);
    const newer = await useServer(newest);
    await using target = await freshDatabase(newer);
    const plan = await all.source.as(target.owner).restore({ url: target.owner.url });
    expect(plan.database?.into).toBe("empty");
    const [row] = await newer.query("SELECT count(*)::int AS n FROM cms.article", target.name);
    expect(row?.["n"]).toBe(2000);
  },
);

test("the same plan made twice has the same hash, another target another one", async () => {
  await using all = await prepare();
  const owner = all.source.as(all.database.owner);
  const first = await owner.plan({ url: all.database.owner.url });
  const second = await owner.plan({ url: all.database.owner.url });
  const other = await owner.plan({ url: all.database.owner.url, into: "new" });
  expect(second.restoreId).not.toBe(first.restoreId);
  expect(second.hash).toBe(first.hash);
  expect(other.hash).not.toBe(first.hash);
});

test("names of 63 bytes are cut by rule, never by the server", async () => {
  const name = `${"ü".repeat(28)}_${nextRestoreId().slice(-6)}`;
  await using all = await prepare(newest, { name });
  expect(Buffer.byteLength(name)).toBe(63);
  const owner = all.source.as(all.database.owner);
  const plan = await owner.restore({ url: all.database.owner.url });
  expect(await namesBesides(all.database)).toEqual([plan.database?.retireAs]);
  await owner.undo(plan);
  expect(await namesBesides(all.database)).toHaveLength(1);
  expect(await owner.dropOld(plan)).toBe(false);
});

describe("the swap", () => {
  test("ends the application's sessions, and the old database is dropped only when told", async () => {
    await using all = await prepare();
    const { server, database } = all;
    const session = await connectAs(server, database.name, database.owner);
    const owner = all.source.as(database.owner);
    const plan = await owner.restore({ url: database.owner.url });
    await expect(session.query("SELECT 1")).rejects.toThrow(/terminat|connection/i);
    expect(await namesBesides(database)).toEqual([plan.database?.retireAs]);
    expect(await owner.dropOld(plan)).toBe(true);
    expect(await owner.dropOld(plan)).toBe(false);
    expect(await namesBesides(database)).toEqual([]);
    const failure = await failureOf(owner.undo(plan));
    expect(failure.code).toBe("undo-not-possible");
  });

  test("a session that will not let go: nothing is swapped, people get in again, and it can be discarded", async () => {
    await using all = await prepare();
    const { server, database } = all;
    // A superuser's session is not an ordinary role's to end.
    const stubborn = await connectAs(server, database.name, database.superuser);
    const owner = all.source.as(database.owner);
    const before = await fingerprintDatabase(server, database.name);
    const plan = await owner.plan({ url: database.owner.url });
    await owner.load(plan);
    const failure = await failureOf(owner.swap(plan));
    expect(failure.code).toBe("session-will-not-end");
    expect(failure.message).toContain(`"${database.superuser.name}"`);
    await stubborn.end();
    const visitor = await connectAs(server, database.name, database.owner);
    await visitor.end();
    expect(await owner.swap(plan, true)).toEqual({ swapped: false });
    expect(await owner.discard(plan)).toEqual([plan.database?.loadInto]);
    expect(await owner.discard(plan)).toEqual([]);
    expect(await namesBesides(database)).toEqual([]);
    expect(diffFingerprints(before, await fingerprintDatabase(server, database.name))).toEqual([]);
  });

  test("without leave to end sessions it is refused while there are some", async () => {
    await using all = await prepare();
    const { server, database } = all;
    const session = await connectAs(server, database.name, database.owner);
    const owner = all.source.as(database.owner);
    const plan = await owner.plan({ url: database.owner.url, endSessions: false });
    await owner.load(plan);
    expect((await failureOf(owner.swap(plan))).code).toBe("session-will-not-end");
    await session.query("SELECT 1");
    await session.end();
    await until("the session is gone", async () => {
      const rows = await server.query(`SELECT 1 FROM pg_stat_activity WHERE datname = '${database.name}'`);
      return rows.length === 0;
    });
    expect((await owner.swap(plan)).swapped).toBe(true);
  });

  test("died with the door closed: the next run finishes it; after it, it is found done", async () => {
    await using all = await prepare();
    const { server, database } = all;
    const owner = all.source.as(database.owner);
    const plan = await owner.plan({ url: database.owner.url });
    await owner.load(plan);
    await server.psql(`ALTER DATABASE ${quote(database.name)} ALLOW_CONNECTIONS false`);
    expect(await owner.swap(plan, true)).toEqual({ swapped: false });
    const done = await owner.swap(plan);
    expect(done).toEqual({ swapped: true, retiredDatabase: plan.database?.retireAs });
    expect(await owner.swap(plan, true)).toEqual(done);
    expect(await owner.swap(plan)).toEqual(done);
    // What is in place is not this restore's to discard any more.
    expect(await owner.discard(plan)).toEqual([]);
    const visitor = await connectAs(server, database.name, database.owner);
    await visitor.end();
  });

  test("died with the door closed and given up: discarding opens it again", async () => {
    await using all = await prepare();
    const { server, database } = all;
    const owner = all.source.as(database.owner);
    const plan = await owner.plan({ url: database.owner.url });
    await owner.load(plan);
    await server.psql(`ALTER DATABASE ${quote(database.name)} ALLOW_CONNECTIONS false`);
    await owner.discard(plan);
    const visitor = await connectAs(server, database.name, database.owner);
    await visitor.end();
    expect(await namesBesides(database)).toEqual([]);
  });

  test("a database of somebody else under one of its names is never touched", async () => {
    await using all = await prepare();
    const { server, database } = all;
    const owner = all.source.as(database.owner);
    const plan = await owner.plan({ url: database.owner.url });
    const theirs = plan.database?.loadInto ?? "";
    await server.psql(`CREATE DATABASE ${quote(theirs)} OWNER ${quote(database.owner.name)}`);
    await server.psql(
      `CREATE TABLE precious (x int); COMMENT ON DATABASE ${quote(theirs)} IS 'mine'`,
      theirs,
    );
    expect((await failureOf(owner.load(plan))).code).toBe("target-occupied");
    expect((await failureOf(owner.discard(plan))).code).toBe("target-occupied");
    const rows = await server.query("SELECT to_regclass('precious') IS NOT NULL AS there", theirs);
    expect(rows).toEqual([{ there: true }]);
  });
});

describe.each(["swap", "new", "empty", "in-place"] as const)("a tool that fails, into %s", (into) => {
  const failures = {
    "at the indexes":
      'case "$*" in */indexes-*|*/post-data.list*) echo "pg_restore: error: boom" >&2; exit 1;; esac; exec "$real" "$@"',
    "at the foreign keys":
      'case "$*" in */post-data*) echo "pg_restore: error: boom" >&2; exit 1;; esac; exec "$real" "$@"',
    "after all of it": '"$real" "$@"; code=$?; case "$*" in */last*) exit 3;; esac; exit $code',
  };
  test.each(Object.entries(failures))("%s: the target is as it was, and nothing is left", async (_, body) => {
    await using all = await prepare();
    const { server, database, source } = all;
    const tools = installed.find((one) => one.major === newest)?.clientDirectory ?? "";
    await using broken = await wrapPgRestore(tools, body);
    const owner = source.as(database.owner);
    const target = into === "empty" ? `${database.name}_empty` : database.name;
    if (into === "empty")
      await server.psql(`CREATE DATABASE ${quote(target)} OWNER ${quote(database.owner.name)}`);
    await server.psql("DELETE FROM cms.comment; SELECT lo_unlink(4000000001)", database.name);
    const before = await fingerprintDatabase(server, target);
    const names = await namesBesides(database);
    const url = server.urlOf(target, database.owner.name);
    const plan = await owner.plan({ url, into, tools: broken.directory });
    expect(plan.blockers).toEqual([]);

    const failure = await failureOf(owner.load(plan));

    expect(failure.code).toBe("restore-tool-failed");
    expect(diffFingerprints(before, await fingerprintDatabase(server, target))).toEqual([]);
    expect(await namesBesides(database)).toEqual(names);
  });
});

describe.each(["swap", "empty", "in-place"] as const)("cut short, into %s", (into) => {
  test("by a lost lease while rows are loaded: nothing of it stays, and the next restore succeeds", async () => {
    await using all = await prepare();
    const { server, database, source } = all;
    const tools = installed.find((one) => one.major === newest)?.clientDirectory ?? "";
    // It says that it has begun, and waits to be killed.
    const begun = join(source.backup.run.scratchDirectory, "begun");
    const body = `case "$*" in *--section=data*) : > '${begun}'; exec sleep 1000;; esac; exec "$real" "$@"`;
    await using slow = await wrapPgRestore(tools, body);
    const owner = source.as(database.owner);
    const target = into === "empty" ? `${database.name}_empty` : database.name;
    if (into === "empty")
      await server.psql(`CREATE DATABASE ${quote(target)} OWNER ${quote(database.owner.name)}`);
    const before = await fingerprintDatabase(server, target);
    const names = await namesBesides(database);
    const url = server.urlOf(target, database.owner.name);
    const plan = await owner.plan({ url, into, tools: slow.directory });
    const lease = new AbortController();
    const loading = owner.load(plan, { signal: lease.signal }).then(
      () => "done",
      () => "stopped",
    );
    await until("rows are being loaded", () => existsSync(begun));
    lease.abort(new Error("the lease was lost"));
    expect(await loading).toBe("stopped");
    expect(diffFingerprints(before, await fingerprintDatabase(server, target))).toEqual([]);
    expect(await namesBesides(database)).toEqual(names);

    await owner.restore({ url, into }, { restoreId: plan.restoreId });
    const rows = await server.query("SELECT count(*)::int AS n FROM cms.comment", target);
    expect(rows).toEqual([{ n: 500 }]);
  });
});

describe("killed without a word", () => {
  test("while loading: the same restore, run again, drops what is half and succeeds", async () => {
    await using all = await prepare();
    const { server, database, source } = all;
    const owner = source.as(database.owner);
    const plan = await owner.plan({ url: database.owner.url });
    const { database: planned } = plan;
    // What a killed worker leaves: the marked database, some tables in it, and a session that still writes.
    const marker = JSON.stringify({ restoreId: plan.restoreId, state: "loading" });
    await server.psql(
      `CREATE DATABASE ${quote(planned?.loadInto ?? "")} OWNER ${quote(database.owner.name)}`,
    );
    await server.psql(
      `CREATE SCHEMA cms; COMMENT ON DATABASE ${quote(planned?.loadInto ?? "")} IS E'half\\nlc2-marker ${marker}'`,
      planned?.loadInto,
    );
    const orphan = await connectAs(server, planned?.loadInto ?? "", database.owner);
    await owner.load(plan);
    await expect(orphan.query("SELECT 1")).rejects.toThrow(/terminat|connection/i);
    expect((await owner.swap(plan)).swapped).toBe(true);
  });

  test("after loading: run again it is compared, not loaded again", async () => {
    await using all = await prepare();
    const { server, database, source } = all;
    const owner = source.as(database.owner);
    const plan = await owner.plan({ url: database.owner.url });
    await owner.load(plan);
    const oid = () =>
      server.query(`SELECT oid::text FROM pg_database WHERE datname = '${plan.database?.loadInto}'`);
    const first = await oid();
    await owner.load(plan);
    expect(await oid()).toEqual(first);
  });

  test("while an empty database was filled: run again it is cleared first; discarded it is empty again", async () => {
    await using all = await prepare();
    const { server, database, source } = all;
    const target = `${database.name}_empty`;
    await server.psql(`CREATE DATABASE ${quote(target)} OWNER ${quote(database.owner.name)}`);
    const before = await fingerprintDatabase(server, target);
    const owner = source.as(database.owner);
    const plan = await owner.plan({ url: server.urlOf(target, database.owner.name) });
    await owner.load(plan);
    // Its last step, which makes it permanent, has not been done: this is a restore that may be begun again.
    await owner.load(plan);
    expect(await owner.swap(plan, true)).toEqual({ swapped: false });
    expect(await owner.discard(plan)).toHaveLength(1);
    expect(diffFingerprints(before, await fingerprintDatabase(server, target))).toEqual([]);
    expect(await owner.discard(plan)).toEqual([]);
    await owner.load(plan);
    expect((await owner.swap(plan)).swapped).toBe(true);
    // From here on it is the application's: nothing clears it any more.
    expect(await owner.discard(plan)).toEqual([]);
    expect((await failureOf(owner.load(plan))).code).toBe("target-occupied");
  });
});

describe("undo", () => {
  test("of a new database takes its name away and keeps it; of one beside the target changes nothing", async () => {
    await using all = await prepare();
    const { server, database, source } = all;
    const owner = source.as(database.owner);
    const fresh = `${database.name}_fresh`;
    const made = await owner.restore({ url: server.urlOf(fresh, database.owner.name) });
    expect(made.database?.into).toBe("new");
    const undone = await owner.undo(made);
    expect(undone.database?.keptAs).toBeDefined();
    expect(await namesBesides(database)).toEqual([undone.database?.keptAs]);
    const beside = await owner.restore({ url: database.owner.url, into: "new" });
    const names = await namesBesides(database);
    expect(await owner.undo(beside)).toEqual({
      database: { swappedBack: false, keptAs: beside.database?.finalName },
    });
    expect(await namesBesides(database)).toEqual(names);
  });

  test("of a restore in place is refused, for nothing was kept", async () => {
    await using all = await prepare();
    const owner = all.source.as(all.database.owner);
    const plan = await owner.restore({ url: all.database.owner.url, into: "in-place" });
    expect(plan.warnings.join("\n")).toMatch(/cannot be undone.*backup/s);
    expect((await failureOf(owner.undo(plan))).code).toBe("undo-not-possible");
  });
});

describe("a tool that says all is well, and it is not", () => {
  const lies = {
    "a row is missing": [
      "*--section=data*",
      "DELETE FROM cms.comment WHERE id = 7",
      /cms\.comment has 499 rows instead of 500/,
    ],
    "a sequence stands elsewhere": [
      "*--section=data*",
      "SELECT setval('cms.counter', 1)",
      /cms\.counter stands at 1 instead of 41/,
    ],
    "a large object is missing": [
      "*--section=data*",
      "SELECT lo_unlink(4000000001)",
      /9 large objects instead of 10/,
    ],
    "a large object is short": [
      "*--section=data*",
      "SELECT lo_truncate(lo_open(4000000001, 131072), 1)",
      /19 bytes instead of 20/,
    ],
    "an index is missing": ["*/last*", "DROP INDEX cms.comment_article", /2 indexes instead of 3/],
    "a foreign key is missing": [
      "*/last*",
      "ALTER TABLE cms.comment DROP CONSTRAINT comment_article_fkey",
      /0 foreign keys instead of 1/,
    ],
  } as const;
  test.each(Object.entries(lies))("%s: found out, named, dropped", async (_, [when, sql, message]) => {
    await using all = await prepare();
    const { database, source } = all;
    const tools = installed.find((one) => one.major === newest)?.clientDirectory ?? "";
    const body = [
      '"$real" "$@" || exit $?',
      `case "$*" in ${when})`,
      '  for a in "$@"; do case "$a" in --dbname=*) database="${a#--dbname=}";; esac; done',
      `  '${join(tools, "psql")}' -qtA -d "$database" -c "${sql}" >/dev/null;;`,
      "esac",
    ].join("\n");
    await using lying = await wrapPgRestore(tools, body);
    const owner = source.as(database.owner);
    const plan = await owner.plan({ url: database.owner.url, tools: lying.directory });
    const failure = await failureOf(owner.load(plan));
    expect(failure.code).toBe("restore-incomplete");
    expect(failure.message).toMatch(message);
    expect(await namesBesides(database)).toEqual([]);
  });
});

describe("schemas that the tools cannot restore end in a failure that names the object and the way out:", () => {
  const traps = {
    "a CHECK that reads another table": [
      `CREATE TABLE cms.allowed (id int PRIMARY KEY); INSERT INTO cms.allowed VALUES (1);
       CREATE FUNCTION cms.is_allowed(i int) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT 1 FROM cms.allowed WHERE id = i)';
       CREATE TABLE cms.a_checked (id int CHECK (cms.is_allowed(id))); INSERT INTO cms.a_checked VALUES (1);`,
      /a_checked.*CHECK that reads another table/s,
    ],
    "a function of an index that finds its table by search_path": [
      `CREATE TABLE cms.lookup (id int PRIMARY KEY, name text);
       CREATE FUNCTION cms.name_of(i int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT name FROM lookup WHERE id = i';
       CREATE TABLE cms.named (id int); INSERT INTO cms.named VALUES (1);
       SET search_path = cms; SET check_function_bodies = off; CREATE INDEX named_name ON cms.named (cms.name_of(id));`,
      /named_name.*search_path/s,
    ],
  } as const;
  // From 17 on, a server does not let such an index be made in the first place.
  const before17 = Math.max(...majors.filter((major) => major < 17));
  test.each(Object.entries(traps))("%s", async (_, [sql, message]) => {
    await using all = await prepare(before17);
    const { server, database } = all;
    const setUp = `SET ROLE ${quote(database.owner.name)}; SET check_function_bodies = off; ${sql}`;
    await server.psql(setUp, database.name);
    await using source = await backUp(database);
    const failure = await failureOf(
      source.as(database.owner).restore({ url: database.owner.url, into: "new" }),
    );
    expect(failure.code).toBe("restore-tool-failed");
    expect(failure.message).toMatch(message);
    expect(await namesBesides(database)).toEqual([]);
  });
});

describe("roles that the target does not have", () => {
  async function withLostRole(all: Prepared): Promise<{ source: RestoreRun; kept: string; lost: string }> {
    const { server, database } = all;
    const [kept, lost] = [`kept_${database.name}`, `lost_${database.name}`];
    const owner = quote(database.owner.name);
    await server.psql(
      `CREATE ROLE ${kept}; CREATE ROLE ${lost} NOLOGIN CONNECTION LIMIT 3;
       SET ROLE ${owner}; GRANT SELECT ON cms.article TO ${kept}, ${lost};
       GRANT USAGE ON SCHEMA cms TO ${lost}; ALTER DEFAULT PRIVILEGES IN SCHEMA cms GRANT SELECT ON TABLES TO ${lost}`,
      database.name,
    );
    const source = await backUp(database);
    await server.psql(`DROP OWNED BY ${lost}; DROP ROLE ${lost}`, database.name);
    return { source, kept, lost };
  }
  const mayRead = async (server: PostgresServer, role: string, name: string): Promise<unknown> => {
    const rows = await server.query(
      `SELECT has_table_privilege('${role}', 'cms.article', 'SELECT') AS may`,
      name,
    );
    return rows[0]?.["may"];
  };

  test("lose their grants, which the plan says; the others keep theirs", async () => {
    await using all = await prepare();
    const { server, database } = all;
    const { source, kept, lost } = await withLostRole(all);
    const plan = await source.as(database.owner).restore({ url: database.owner.url });
    expect(plan.database?.leaveOut.map(({ why }) => why)).toEqual(
      Array.from({ length: 3 }, () => `the target has no role ${lost}`),
    );
    expect(await mayRead(server, kept, database.name)).toBe(true);
    await server.psql(`DROP OWNED BY ${kept}`, plan.database?.retireAs);
    await server.psql(`DROP OWNED BY ${kept}; DROP ROLE ${kept}`, database.name);
    await source[Symbol.asyncDispose]();
  });

  test("are made on request, without passwords, and get their grants", async () => {
    await using all = await prepare();
    const { server, database } = all;
    const { source, kept, lost } = await withLostRole(all);
    const superuser = source.as(database.superuser);
    const plan = await superuser.restore({ url: database.superuser.url, createRoles: true });
    expect(plan.database?.leaveOut).toEqual([]);
    expect(await mayRead(server, lost, database.name)).toBe(true);
    const rows = await server.query(`SELECT rolconnlimit AS n FROM pg_roles WHERE rolname = '${lost}'`);
    expect(rows).toEqual([{ n: 3 }]);
    await server.psql(`DROP OWNED BY ${kept}`, plan.database?.retireAs);
    await server.psql(`DROP OWNED BY ${kept}, ${lost}; DROP ROLE ${kept}; DROP ROLE ${lost}`, database.name);
    await source[Symbol.asyncDispose]();
  });

  test("cannot be made by a role that may not", async () => {
    await using all = await prepare();
    const { server, database } = all;
    const { source, kept } = await withLostRole(all);
    const plan = await source.as(database.owner).plan({ url: database.owner.url, createRoles: true });
    expect(blockerCodes(plan)).toContain("rights-missing-to-restore");
    await server.psql(`DROP OWNED BY ${kept}; DROP ROLE ${kept}`, database.name);
    await source[Symbol.asyncDispose]();
  });
});
