import { appendFile, cp, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openClient, startPostgres, type RunningPostgres } from "../../demo/postgres-servers.ts";
import { runProgram, startBackupRun } from "../support/backup-run.ts";
import { until } from "../support/until.ts";
import { freshDatabase, installations, useServer } from "../support/servers.ts";

const installed = (await installations()).filter((one) => one.hasClientTools);
const toolFolders = { LC2_PG_BIN: installed.map((one) => one.binDirectory).join(":") };
const [oldest, newest] = [installed[0], installed.at(-1)];
if (oldest === undefined || newest === undefined) throw new Error("no PostgreSQL with client tools is here");

test("roles and database-level settings come along as SQL that another server takes", async () => {
  const server = await useServer(oldest.major);
  await using database = await freshDatabase(server, { name: `we"ird ${process.pid} ü` });
  const [name, owner, group] = [
    `"we""ird ${process.pid} ü"`,
    `"${database.owner.name}"`,
    `"Grp ü ${process.pid}"`,
  ];
  await server.psql(
    `CREATE ROLE ${group} NOLOGIN; COMMENT ON ROLE ${group} IS E'it''s\\na \\\\ group';
     ALTER ROLE ${group} SET search_path = "$user", 'odd, name', public;
     GRANT ${group} TO ${owner} WITH ADMIN OPTION;
     ALTER DATABASE ${name} SET work_mem = '7MB';
     ALTER ROLE ${owner} IN DATABASE ${name} SET "app.greeting" = E'it''s\\n';
     REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC; GRANT CONNECT ON DATABASE ${name} TO ${group};
     COMMENT ON DATABASE ${name} IS 'the shop''s'; ALTER DATABASE ${name} CONNECTION LIMIT 50;
     CREATE TABLE t (); GRANT SELECT ON t TO ${group};`,
    database.name,
  );
  await using backup = await startBackupRun({ env: { ...toolFolders, ...database.superuser.environment } });
  const component = await backup.backup({ url: database.superuser.url });
  const sql = await backup.text(component.roles);
  expect(sql).not.toMatch(/password '|SCRAM|md5/i);
  expect(component.archives[0]?.name).toBe(`a1/database/we_22ird_20${process.pid}_20_c3_bc.dump`);

  const facts = `
    SELECT json_build_object('limit', d.datconnlimit, 'comment', shobj_description(d.oid, 'pg_database'),
      'acl', (SELECT json_agg(a::text ORDER BY a::text) FROM unnest(d.datacl) a), 'owner', pg_get_userbyid(d.datdba),
      'settings', (SELECT json_agg(json_build_array(setrole = 0, setconfig) ORDER BY setrole = 0) FROM pg_db_role_setting WHERE setdatabase = d.oid),
      'group', (SELECT json_build_array(rolcanlogin, rolconfig, shobj_description(oid, 'pg_authid')) FROM pg_roles WHERE rolname = 'Grp ü ${process.pid}'),
      'member', (SELECT bool_or(admin_option) FROM pg_auth_members WHERE pg_get_userbyid(member) = '${database.owner.name}' AND pg_get_userbyid(roleid) LIKE 'Grp%'))::text AS facts
      FROM pg_database d WHERE datname = current_database()`;
  await using other = await startPostgres(newest, {});
  await other.psql(`CREATE DATABASE ${name}`);
  await runProgram(
    join(newest.binDirectory, "psql"),
    [
      "-Xq",
      "-v",
      "ON_ERROR_STOP=0",
      "-d",
      other.urlOf(database.name),
      "-c",
      sql.replaceAll(/^--.*$/gm, "").replace(/CREATE ROLE "postgres"[^;]*;/, ""),
    ],
    other.environment(),
  );
  expect(await other.query(facts, database.name)).toEqual(await server.query(facts, database.name));
  await database.drop();
  await server.psql(`DROP OWNED BY ${group}; DROP ROLE ${group}`);
});

test("a database in another encoding keeps its names, rows and excluded tables", async () => {
  const server = await useServer(newest.major);
  await using database = await freshDatabase(server);
  await server.psql(`DROP DATABASE "${database.name}";
    CREATE DATABASE "${database.name}" TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`);
  await server.psql(
    `SET client_encoding = 'UTF8'; CREATE TABLE "café_été" (t text); INSERT INTO "café_été" SELECT 'naïve' FROM generate_series(1, 10);
     CREATE TABLE "café" (t text); INSERT INTO "café" VALUES ('ÿ'); CREATE SEQUENCE "séq";`,
    database.name,
  );
  await using backup = await startBackupRun({ env: { ...toolFolders, ...database.superuser.environment } });
  const component = await backup.backup({ url: database.superuser.url, excludeTables: ["café_*"] });
  const inventory = await backup.inventory(component);
  expect(inventory.tables).toEqual([
    { schema: "public", name: "café", kind: "table", rows: 1, bytes: 2 },
    { schema: "public", name: "café_été", kind: "table", excluded: true },
  ]);
  expect(inventory.sequences).toEqual([{ schema: "public", name: "séq", lastValue: "1", isCalled: false }]);
  expect(inventory.database.encoding).toBe("LATIN1");
});

test("a role's own time-outs and read-only settings do not end a backup", async () => {
  const server = await useServer(newest.major);
  await using database = await freshDatabase(server);
  await server.psql(
    "CREATE TABLE t (b text); INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 1500)",
    database.name,
  );
  await server.psql(`
    ALTER ROLE "${database.backup.name}" SET statement_timeout = '300ms';
    ALTER ROLE "${database.backup.name}" SET idle_in_transaction_session_timeout = '300ms';
    ${newest.major >= 17 ? `ALTER ROLE "${database.backup.name}" SET transaction_timeout = '300ms';` : ""}`);
  await using backup = await startBackupRun({
    env: { ...toolFolders, ...database.backup.environment },
    maxRateBytesPerSecond: 1_000_000,
  });
  await server.psql(`GRANT pg_read_all_data TO "${database.backup.name}"`);
  const component = await backup.backup({ url: database.backup.url });
  expect(component.rows).toBe(1500);
});

test("rows of a partition are left out with its parent, and the definitions stay", async () => {
  const server = await useServer(newest.major);
  await using database = await freshDatabase(server);
  await server.psql(
    `CREATE TABLE log (id int) PARTITION BY RANGE (id); CREATE TABLE part_a PARTITION OF log FOR VALUES FROM (0) TO (10);
     CREATE TABLE part_b PARTITION OF log FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
     CREATE TABLE part_b1 PARTITION OF part_b FOR VALUES FROM (10) TO (20);
     INSERT INTO log SELECT generate_series(0, 19); CREATE TABLE kept (id int); INSERT INTO kept VALUES (1);`,
    database.name,
  );
  await using backup = await startBackupRun({ env: { ...toolFolders, ...database.superuser.environment } });
  const inventory = await backup.inventory(
    await backup.backup({ url: database.superuser.url, excludeTables: ["log"] }),
  );
  const root = { schema: "public", name: "log" };
  expect(inventory.tables).toEqual([
    { schema: "public", name: "kept", kind: "table", rows: 1, bytes: 2 },
    { schema: "public", name: "part_a", kind: "table", excluded: true, parent: root },
    { schema: "public", name: "part_b1", kind: "table", excluded: true, parent: root },
  ]);
});

test("an empty database is an archive like any other, and its head is all of it", async () => {
  const server = await useServer(newest.major);
  await using database = await freshDatabase(server);
  await using backup = await startBackupRun({ env: { ...toolFolders, ...database.superuser.environment } });
  const component = await backup.backup({ url: database.superuser.url, streams: 4 });
  expect([component.tables, component.rows, component.archives.length]).toEqual([0, 0, 1]);
  expect(component.toc.plainBytes).toBe(component.archives[0]?.plainBytes);
});

test("tables that come and go while the backup begins are all accounted for", async () => {
  const server = await useServer(newest.major);
  await using database = await freshDatabase(server);
  await server.psql(
    "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int);",
    database.name,
  );
  const other = await openClient(server.urlOf(database.name), server.password);
  try {
    await other.query("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE");
    await using backup = await startBackupRun({ env: { ...toolFolders, ...database.superuser.environment } });
    const work = backup.backup({ url: database.superuser.url });
    await until("the backup to wait for a", () => backup.messages.some((message) => message.type === "log"));
    await server.psql("DROP TABLE c; CREATE TABLE d (id int); INSERT INTO d VALUES (1);", database.name);
    await other.query("COMMIT");
    const inventory = await backup.inventory(await work);
    expect(inventory.tables.map((table) => [table.name, table.rows])).toEqual([
      ["a", 0],
      ["b", 0],
      ["d", 1],
    ]);
  } finally {
    await other.end();
  }
});

test("a standby is backed up where that is asked for, without rows of unlogged tables", async () => {
  await using primary = await startPostgres(newest, {
    settings: { wal_level: "replica", autovacuum: "off" },
  });
  await primary.psql(`
    CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 100); CREATE UNLOGGED TABLE u (id int);
    SELECT lo_create(0); CREATE SEQUENCE s; CHECKPOINT;`);
  const directory = await mkdtemp(join(tmpdir(), "lc2-standby-"));
  try {
    await copyAsStandby(primary, directory);
    await using standby = await startPostgres(newest, { directory });
    await using backup = await startBackupRun({ env: { ...toolFolders, ...standby.environment() } });
    const refused: unknown = await backup.backup({ url: standby.url }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "standby-refused" });

    const component = await backup.backup({ url: standby.url, fromStandby: true, streams: 2 });
    expect([component.rows, component.tables, component.largeObjects]).toEqual([100, 1, 1]);
    expect(component.warnings).toEqual([expect.stringMatching(/unlogged tables.*public\.u\.$/)]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

/** A base backup by hand, because not every set of programs has pg_basebackup. */
async function copyAsStandby(primary: RunningPostgres, directory: string): Promise<void> {
  const client = await openClient(primary.url, primary.password);
  try {
    const modern = primary.installation.major >= 15;
    await client.query(
      modern ? "SELECT pg_backup_start('lc2', true)" : "SELECT pg_start_backup('lc2', true, false)",
    );
    await cp(primary.directory, directory, { recursive: true, preserveTimestamps: true });
    const { rows } = await client.query<{ label: string }>(
      modern
        ? "SELECT labelfile AS label FROM pg_backup_stop(false)"
        : "SELECT labelfile AS label FROM pg_stop_backup(false, false)",
    );
    await writeFile(join(directory, "data/backup_label"), rows[0]?.label ?? "");
  } finally {
    await client.end();
  }
  const { host, port, superuser, password } = primary;
  const source = `host=${host} port=${port} user=${superuser} password=${password}`;
  await appendFile(join(directory, "data/postgresql.auto.conf"), `primary_conninfo = '${source}'\n`);
  await writeFile(join(directory, "data/standby.signal"), "");
  await rm(join(directory, "data/postmaster.pid"), { force: true });
  const { uid, gid } = await stat(primary.dataDirectory);
  await runProgram("chown", ["-R", `${uid}:${gid}`, directory], {});
}
