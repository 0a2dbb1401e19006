/** The main job with environments: back up one, find its states, restore them into another. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server } from "../support/lc2-server.ts";
import { freshDatabase, majorsAvailable, useServer, type TestDatabase } from "../support/servers.ts";

let machine: CommandLine;
let prod: TestDatabase;
let staging: TestDatabase;
/** Where the environments say that their secrets are. */
let secrets: Readonly<Record<string, string>>;

const project = ["--project", "retail"];

beforeAll(async () => {
  const server = await useServer((await majorsAvailable()).at(-1) ?? 0);
  [prod, staging] = [await freshDatabase(server), await freshDatabase(server)];
  machine = await openCommandLine();
  secrets = { PROD_DB: prod.owner.password };
  for (const name of ["prod", "staging"]) await mkdir(join(machine.folder, name));
  await writeFile(join(machine.folder, "prod/page.html"), "first");
  await writeFile(join(machine.folder, "staging-password"), `${staging.owner.password}\n`);
  await prod.server.psql(
    `set role ${prod.owner.name}; create table page (id integer primary key); insert into page values (1)`,
    prod.name,
  );
  await define("prod", prod, "env:PROD_DB", ["--role", "production", "--application", "liferay"]);
  await define("staging", staging, `file:${machine.folder}/staging-password`, [
    "--role",
    "staging",
    "--allow-source",
    "prod",
  ]);
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await prod.drop();
  await staging.drop();
});

async function define(name: string, database: TestDatabase, password: string, words: readonly string[]) {
  const places = [
    "--database",
    database.owner.url,
    "--password",
    password,
    "--files",
    join(machine.folder, name),
  ];
  await machine.json(["environment", "create", name, ...project, ...places, ...words]);
}

const rowsOf = async ({ server, name }: TestDatabase): Promise<string> =>
  (await server.psql("select count(*) from page", name)).trim();

describe("an environment", () => {
  test("is backed up whole, with its secrets read where they are needed and written nowhere", async () => {
    const without = await machine.run(["backup", "create", ...project, "--environment", "prod"]);
    expect([without.code, without.stderr]).toEqual([3, expect.stringContaining("env:PROD_DB")]);
    const backup = await machine.json(["backup", "create", ...project, "--environment", "prod"], secrets);
    expect(backup).toMatchObject({
      environment: "prod",
      application: "liferay",
      components: { database: { rows: 1 }, storage: { objects: 1 } },
      metadata: { environment: "prod" },
    });
    const listed = await machine.json(["backup", "list", ...project, "--environment", "prod"]);
    expect(listed["total"]).toBe(2);
    expect((await machine.json(["backup", "list", "--environment", "none"]))["total"]).toBe(0);
    const catalog = await readFile(join(machine.folder, "data/catalog.db"));
    expect(catalog.includes(prod.owner.password)).toBe(false);
    expect(catalog.includes("env:PROD_DB")).toBe(true);
  });

  test("shows what of it can be gone back to, and restores the newest at or before an instant", async () => {
    const list = ["restore-points", "list", ...project, "--environment", "prod", "--for", "staging"];
    const { restorePoints } = (await machine.json(list)) as {
      restorePoints: { at: string; usable: boolean }[];
    };
    expect(restorePoints).toEqual([expect.objectContaining({ environment: "prod", usable: true })]);
    const [first] = restorePoints;
    await prod.server.psql(`set role ${prod.owner.name}; insert into page values (2)`, prod.name);
    await machine.json(["backup", "create", ...project, "--environment", "prod"], secrets);
    const words = ["restore", "create", ...project, "--from", "latest", "--to", "staging"];
    const before = await machine.run([...words, "--at", first?.at ?? ""]);
    expect(before.stderr).toContain("The newest usable state is");
    expect([before.code, await rowsOf(staging)]).toEqual([0, "1"]);
    expect(await readFile(join(machine.folder, "staging/page.html"), "utf8")).toBe("first");
    const newest = await machine.json(words);
    expect(newest).toMatchObject({ status: "Completed", targetEnvironment: "staging" });
    expect(await rowsOf(staging)).toBe("2");
    const early = await machine.run([...words, "--at", "2020-01-01"]);
    expect([early.code, early.stderr]).toEqual([4, expect.stringContaining("at or before 2020-01-01")]);
  });

  test("that is protected wants the plan's hash, under whatever name its places are asked for", async () => {
    for (const target of [
      ["--to", "prod"],
      ["--database", prod.owner.url.replace("127.0.0.1", "localhost"), "--type", "database-only"],
    ]) {
      const words = [...project, "--from", "latest", "--environment", "prod", ...target];
      const env = { ...secrets, ...prod.owner.environment };
      const refused = await machine.run(["restore", "create", ...words, "--yes"], env);
      expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("is protected")]);
      const plan = await machine.json(["restore", "plan", ...words], env);
      expect(plan["needsApproval"]).toBe(true);
    }
    const words = [
      "restore",
      "create",
      ...project,
      "--from",
      "latest",
      "--environment",
      "prod",
      "--to",
      "prod",
    ];
    const plan = await machine.json(["restore", "plan", ...words.slice(2)], secrets);
    const done = await machine.json([...words, "--approve", String(plan["hash"])], secrets);
    expect(done["status"]).toBe("Completed");
  });

  test("takes no backup that it does not allow, in a plan or in a restore", async () => {
    const other = await machine.json([
      "backup",
      "create",
      ...project,
      "--files",
      join(machine.folder, "prod"),
    ]);
    for (const verb of ["plan", "create"]) {
      const words = ["restore", verb, ...project, "--from", String(other["backupId"]), "--to", "staging"];
      const refused = await machine.run(words);
      expect([refused.code, refused.stderr]).toEqual([
        3,
        expect.stringContaining("takes backups of prod only"),
      ]);
    }
    const points = await machine.json(["restore-points", "list", ...project, "--for", "staging"]);
    expect(points["restorePoints"]).toContainEqual(
      expect.objectContaining({ backupId: other["backupId"], usable: false }),
    );
  });

  test("is backed up and restored through a server by a key that may name no place", async () => {
    const server = await startLc2Server(machine, { env: secrets });
    try {
      const made = await machine.json(["api-key", "create", "--name", "k", "--role", "operator", ...project]);
      const remote = { LC2_SERVER: server.url, LC2_API_KEY: String(made["secret"]) };
      const backup = await machine.json(["backup", "create", ...project, "--environment", "prod"], remote);
      expect(backup["status"]).toBe("Completed");
      const words = ["restore", "create", ...project, "--from", "latest"];
      const named = await machine.run([...words, "--database", staging.owner.url], remote);
      expect(named.stderr).toContain("may not name a database");
      expect((await machine.json([...words, "--to", "staging"], remote))["status"]).toBe("Completed");
      const guarded = await machine.run([...words, "--to", "prod"], remote);
      expect([guarded.code, guarded.stderr]).toEqual([3, expect.stringContaining("protected")]);
      const answer = await server.call("POST", "/api/v1/projects/retail/restores", {
        body: { backupId: "latest", targetEnvironment: "prod" },
      });
      expect(answer.json).toMatchObject({ status: 412, code: "plan-not-approved" });
    } finally {
      await server.stop();
    }
  });
});
