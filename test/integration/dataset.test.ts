import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDataset, dropDatasetRoles, type DatasetSummary } from "../../demo/dataset.ts";
import { staleView } from "../../demo/dataset-rows.ts";
import { diffFingerprints, fingerprintDatabase, fingerprintFolder } from "../../demo/fingerprint.ts";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import { freshDatabase, majorsAvailable, useServer, type TestDatabase } from "../support/servers.ts";

const run = promisify(execFile);

describe.each(await majorsAvailable())("the CMS-like data set on PostgreSQL %i", (major) => {
  let server: PostgresServer;
  let database: TestDatabase;
  let folder: string;
  let summary: DatasetSummary;

  beforeAll(async () => {
    server = await useServer(major);
    database = await freshDatabase(server);
    folder = await mkdtemp(join(tmpdir(), "lc2-dataset-"));
    summary = await createDataset(server, database.name, folder, {
      size: "tiny",
      owner: database.owner,
      superuserObjects: true,
    });
  });

  afterAll(async () => {
    await database.drop();
    await dropDatasetRoles(server, summary);
    await rm(folder, { recursive: true, force: true });
  });

  test("comes through a stock dump and restore equal but for the stale view", async () => {
    const before = await fingerprintDatabase(server, database.name);
    await using copy = await freshDatabase(server);
    await copyDatabase(server, database, copy);
    const after = await fingerprintDatabase(server, copy.name);
    // Settings, owner and rights of the database itself are not in a plain dump.
    const different = diffFingerprints(before, after).filter(({ what }) => !what.startsWith("database "));
    expect(different.map(({ what }) => what)).toEqual([`materialized view ${staleView}`]);
    expect(before.size).toBeGreaterThan(180);
  });

  test("has rows in every table that is meant to have some", async () => {
    const prints = await fingerprintDatabase(server, database.name, { definitions: false });
    const empty = [...prints].filter(
      ([what, value]) => what.startsWith("table") && value.startsWith("0 rows"),
    );
    expect(empty.map(([what]) => what)).toEqual(["table cms.empty"]);
    expect(prints.get("table cms.without_columns")).toMatch(/^2 rows/);
    expect(prints.get("sequence cms.never_called")).toBe("42 false");
    expect(prints.get("large object 50000")).toMatch(/^3000014 bytes/);
  });

  test("shows every change by name", async () => {
    const before = await fingerprintDatabase(server, database.name);
    await server.psql(
      `UPDATE public.counter SET currentid = 40001 WHERE currentid = 40000;
       SELECT lo_put(50000, 1000000, '\\x01');
       SELECT nextval('cms.never_called');
       COMMENT ON TABLE cms.empty IS 'changed';
       ALTER DATABASE "${database.name}" SET work_mem = '5MB';`,
      database.name,
    );
    const after = await fingerprintDatabase(server, database.name);
    expect(diffFingerprints(before, after).map(({ what }) => what)).toEqual([
      "database setting of all",
      "definition COMMENT cms.TABLE empty",
      "large object 50000",
      "sequence cms.never_called",
      "table public.counter",
    ]);
  });
});

describe("the folder of the data set", () => {
  const scratch: string[] = [];
  afterAll(async () => {
    for (const folder of scratch) await rm(folder, { recursive: true, force: true });
  });
  const fill = async (seed: number): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), "lc2-dataset-"));
    scratch.push(folder);
    const server = await useServer((await majorsAvailable()).at(-1) ?? 0);
    await using database = await freshDatabase(server);
    const summary = await createDataset(server, database.name, folder, { size: "tiny", seed });
    await database.drop();
    await dropDatasetRoles(server, summary);
    return folder;
  };

  test("is the same for the same seed and another for another", async () => {
    const [one, same, other] = await Promise.all(
      [fill(7), fill(7), fill(8)].map(async (f) => fingerprintFolder(await f)),
    );
    expect(diffFingerprints(one ?? new Map(), same ?? new Map())).toEqual([]);
    expect(diffFingerprints(one ?? new Map(), other ?? new Map())).not.toEqual([]);
  });

  test("shows every change of content, mode, time and target by name", async () => {
    const folder = await fill(7);
    const before = await fingerprintFolder(folder);
    await chmod(join(folder, "modes/private"), 0o644);
    await utimes(join(folder, "a/b"), 1_600_000_000, 1_600_000_000.001);
    await truncate(join(folder, "20097/20101/videos/1/1.0"), 100);
    await rm(join(folder, "link to a folder"));
    await writeFile(join(folder, "modes/new"), "new");
    const changed = diffFingerprints(before, await fingerprintFolder(folder)).map(({ what }) => what);
    expect(changed.filter((what) => !what.startsWith("folder"))).toEqual([
      "file 20097/20101/videos/1/1.0",
      "file a/b",
      "file modes/new",
      "file modes/private",
      "link link to a folder",
    ]);
  });

  test("keeps apart names that are not UTF-8 and names that look like their escapes", async () => {
    const folder = await mkdtemp(join(tmpdir(), "lc2-dataset-"));
    scratch.push(folder);
    await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]), "");
    await writeFile(join(folder, "\\xff"), "");
    await writeFile(join(folder, "ÿ"), "");
    expect((await fingerprintFolder(folder)).size).toBe(3);
  });
});

/** Dump and restore by the superuser, without us. */
async function copyDatabase(server: PostgresServer, from: TestDatabase, to: TestDatabase): Promise<void> {
  const tools = server.installation.clientDirectory ?? "";
  const env = { ...process.env, ...server.environment() };
  const archive = join(await mkdtemp(join(tmpdir(), "lc2-dataset-")), "archive");
  try {
    await run(join(tools, "pg_dump"), ["-Fc", "-Z0", "-f", archive, from.name], { env });
    const restore = spawn(join(tools, "pg_restore"), ["-d", to.name, archive], { env, stdio: "pipe" });
    let errors = "";
    restore.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    const [code] = (await once(restore, "close")) as [number];
    if (code !== 0) throw new Error(errors);
  } finally {
    await rm(join(archive, ".."), { recursive: true, force: true });
  }
}
