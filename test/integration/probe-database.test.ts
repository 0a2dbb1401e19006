import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Failure } from "../../src/core/failure.ts";
import { probeDatabase } from "../../src/worker/backup/probe-database.ts";
import { failureOf, startBackupRun } from "../support/backup-run.ts";
import { freshDatabase, installations, useServer, type TestDatabase } from "../support/servers.ts";
import type { PostgresServer } from "../../demo/postgres-servers.ts";

const installed = (await installations()).filter((one) => one.hasClientTools);
const toolFolders = { LC2_PG_BIN: installed.map((one) => one.binDirectory).join(":") };

describe.each(installed.map((one) => one.major))("PostgreSQL %i", (major) => {
  let server: PostgresServer;
  let database: TestDatabase;
  const role = `plain_${major}_${process.pid}`;

  const env = (): Record<string, string> => ({
    PATH: process.env["PATH"] ?? "",
    ...toolFolders,
    PGPASSWORD: "plain",
  });
  const spec = (): { url: string; excludeTables: string[] } => ({
    url: server.urlOf(database.name, role),
    excludeTables: [],
  });

  beforeAll(async () => {
    server = await useServer(major);
    database = await freshDatabase(server);
    await server.psql(`CREATE ROLE "${role}" LOGIN PASSWORD 'plain'`);
    await server.psql(
      `SET ROLE "${database.owner.name}";
       CREATE SCHEMA "closed ""x""";
       CREATE TABLE "closed ""x"""."Tab.elle" (id int);
       CREATE SCHEMA open; GRANT USAGE ON SCHEMA open TO PUBLIC;
       CREATE TABLE open.hidden (id int);
       CREATE TABLE open.readable (id int); GRANT SELECT ON open.readable TO PUBLIC;
       CREATE TABLE open.some_columns (id int, secret text); GRANT SELECT (id) ON open.some_columns TO PUBLIC;
       CREATE SEQUENCE open.numbers;
       CREATE TABLE open.rows (id int); GRANT SELECT ON open.rows TO PUBLIC;
       ALTER TABLE open.rows ENABLE ROW LEVEL SECURITY;
       CREATE POLICY nothing ON open.rows USING (false);
       CREATE SCHEMA many; GRANT USAGE ON SCHEMA many TO PUBLIC;
       CREATE TABLE many.t1 (); CREATE TABLE many.t2 (); CREATE TABLE many.t3 ();
       CREATE TABLE many.t4 (); CREATE TABLE many.t5 (); CREATE TABLE many.t6 ();
       SELECT lo_create(4711); SELECT lo_create(4712); GRANT SELECT ON LARGE OBJECT 4712 TO PUBLIC;`,
      database.name,
    );
  });
  afterAll(async () => {
    await database.drop();
    await server.psql(`DROP ROLE "${role}"`);
  });

  test("lists everything a role cannot read with the statements that help, and they help", async () => {
    const failure = await failureOf(probeDatabase(spec(), { env: env() }));
    const statements = failure.message.split("\n").filter((line) => /^ {2}.*;$/.test(line));
    expect([failure.code, failure.kind]).toEqual(["rights-missing", "refused"]);
    expect(statements.map((line) => line.trim())).toEqual([
      `GRANT USAGE ON SCHEMA "closed ""x""" TO "${role}";`,
      `GRANT SELECT ON TABLE "closed ""x"""."Tab.elle" TO "${role}";`,
      `GRANT SELECT ON ALL TABLES IN SCHEMA "many" TO "${role}";`,
      `GRANT SELECT ON TABLE "open"."hidden" TO "${role}";`,
      `GRANT SELECT ON TABLE "open"."some_columns" TO "${role}";`,
      `GRANT SELECT ON SEQUENCE "open"."numbers" TO "${role}";`,
      `ALTER ROLE "${role}" BYPASSRLS;`,
      `GRANT "${database.owner.name}" TO "${role}";`,
    ]);
    expect(failure.message).toContain("1 large object)");

    await server.psql(statements.join("\n"), database.name);
    const found = await probeDatabase(spec(), { env: env() });
    expect(found).toMatchObject({ name: database.name, notes: [] });
    expect(found.serverVersion).toMatch(new RegExp(`^${major}\\.`));
    expect(found.sizeBytes).toBeGreaterThan(0);

    await using backup = await startBackupRun({ env: env() });
    const component = await backup.backup({ url: spec().url });
    expect([component.tables, component.largeObjects]).toEqual([11, 2]);
  });

  test("says which patterns of tables fit, and which fit nothing", async () => {
    const url = server.urlOf(database.name);
    const excludeTables = ["many.*", "closed*.Tab.*", "MANY.*"];
    const found = await probeDatabase(
      { url, excludeTables },
      { env: { ...env(), PGPASSWORD: server.password } },
    );
    expect(found.notes).toEqual([
      'The rows of 6 tables are left out by the pattern "many.*".',
      'The rows of 1 table are left out by the pattern "closed*.Tab.*".',
      expect.stringMatching(/^The pattern "MANY\.\*" of --exclude-table fits no table\./),
    ]);
  });

  test("tells apart why a server cannot be reached", async () => {
    const { host, port, superuser } = server;
    const password = { PGPASSWORD: server.password };
    const cases: [string, Record<string, string>, string][] = [
      [`postgres://${superuser}@${host}:${port}/no_such_database`, password, "database-not-found"],
      [
        `postgres://${superuser}@${host}:${port}/${database.name}`,
        { PGPASSWORD: "wrong" },
        "database-login-refused",
      ],
      [
        `postgres://${superuser}@${host}:${port}/${database.name}`,
        { PGPASSWORD: "" },
        "database-login-refused",
      ],
      [
        `postgres://nobody_here@${host}:${port}/${database.name}`,
        { PGPASSWORD: "x" },
        "database-login-refused",
      ],
      [`postgres://${superuser}@${host}:1/${database.name}`, password, "database-unreachable"],
      [`postgres://${superuser}@no-such-host.invalid/${database.name}`, password, "database-unreachable"],
      [`postgres://${superuser}@/${database.name}?host=/no/such/folder`, password, "database-unreachable"],
      [
        `postgres://${superuser}@${host}:${port}/${database.name}?sslmode=require`,
        password,
        "database-tls-failed",
      ],
      [`postgres://${superuser}:x@${host}:${port}/${database.name}`, {}, "password-on-command-line"],
    ];
    const codes: string[] = [];
    for (const [url, more] of cases) {
      const failure = await failureOf(
        probeDatabase({ url, excludeTables: [] }, { env: { ...env(), ...more } }),
      );
      expect(failure.message).not.toContain(server.password);
      codes.push(failure.code);
    }
    expect(codes).toEqual(cases.map(([, , code]) => code));
  });

  test("refuses a primary where a standby was asked for, and tools that do not fit", async () => {
    const url = server.urlOf(database.name);
    const superuser = { env: { ...env(), PGPASSWORD: server.password } };
    const ask = (more: object): Promise<Failure> =>
      failureOf(probeDatabase({ url, excludeTables: [], ...more }, superuser));
    expect((await ask({ fromStandby: true })).code).toBe("standby-refused");
    expect((await ask({ tools: String(major - 1) })).code).toBe("tools-missing");
    expect((await ask({ tools: "/no/such/folder" })).code).toBe("tools-missing");
  });
});
