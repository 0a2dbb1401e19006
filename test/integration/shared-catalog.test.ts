/** Two machines (two data directories) that work from one catalog on PostgreSQL, through the real command line. */
import { randomBytes } from "node:crypto";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startPostgres } from "../../demo/postgres-servers.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import {
  freshDatabase,
  installations,
  majorsAvailable,
  urlWithPassword,
  useServer,
  type TestDatabase,
} from "../support/servers.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let here: CommandLine;
let there: CommandLine;
/** What both machines have: where the catalog is. The repository is a folder that both see. */
let shared: Record<string, string>;

beforeAll(async () => {
  const newest = (await majorsAvailable()).at(-1) ?? 0;
  database = await freshDatabase(await useServer(newest), { ownerCreatesDatabases: false });
  [here, there] = [await openCommandLine(), await openCommandLine()];
  shared = { DATABASE_URL: urlWithPassword(database.owner) };
  await mkdir(join(here.folder, "source"));
  await writeFile(join(here.folder, "source/file"), "first");
});
afterAll(async () => {
  await here[Symbol.asyncDispose]();
  await there[Symbol.asyncDispose]();
  await database.drop();
});

const backUp = async (machine: CommandLine, files: string) =>
  await machine.json(["backup", "create", "--files", files, "--repository", here.repository], shared);
const list = async (machine: CommandLine) =>
  (await machine.json(["backup", "list"], shared))["backups"] as { backupId: string; status: string }[];

test("a backup made on one is listed and restored on the other, which makes no catalog of its own", async () => {
  const made = await backUp(here, join(here.folder, "source"));
  await cp(join(here.folder, "data/keys"), join(there.folder, "data/keys"), { recursive: true });
  expect(await list(there)).toMatchObject([{ backupId: made["backupId"], status: "Completed" }]);

  const target = join(there.folder, "restored");
  const restored = await there.json(
    ["restore", "create", "--from", String(made["backupId"]), "--files", target],
    shared,
  );
  expect(restored["status"]).toBe("Completed");
  expect(await readFile(join(target, "file"), "utf8")).toBe("first");
  for (const machine of [here, there]) {
    await expect(readFile(join(machine.folder, "data/catalog.db"))).rejects.toMatchObject({ code: "ENOENT" });
  }
});

test("both at the same moment end well, and each sees the other's", async () => {
  const before = (await list(here)).length;
  const made = await Promise.all(
    [here, there, here, there].map(async (machine) => await backUp(machine, join(here.folder, "source"))),
  );
  expect(made.map((backup) => backup["status"])).toEqual(Array(4).fill("Completed"));
  const ids = made.map((backup) => String(backup["backupId"]));
  expect(new Set(ids).size).toBe(4);
  for (const machine of [here, there]) {
    const listed = await list(machine);
    expect(listed).toHaveLength(before + 4);
    expect(listed.map(({ backupId }) => backupId)).toEqual(expect.arrayContaining(ids));
  }
});

test("a machine whose catalog is away says so, names its server and no password, and does nothing else", async () => {
  const away = "postgres://lc2:hunter2@127.0.0.1:9/lc2";
  const ended = await there.run(["backup", "list"], { DATABASE_URL: away });
  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain("127.0.0.1:9");
  expect(ended.stdout + ended.stderr).not.toContain("hunter2");

  const looked = await there.run(["doctor"], { DATABASE_URL: away });
  expect(looked.stdout).toContain("127.0.0.1:9");
  expect(looked.stdout + looked.stderr).not.toContain("hunter2");
  expect((await there.run(["doctor"], shared)).stdout).toContain("PostgreSQL, schema lc2");
});

test("a backup goes on while the catalog's server is started again", async () => {
  const newest = (await installations()).at(-1);
  if (newest === undefined) throw new Error("No PostgreSQL server can be had here.");
  const directory = join(here.folder, "server");
  const first = await startPostgres(newest, { directory });
  const env = { DATABASE_URL: first.url.replace("@", `:${first.password}@`) };
  await mkdir(join(here.folder, "large"));
  await writeFile(join(here.folder, "large/file"), randomBytes(6_000_000));
  const files = ["backup", "create", "--files", join(here.folder, "large"), "--repository", here.repository];
  const backup = here.start([...files, "--max-rate", "1MB", "-o", "json"], env);
  const running = "select count(*) from lc2.tasks where progress is not null and state = 'running'";
  await until("bytes are moving", async () => (await first.psql(running).catch(() => "0")).trim() === "1");

  await first.stop("immediate");
  await using second = await startPostgres(newest, { directory, port: first.port });
  const ended = await backup.ended();
  expect(ended.code, ended.stderr).toBe(0);
  expect(JSON.parse(ended.stdout)).toMatchObject({ status: "Completed" });
  expect(await second.psql("select outcome from lc2.operations")).toContain("Completed");
});

test("the catalog's own database is no target of a restore, however it is spelled", async () => {
  const source = await freshDatabase(database.server);
  try {
    const environment = { ...shared, ...source.owner.environment };
    const url = (name: string): string =>
      `postgres://${source.owner.name}@127.0.0.1:${database.server.port}/${name}`;
    await database.server.psql(`grant connect on database ${database.name} to ${source.owner.name}`);
    const made = await here.json(["backup", "create", "--database", url(source.name)], environment);
    const words = ["restore", "create", "--from", String(made["backupId"]), "--database", url(database.name)];
    const refused = await here.run(words, environment);
    expect(refused.stderr).toContain("error target-is-catalog");
    expect(refused.code).toBe(3);
  } finally {
    await source.drop();
  }
});
