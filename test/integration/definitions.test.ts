/** Projects and environments over a real server, and from the command line with and without one. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server, type Answer, type Lc2Server } from "../support/lc2-server.ts";

let machine: CommandLine;
let server: Lc2Server;
/** The command line through the server. */
let remote: Readonly<Record<string, string>>;

beforeAll(async () => {
  machine = await openCommandLine();
  server = await startLc2Server(machine);
  remote = { LC2_SERVER: server.url, LC2_API_KEY: server.adminKey };
});
afterAll(async () => {
  await server.stop();
  await machine[Symbol.asyncDispose]();
});

const projects = "/api/v1/projects";
const shop = { projectId: "shop", timeZone: "Europe/Berlin", retention: { daily: 7 } };
const prod = {
  name: "prod",
  role: "production",
  databases: [{ url: "postgres://lc2@db/lportal", password: "env:SHOP_DB" }],
};
const fieldsOf = ({ json }: Answer) => (json["problems"] as { field: string }[]).map(({ field }) => field);

test("what only the engine can find wrong is named field by field, too, all at once", async () => {
  const wrong = await server.call("PUT", `${projects}/shop/environments/prod`, {
    body: {
      region: "?",
      databases: [{ name: "A", url: "mysql://db/x" }],
      preBackupHooks: [{ name: "h", command: "a", http: { url: "http://h" } }],
    },
  });
  expect(wrong.status).toBe(400);
  expect(fieldsOf(wrong)).toEqual(["region", "databases.0.name", "databases.0.url", "preBackupHooks.0"]);
  const schedule = await server.call("PUT", `${projects}/shop/schedules/x`, {
    body: {
      cron: "never",
      backup: { storage: { url: "http://x" }, preBackupHooks: [{ name: "h", command: "reboot" }] },
    },
  });
  expect(fieldsOf(schedule)).toEqual(["cron", "storage.url", "preBackupHooks.0.command"]);
});

test("an admin of one project changes the times of a schedule whose places another one has named, and no place", async () => {
  const path = `${projects}/kiosk/schedules/nightly`;
  const backup = { storage: { url: pathToFileURL(machine.folder).href } };
  await server.call("PUT", path, { body: { cron: "0 2 * * *", backup } });
  const made = await server.call("POST", "/api/v1/api-keys", {
    body: { name: "kiosk-admin", role: "admin", projects: ["kiosk"] },
  });
  const key = String(made.json["secret"]);
  const seen = (await server.call("GET", path, { key })).json;
  const asked = { backup: seen["backup"], windows: ["01:00-05:00"] };
  const changed = await server.call("PUT", path, { key, body: { ...asked, cron: "0 3 * * *" } });
  expect([changed.status, changed.json["cron"]]).toEqual([200, "0 3 * * *"]);
  const elsewhere = { storage: { url: "file:///etc" } };
  for (const body of [
    { ...asked, cron: "0 3 * * *", backup: elsewhere },
    { ...asked, cron: "0 3 * * *", repository: "file:///etc" },
    { ...asked, cron: "0 3 * * *", backup: { ...backup, preBackupHooks: [{ name: "h", command: "a" }] } },
  ])
    expect((await server.call("PUT", path, { key, body })).json).toMatchObject({ code: "forbidden" });
  const other = await server.call("PUT", `${projects}/kiosk/schedules/mine`, {
    key,
    body: { cron: "0 3 * * *", backup },
  });
  expect(other.json).toMatchObject({ code: "forbidden" });
});

describe("a project over HTTP", () => {
  test("is made once however often it is asked for, and another one of its id is refused", async () => {
    const made = await server.call("POST", projects, { body: shop });
    expect(made.status).toBe(201);
    expect(made.headers.get("location")).toBe(`${projects}/shop`);
    expect(made.json).toMatchObject({ ...shop, revision: 1 });
    const again = await server.call("POST", projects, { body: shop });
    expect([again.status, again.json]).toEqual([200, made.json]);
    const other = await server.call("POST", projects, { body: { ...shop, timeZone: "UTC" } });
    expect(other.json).toMatchObject({ status: 409, code: "definition-exists" });
    expect((await server.call("GET", `${projects}/shop`)).json).toEqual(made.json);
  });

  test("is changed by who has seen what is changed, and by nobody else", async () => {
    await server.call("PUT", `${projects}/retail`, { body: {} });
    const seen = await server.call("GET", `${projects}/retail`);
    const headers = { "if-match": seen.headers.get("etag") ?? "" };
    const body = { timeZone: "Asia/Tokyo" };
    const changed = await server.call("PUT", `${projects}/retail`, { body, headers });
    expect([changed.status, changed.json["timeZone"]]).toEqual([200, "Asia/Tokyo"]);
    const late = await server.call("PUT", `${projects}/retail`, { body: {}, headers });
    expect(late.json).toMatchObject({ status: 412, code: "definition-changed" });
    expect((await server.call("DELETE", `${projects}/retail`, { headers })).status).toBe(412);
    const known = await server.call("GET", `${projects}/retail`, {
      headers: { "if-none-match": changed.headers.get("etag") ?? "" },
    });
    expect(known.status).toBe(304);
    const wrong = await server.call("PUT", `${projects}/retail`, {
      body: {},
      headers: { "if-match": '"x"' },
    });
    expect(fieldsOf(wrong)).toEqual(["If-Match"]);
  });

  test("is told everything that is wrong with it", async () => {
    const answer = await server.call("POST", projects, {
      body: { projectId: "A", timeZone: "Mars", retention: {} },
    });
    expect(answer.status).toBe(400);
    for (const word of ["project id", "Mars", "keeps nothing"]) expect(answer.text).toContain(word);
    const shape = await server.call("POST", projects, { body: { id: "a" } });
    expect(fieldsOf(shape).toSorted()).toEqual(["id", "projectId"]);
  });

  test("is not forgotten while something is defined in it, and not said to exist to whom it is not for", async () => {
    const made = await machine.json([
      "api-key",
      "create",
      "--name",
      "k",
      "--role",
      "admin",
      "--project",
      "mine",
    ]);
    const key = String(made["secret"]);
    const repository = pathToFileURL(join(machine.folder, "their-own")).href;
    await server.call("POST", projects, { body: { projectId: "mine", repository } });
    await server.call("POST", projects, { body: { projectId: "theirs" } });
    await server.call("POST", `${projects}/theirs/environments`, { body: prod });
    expect((await server.call("DELETE", `${projects}/theirs`)).json).toMatchObject({
      status: 409,
      code: "definition-in-use",
    });
    for (const path of ["theirs", "theirs/environments", "theirs/environments/prod"])
      expect((await server.call("GET", `${projects}/${path}`, { key })).status).toBe(404);
    const seen = (await server.call("GET", projects, { key })).json["projects"] as { projectId: string }[];
    expect(seen.map(({ projectId }) => projectId)).toEqual(["mine"]);
    expect((await server.call("POST", projects, { key, body: { projectId: "new" } })).status).toBe(403);
    // Whoever may name places may reach those of others.
    const named = await server.call("POST", `${projects}/mine/environments`, { key, body: prod });
    expect(named.json).toMatchObject({ status: 403, code: "forbidden" });
    // What is kept where is not theirs to say: it stays, said again or not.
    const change = async (body: object) => (await server.call("PUT", `${projects}/mine`, { key, body })).json;
    expect(await change({ timeZone: "Europe/Rome" })).toMatchObject({ repository, timeZone: "Europe/Rome" });
    expect(await change({ repository })).toMatchObject({ repository, timeZone: "UTC" });
    for (const other of [{ repository: "file:///srv/elsewhere" }, { repository: `${repository}/inside` }])
      expect(await change(other)).toMatchObject({ status: 403, code: "forbidden" });
    const late = { key, body: {}, headers: { "if-match": '"r1"' } };
    expect((await server.call("PUT", `${projects}/mine`, late)).status).toBe(412);
    expect((await server.call("GET", `${projects}/mine`)).json).toMatchObject({ repository, revision: 3 });
    await server.call("DELETE", `${projects}/theirs/environments/prod`);
    expect((await server.call("DELETE", `${projects}/theirs`)).status).toBe(204);
    expect((await server.call("GET", `${projects}/theirs`)).status).toBe(404);
  });
});

describe("an environment", () => {
  test("is the same over HTTP and from the command line, with a server and without", async () => {
    const file = join(machine.folder, "prod.yaml");
    await writeFile(
      file,
      `role: production\ndatabases:\n  - url: postgres://lc2@db/lportal\n    password: env:SHOP_DB\n`,
    );
    const words = ["environment", "create", "prod", "--project", "north", "-f", file];
    const made = await machine.json(words, remote);
    expect(made).toMatchObject({
      projectId: "north",
      name: "prod",
      protected: true,
      databases: [{ name: "main", password: "env:SHOP_DB" }],
    });
    const read = ["environment", "get", "prod", "--project", "north"];
    expect(await machine.json(read, remote)).toEqual(made);
    expect(await machine.json(read)).toEqual(made);
    expect((await server.call("GET", `${projects}/north/environments/prod`)).json).toEqual(made);
    expect(await machine.json(["environment", "list", "--project", "north"], remote)).toEqual({
      environments: [made],
      total: 1,
    });
    // Made by being named.
    expect((await machine.json(["project", "get", "north"]))["changedAt"]).toBeUndefined();
    const other = await machine.run([...words, "--role", "staging"], remote);
    expect([other.code, other.stderr]).toEqual([3, expect.stringContaining("--replace")]);
    const replaced = await machine.json([...words, "--role", "staging", "--replace"], remote);
    expect(replaced).toMatchObject({ role: "staging", protected: false, revision: 2 });
    expect((await machine.run(["environment", "delete", "prod", "--project", "north"], remote)).code).toBe(0);
    expect((await machine.run(read)).code).toBe(4);
  });

  test("takes no secret, and repeats none", async () => {
    const answer = await server.call("PUT", `${projects}/shop/environments/prod`, {
      body: { databases: [{ url: "postgres://lc2:hunter2@db/a", password: "hunter3" }] },
    });
    expect(answer.status).toBe(400);
    expect(answer.text).not.toMatch(/hunter/);
  });
});

test("a project is made by the first backup that names it, and its backups go where it says", async () => {
  const source = join(machine.folder, "source");
  await mkdir(source);
  await writeFile(join(source, "a"), "a");
  const own = join(machine.folder, "own repository");
  await machine.json(["backup", "create", "--project", "west", "--files", source]);
  expect(await machine.json(["project", "get", "west"])).toMatchObject({ timeZone: "UTC", revision: 1 });
  await machine.json(["project", "create", "west", "--repository", own]);
  const backup = await machine.json(["backup", "create", "--project", "west", "--files", source]);
  expect(backup["repository"]).toBe(`file://${encodeURI(own)}`);
});
