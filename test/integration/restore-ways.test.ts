/** Every way of restoring a database, by the ordinary role that owns it, on every major that can be had. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDataset, dropDatasetRoles, type DatasetSummary } from "../../demo/dataset.ts";
import { diffFingerprints, fingerprintDatabase, type Fingerprint } from "../../demo/fingerprint.ts";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import { openCommandLine, type CommandLine, type CommandResult } from "../support/command-line.ts";
import { freshDatabase, majorsAvailable, useServer, type TestDatabase } from "../support/servers.ts";

describe.each(await majorsAvailable())("PostgreSQL %i", (major) => {
  let server: PostgresServer;
  let database: TestDatabase;
  let dataset: DatasetSummary;
  let line: CommandLine;
  let backupId: string;
  let whole: Fingerprint;

  beforeAll(async () => {
    server = await useServer(major);
    database = await freshDatabase(server);
    line = await openCommandLine();
    const owner = database.owner;
    dataset = await createDataset(server, database.name, undefined, {
      size: "tiny",
      owner,
      staleView: false,
    });
    whole = await fingerprintDatabase(server, database.name);
    const role = major >= 14 ? database.backup : database.owner;
    const created = await line.json(
      ["backup", "create", "--project", "p", "--database", role.url],
      role.environment,
    );
    backupId = String(created["backupId"]);
  });

  afterAll(async () => {
    await line[Symbol.asyncDispose]();
    // Swaps and undos keep what they replaced, under names that begin with the database's.
    const kept = await server.psql(
      `SELECT string_agg(quote_ident(datname), ' ') FROM pg_database WHERE datname LIKE '${database.name}%'`,
    );
    for (const name of kept.trim().split(" ")) await server.psql(`DROP DATABASE ${name} WITH (FORCE)`);
    await dropDatasetRoles(server, dataset);
  });

  const restore = (args: readonly string[]): Promise<CommandResult> =>
    line.run(
      ["restore", "create", "--from", backupId, "--database", database.owner.url, ...args, "-o", "json"],
      database.owner.environment,
    );
  const restored = async (args: readonly string[]): Promise<Record<string, unknown>> => {
    const result = await restore(args);
    expect(result.code, result.stderr).toBe(0);
    return JSON.parse(result.stdout) as Record<string, unknown>;
  };
  const undo = async (restoreId: unknown): Promise<void> => {
    const result = await line.run(
      ["restore", "undo", String(restoreId), "--yes"],
      database.owner.environment,
    );
    expect(result.code, result.stderr).toBe(0);
  };
  const sql = (statements: string): Promise<string> =>
    server.psql(`SET ROLE "${database.owner.name}"; ${statements}`, database.name);
  const value = async (query: string): Promise<string> => (await server.psql(query, database.name)).trim();
  const differences = async (before: Fingerprint) =>
    diffFingerprints(before, await fingerprintDatabase(server, database.name));
  const scratchDatabases = () =>
    value(`SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE '${database.name}%loading%'`);

  it("swap: damaged, restored, equal; undone, damaged again, and the restored one is kept", async () => {
    await sql("DELETE FROM cms.booking; UPDATE cms.author SET name = 'x'");
    const damaged = await fingerprintDatabase(server, database.name);
    const { restoreId } = await restored([]);
    expect(await differences(whole)).toEqual([]);
    await undo(restoreId);
    expect(await differences(damaged)).toEqual([]);
    const again = await restored(["--into", "swap"]);
    expect(again["database"]).toMatchObject({ swapped: true });
    expect(await differences(whole)).toEqual([]);
  });

  it("in place: one transaction, equal afterwards; an object of others in the way rolls all of it back", async () => {
    await sql(
      "DELETE FROM cms.booking; UPDATE cms.author SET name = 'x'; DROP TABLE IF EXISTS cms.scratch CASCADE",
    );
    await sql("CREATE VIEW public.theirs AS SELECT * FROM cms.booking");
    const before = await fingerprintDatabase(server, database.name);
    const refused = await restore(["--into", "in-place"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/in place .* failed/i);
    expect(await differences(before)).toEqual([]);
    await sql("DROP VIEW public.theirs");
    await restored(["--into", "in-place"]);
    const content = (await differences(whole)).filter(({ what }) => !/^(definition|database)/.test(what));
    expect(content).toEqual([]);
  });

  it("a single table that is there lands beside; the existing one is not touched", async () => {
    await sql("DELETE FROM cms.booking");
    const view = await restored(["--type", "selective", "--table", "cms.booking"]);
    const stage = `lc2_${String(view["restoreId"]).replace("restore-", "").replaceAll("-", "_")}`;
    expect(await value("SELECT count(*) FROM cms.booking")).toBe("0");
    expect(await value(`SELECT count(*) FROM ${stage}.booking`)).toBe("3");
    expect(await scratchDatabases()).toBe("");
    await undo(view["restoreId"]);
    expect(await value(`SELECT count(*) FROM pg_namespace WHERE nspname = '${stage}'`)).toBe("0");
  });

  it("a single table that is there is replaced in place, and put back by undo", async () => {
    await sql("DELETE FROM cms.booking");
    const view = await restored(["--type", "selective", "--table", "cms.booking", "--into", "in-place"]);
    expect(await value("SELECT count(*) FROM cms.booking")).toBe("3");
    await undo(view["restoreId"]);
    expect(await value("SELECT count(*) FROM cms.booking")).toBe("0");
    await restored(["--type", "selective", "--table", "cms.booking", "--into", "in-place"]);
    expect(await value("SELECT count(*) FROM cms.booking")).toBe("3");
  });

  it("tables that were dropped come back in their place, partitions and foreign keys with them", async () => {
    const before = await value("SELECT count(*) FROM cms.document");
    await sql("DROP TABLE analytics.page_view CASCADE; DROP TABLE cms.document CASCADE");
    const tables = ["--table", "analytics.page_view", "--table", "cms.document"];
    const view = await restored(["--type", "selective", ...tables]);
    expect(view["database"]).toMatchObject({ swapped: true });
    expect(await value("SELECT count(*) FROM cms.document")).toBe(before);
    expect(
      await value("SELECT count(*) FROM pg_inherits WHERE inhparent = 'analytics.page_view'::regclass"),
    ).toBe("3");
    const keys =
      "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'cms.document'::regclass";
    expect(Number(await value(keys))).toBeGreaterThan(0);
    expect(await value("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'lc2_2%'")).toBe("0");
  });

  it("an unknown table and one that others depend on are refused by name", async () => {
    const unknown = await restore(["--type", "selective", "--table", "cms.nothing"]);
    expect(unknown.code).toBe(3);
    expect(unknown.stderr).toContain("cms.nothing");
    const inUse = await restore(["--type", "selective", "--table", "cms.author", "--into", "in-place"]);
    expect(inUse.code, inUse.stderr).toBe(3);
    expect(inUse.stderr).toMatch(/foreign key|view/);
  });

  it("into a new database beside, which undo leaves alone", async () => {
    const view = await restored(["--into", "new"]);
    const made = (view["database"] as { database: string }).database;
    expect(made).not.toBe(database.name);
    expect(await value("SELECT count(*) FROM cms.author")).not.toBe("");
    expect((await server.psql("SELECT count(*) FROM cms.booking", made)).trim()).toBe("3");
    await server.psql(`DROP DATABASE "${made}"`);
  });
});
