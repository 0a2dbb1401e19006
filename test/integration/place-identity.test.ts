/** A place is what it is, not how it is spelled: protected, and one operation's at a time, under every name. */
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server } from "../support/lc2-server.ts";
import { freshDatabase, majorsAvailable, useServer, type TestDatabase } from "../support/servers.ts";
import { until } from "../support/until.ts";

let machine: CommandLine;
let database: TestDatabase;
let env: Readonly<Record<string, string>>;
const project = ["--project", "retail"];
const at = (name: string): string => join(machine.folder, name);
/** A name of the server that no rule of spelling makes the same. */
const alias = (url: string): string => url.replace("127.0.0.1", "127.1");

beforeAll(async () => {
  const server = await useServer((await majorsAvailable()).at(-1) ?? 0);
  database = await freshDatabase(server);
  machine = await openCommandLine();
  env = database.owner.environment;
  await mkdir(at("prod"));
  await writeFile(at("prod/page.html"), Buffer.alloc(1_000_000, "x"));
  await symlink(at("prod"), at("link"));
  await server.psql(
    `set role ${database.owner.name}; create table page (id integer primary key); insert into page values (1)`,
    database.name,
  );
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await database.drop();
});

test("a protected environment is protected under an alias of its server and through a symbolic link", async () => {
  const places = ["--database", database.owner.url, "--files", at("prod")];
  await machine.json(["environment", "create", "prod", ...project, ...places, "--role", "production"], env);
  await machine.json(["backup", "create", ...project, "--environment", "prod"], env);
  const targets = [
    ["--database", alias(database.owner.url), "--type", "database-only"],
    ["--files", at("link"), "--type", "storage-only"],
    ["--files", at("link/below"), "--type", "storage-only"],
  ];
  await writeFile(at("prod/page.html"), "newer");
  for (const target of targets) {
    const words = [...project, "--from", "latest", ...target];
    const refused = await machine.run(["restore", "create", ...words, "--yes"], env);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("prod is protected")]);
  }
  const [words = []] = targets;
  const plan = await machine.json(["restore", "plan", ...project, "--from", "latest", ...words], env);
  expect(plan["needsApproval"]).toBe(true);
  expect(plan).not.toHaveProperty("found");
  expect(await readFile(at("prod/page.html"), "utf8")).toBe("newer");
});

test("two names of one folder are worked on one after the other, by whoever begins", async () => {
  await mkdir(at("media"));
  await writeFile(at("media/film"), Buffer.alloc(1_000_000, "x"));
  await symlink(at("media"), at("films"));
  const server = await startLc2Server(machine);
  const submit = async (name: string, body: object = {}): Promise<string> => {
    const made = await server.call("POST", "/api/v1/projects/retail/backups", {
      body: { storage: { url: `file://${at(name)}` }, ...body },
    });
    return made.headers.get("location") ?? "";
  };
  const view = async (path: string) => (await server.call("GET", path)).json;
  const reaches = async (path: string, status: string): Promise<void> =>
    await until(`${path} is ${status}`, async () => (await view(path))["status"] === status, 60_000);
  try {
    const running = await submit("media", { maxRateBytesPerSecond: 5_000 });
    await reaches(running, "TransferInProgress");
    const other = await submit("films");
    // Nobody knew what it was before its worker stood there; now the queue does.
    await until(
      "the other one waits for the first",
      async () => JSON.stringify(await view(other)).includes("one operation at a time works on"),
      60_000,
    );
    expect(await view(other)).toMatchObject({ status: "Queued", queue: { behind: { projectId: "retail" } } });
    const words = ["restore", "create", ...project, "--from", "latest", "--files", at("films"), "--yes"];
    const byHand = await machine.run([...words, "--type", "storage-only", "-o", "json"]);
    expect([byHand.code, byHand.stdout + byHand.stderr]).toEqual([3, expect.stringContaining("place-busy")]);
    expect(await readdir(at("media"))).toEqual(["film"]);
    await server.call("POST", `${running}/cancel`);
    await reaches(running, "Cancelled");
    await reaches(other, "Completed");
  } finally {
    await server.stop();
  }
});
