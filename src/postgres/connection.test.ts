import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  connectionAddress,
  redactedUrl,
  resolveConnection,
  toolEnvironment,
  withDatabase,
} from "./connection.ts";
import { parseDatabaseUrl } from "../core/database/database-url.ts";
import { findPassword, parsePasswordFile } from "./password-file.ts";
import { parseServiceFile } from "./service-file.ts";

describe("a database URL", () => {
  test.each([
    ["postgres://app@db:5433/lportal", { user: "app", host: "db", port: "5433", dbname: "lportal" }],
    ["postgresql://", {}],
    ["postgresql:///lportal?host=/run/pg&port=5433", { dbname: "lportal", host: "/run/pg", port: "5433" }],
    ["postgres://app@/lportal", { user: "app", dbname: "lportal" }],
    ["postgres://%2Fvar%2Frun/x", { host: "/var/run", dbname: "x" }],
    [
      "postgres://a%40b@[2001:db8::1]:5433/d%20b",
      { user: "a@b", host: "2001:db8::1", port: "5433", dbname: "d b" },
    ],
    [
      "postgres://db/x?sslmode=verify-full&sslrootcert=/a%20b.crt",
      { host: "db", dbname: "x", sslmode: "verify-full", sslrootcert: "/a b.crt" },
    ],
    ["postgres://db/x?ssl=true", { host: "db", dbname: "x", sslmode: "require" }],
  ])("%s is understood as libpq does", (url, expected) => {
    expect(parseDatabaseUrl(url)).toEqual(expected);
  });

  test.each([
    "postgres://app:secret@db/x",
    "postgres://app@db/x?password=secret",
    "postgres://app:@db/x",
    "postgres://db/x?sslpassword=secret",
  ])("%s carries a password and is refused without repeating it", (url) => {
    const refused = (): unknown => parseDatabaseUrl(url);
    expect(refused).toThrow(expect.objectContaining({ code: "password-on-command-line" }));
    expect(refused).not.toThrow(/secret/);
  });

  test.each(["mysql://db/x", "db", "postgres:/db", "postgres://db/%zz"])("%s is refused", (url) => {
    expect(() => parseDatabaseUrl(url)).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

describe("a connection", () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "lc2-home-"));
    await writeFile(
      join(home, ".pgpass"),
      "# comment\nother:*:*:*:wrong\ndb:5432:one:app:p\\:1\ndb:*:*:app:any\nlocalhost:*:*:app:local\n",
      { mode: 0o600 },
    );
    await writeFile(
      join(home, ".pg_service.conf"),
      "[shop]\nhost=shop-db\nport=6000\nuser=shop\npassword=pw\n[other]\nhost=x\n[shop]\nhost=second\n",
    );
  });
  afterAll(() => rm(home, { recursive: true, force: true }));

  test("takes what the URL says before the service file, that before variables, those before defaults", async () => {
    const env = { HOME: home, PGHOST: "env", PGPORT: "7000", PGDATABASE: "envdb", PGSSLMODE: "require" };
    const connection = await resolveConnection("postgres://me@/?service=shop", env);
    expect(connection).toMatchObject({
      host: "shop-db",
      port: 6000,
      user: "me",
      database: "envdb",
      sslmode: "require",
    });
    expect(connection.passwordFor("envdb")).toBe("pw");
    const defaults = await resolveConnection("postgres://db", { HOME: home });
    const user = userInfo().username;
    expect(defaults).toMatchObject({ port: 5432, user, database: user, sslmode: "prefer" });
    const fromVariable = await resolveConnection("postgres://", {
      HOME: home,
      PGSERVICE: "other",
      PGUSER: "u",
    });
    expect(fromVariable).toMatchObject({ host: "x", user: "u", database: "u" });
  });

  test("finds the password for the database it is turned to, and shows it nowhere", async () => {
    const connection = await resolveConnection("postgres://app@db/one", { HOME: home });
    expect(toolEnvironment(connection, { PATH: "/bin", SECRET: "x" })).toEqual({
      PATH: "/bin",
      LANG: "C.UTF-8",
      LC_ALL: "C.UTF-8",
      PGHOST: "db",
      PGPORT: "5432",
      PGUSER: "app",
      PGDATABASE: "one",
      PGSSLMODE: "prefer",
      PGCONNECT_TIMEOUT: "20",
      PGPASSWORD: "p:1",
    });
    const other = withDatabase(connection, "two");
    expect(toolEnvironment(other, {})["PGPASSWORD"]).toBe("any");
    expect(JSON.stringify(other) + redactedUrl(other)).not.toContain("any");
    const given = await resolveConnection("postgres://app@db/one", { HOME: home, PGPASSWORD: "given" });
    expect(given.passwordFor("one")).toBe("given");
  });

  test("takes no password from a file that others may read, as libpq has it", async () => {
    const path = join(home, "open-pgpass");
    await writeFile(path, "*:*:*:*:secret\n");
    await chmod(path, 0o644);
    const connection = await resolveConnection("postgres://app@db/one", { HOME: home, PGPASSFILE: path });
    expect(connection.passwordFor("one")).toBeUndefined();
  });

  test("through a socket is localhost to .pgpass, and keeps its folder in messages", async () => {
    const connection = await resolveConnection("postgres://app@/x?host=/run/pg&port=5433", { HOME: home });
    expect(connection.passwordFor("x")).toBe("local");
    expect(connectionAddress(connection)).toBe("/run/pg");
    const url = redactedUrl(connection);
    expect(url).toBe("postgres://app@/x?host=/run/pg&port=5433");
    expect(await resolveConnection(url, {})).toMatchObject({
      host: "/run/pg",
      port: 5433,
      user: "app",
      database: "x",
    });
  });

  test("over IPv6 has brackets where a URL needs them", async () => {
    const connection = await resolveConnection("postgres://app@[::1]/x", { HOME: home });
    expect(redactedUrl(connection)).toBe("postgres://app@[::1]:5432/x");
  });

  test.each([
    ["postgres://a,b/x", /several hosts/],
    ["postgres://db:0/x", /not a port/],
    ["postgres://db/x?sslmode=maybe", /not an sslmode/],
    ["postgres://db/x?colour=red", /"colour"/],
    ["postgres://db/x?service=none", /no service "none"/],
  ])("%s is refused with the reason", async (url, reason) => {
    const refused = resolveConnection(url, { HOME: home });
    await expect(refused).rejects.toMatchObject({ code: "usage" });
    await expect(refused).rejects.toThrow(reason);
  });
});

test("the first fitting line of a password file counts, with escapes", () => {
  const lines = parsePasswordFile("h:1:d:u:first\r\nh:*:*:*:second\\\\\\:x:y\nshort:line\n");
  expect(findPassword(lines, { host: "h", port: 1, database: "d", user: "u" })).toBe("first");
  expect(findPassword(lines, { host: "h", port: 2, database: "d", user: "u" })).toBe("second\\:x:y");
  expect(findPassword(lines, { host: "g", port: 1, database: "d", user: "u" })).toBeUndefined();
});

test("the first section of a name in a service file counts", () => {
  const services = parseServiceFile("# c\n[a]\nhost = x\n[a]\nhost=y\n");
  expect(services.get("a")).toEqual({ host: "x" });
});
