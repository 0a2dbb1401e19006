import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseToc } from "../../src/databases/postgres/archive.ts";
import { runProgram, startBackupRun } from "../support/backup-run.ts";
import { freshDatabase, installations, useServer, type TestDatabase } from "../support/servers.ts";

const installed = await installations();
const majors = installed.map((one) => one.major);
const toolFolders = { LC2_PG_BIN: installed.flatMap((one) => one.clientDirectory ?? []).join(":") };

/** Objects with the traps of real schemas. */
const schema = `
  CREATE SCHEMA "Größe ""x"" é.y";
  CREATE TABLE "Größe ""x"" é.y"."Tab.elle ü$" (id int PRIMARY KEY, "ÜTF" text);
  INSERT INTO "Größe ""x"" é.y"."Tab.elle ü$" SELECT i, E'Zeile\\n\\t\\\\ ' || i FROM generate_series(1, 1000) i;
  CREATE TABLE articles (id bigserial PRIMARY KEY, body text, meta jsonb);
  INSERT INTO articles (body, meta) SELECT repeat(md5(i::text), 32), jsonb_build_object('a', i) FROM generate_series(1, 20000) i;
  CREATE TABLE versions (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, article bigint REFERENCES articles,
                         next int REFERENCES versions, body text);
  INSERT INTO versions (article, body) SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 20000) i;
  CREATE TABLE huge_row (id int, body text);
  INSERT INTO huge_row SELECT i, repeat(E'abc\\n', 2000000) FROM generate_series(1, 2) i;
  CREATE TABLE five (x text);
  INSERT INTO five SELECT lpad(i::text, 4, '0') FROM generate_series(1, 9999) i;
  INSERT INTO five VALUES ('\\.'), ('\\.x'), (E'\\\\.\\n\\n\\n'), ('');
  CREATE TABLE empty (x int);
  CREATE TABLE no_columns ();
  INSERT INTO no_columns DEFAULT VALUES;
  INSERT INTO no_columns DEFAULT VALUES;
  CREATE TABLE hashed (id int, t text) PARTITION BY HASH (id);
  CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  INSERT INTO hashed SELECT i, 'x' FROM generate_series(1, 777) i;
  CREATE UNLOGGED TABLE cache_pages (k text, v text);
  INSERT INTO cache_pages SELECT i::text, 'secret' FROM generate_series(1, 50) i;
  CREATE SEQUENCE countdown INCREMENT -1;
  SELECT setval('countdown', -77);
  CREATE SEQUENCE untouched START 5;
  CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM articles;
  CREATE VIEW titles AS SELECT id FROM articles;
  SELECT lo_from_bytea(0, convert_to(repeat('blob', i * 1000), 'UTF8')) FROM generate_series(1, 50) i;
  SELECT lo_from_bytea(3000000000, '\\x00');
  SELECT lo_create(0);
`;

async function fill(database: TestDatabase): Promise<void> {
  await database.server.psql(`SET ROLE "${database.owner.name}"; ${schema}`, database.name);
}

/** Rows that the database itself counts, by the table's name. */
async function countRows(
  database: TestDatabase,
  names: readonly { schema: string; name: string }[],
): Promise<number[]> {
  const counts: number[] = [];
  for (const { schema: namespace, name } of names) {
    const quoted = [namespace, name].map((part) => `"${part.replaceAll('"', '""')}"`).join(".");
    const [row] = await database.server.query(`SELECT count(*)::int AS n FROM ${quoted}`, database.name);
    counts.push(Number(row?.["n"]));
  }
  return counts;
}

describe.each(majors)("PostgreSQL %i", (major) => {
  test("backs up every kind of object as a read-only role, and counts what the database counts", async () => {
    const server = await useServer(major);
    await using database = await freshDatabase(server);
    await fill(database);
    // There is no pg_read_all_data in 13; there the owner reads.
    const reader = major >= 14 ? database.backup : database.owner;
    await using backup = await startBackupRun({ env: { ...toolFolders, ...reader.environment } });

    const component = await backup.backup({ url: reader.url });
    const inventory = await backup.inventory(component);

    const tables = inventory.tables.filter((table) => table.kind === "table");
    expect(tables.map((table) => table.rows)).toEqual(await countRows(database, tables));
    expect(inventory.largeObjects).toEqual({ count: 52, bytes: 5_100_001 });
    expect(component.rows).toBe(tables.reduce((sum, table) => sum + (table.rows ?? 0), 0));
    expect(inventory.sequences).toContainEqual({
      schema: "public",
      name: "countdown",
      lastValue: "-77",
      isCalled: true,
    });
    expect(inventory.sequences).toContainEqual({
      schema: "public",
      name: "untouched",
      lastValue: "5",
      isCalled: false,
    });
    expect(tables.find((table) => table.name === "hashed_0")?.parent).toEqual({
      schema: "public",
      name: "hashed",
    });
    expect(inventory.tables).toContainEqual({ schema: "public", name: "summary", kind: "materialized-view" });
    expect(component.serverVersion).toContain(String(major));
    const isToolNote = (line: string): boolean => /^The server is .* the client tools are /.test(line);
    expect(component.warnings.filter((line) => !isToolNote(line))).toEqual([]);
    expect(component.warnings.some(isToolNote)).toBe(!server.installation.hasClientTools);

    const toc = await readFile(await backup.extract(component.toc));
    expect(parseToc(toc).headBytes).toBe(toc.length);
    const point = backup.messages.findIndex((message) => message.type === "recovery-point");
    expect(point).toBeGreaterThanOrEqual(0);
    expect(backup.messages.slice(point).some((message) => message.type === "progress")).toBe(true);
    expect((await backup.names()).some((name) => name.endsWith("/a1/database.evidence.json"))).toBe(true);
  });

  test("reads several streams that stock pg_restore puts together again", async () => {
    const server = await useServer(major);
    await using database = await freshDatabase(server);
    await fill(database);
    await using backup = await startBackupRun({ env: { ...toolFolders, ...database.superuser.environment } });

    const component = await backup.backup({
      url: database.superuser.url,
      streams: 3,
      excludeTables: ["cache_*"],
    });
    expect(component.archives.length).toBeGreaterThan(1);
    expect(component.warnings).toContain('The rows of 1 table are left out by the pattern "cache_*".');
    expect(component.warnings.filter((line) => line.startsWith("pg_dump"))).toEqual([]);

    await using target = await freshDatabase(server);
    const restore = (file: string, ...args: string[]): Promise<string> =>
      runProgram(
        join(server.installation.clientDirectory ?? "", "pg_restore"),
        ["--exit-on-error", "--no-owner", "-d", target.superuser.url, ...args, file],
        target.superuser.environment,
      );
    const [main, ...others] = component.archives;
    await restore(await backup.extract(component.toc), "--section=pre-data");
    for (const archive of [...others, ...(main === undefined ? [] : [main])]) {
      await restore(await backup.extract(archive), "--section=data");
    }
    await restore(await backup.extract(component.toc), "--section=post-data");

    const inventory = await backup.inventory(component);
    const tables = inventory.tables.filter((table) => table.kind === "table");
    expect(await countRows(target, tables)).toEqual(tables.map((table) => table.rows ?? 0));
    expect(tables.filter((table) => table.excluded).map((table) => table.name)).toEqual(["cache_pages"]);
    const [objects] = await server.query(
      "SELECT count(*)::int AS n FROM pg_largeobject_metadata",
      target.name,
    );
    expect(objects).toEqual({ n: 52 });
    const [sequence] = await server.query("SELECT last_value::text AS v FROM articles_id_seq", target.name);
    expect(sequence).toEqual({ v: "20000" });
  });
});
