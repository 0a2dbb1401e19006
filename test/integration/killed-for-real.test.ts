/** The whole product, killed with real databases and files under its hands. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import type { BackupSummary, RestoreView } from "../../src/contract/service.ts";
import { freshDatabase, majorsAvailable, useServer, type TestDatabase } from "../support/servers.ts";
import { until } from "../support/until.ts";

const program = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
let folder = "";
let files = "";
let server: PostgresServer;
let database: TestDatabase;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lc2-killed-"));
  files = join(folder, "files");
  mkdirSync(files);
  for (let index = 0; index < 200; index += 1) {
    writeFileSync(join(files, `file-${index}`), Buffer.alloc(20_000, index));
  }
  server = await useServer((await majorsAvailable()).at(-1) ?? 0);
  database = await freshDatabase(server);
  await server.psql(
    `SET ROLE "${database.owner.name}";
     CREATE TABLE article (id int PRIMARY KEY, body text);
     INSERT INTO article SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 20000) n;`,
    database.name,
  );
});
afterAll(async () => {
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

interface Running {
  readonly said: () => string;
  readonly kill: () => Promise<void>;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function lc2(...words: string[]): Running {
  const child = spawn(process.execPath, [program, ...words], {
    env: {
      ...process.env,
      ...database.owner.environment,
      LC2_DATA_DIR: join(folder, "data"),
      LC2_PG_BIN: server.installation.clientDirectory,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  return { said: () => stderr, kill, ended };
}

async function json<T>(...words: string[]): Promise<T> {
  const { code, stdout, stderr } = await lc2(...words, "-o", "json").ended;
  expect(stderr).not.toContain("at file://");
  expect(code).toBe(0);
  return JSON.parse(stdout) as T;
}

const createBackup = () => [
  "backup",
  "create",
  "--project",
  "shop",
  "--repository",
  join(folder, "repository"),
  "--database",
  database.owner.url,
  "--files",
  files,
];
const createRestore = (backupId: string) => [
  "restore",
  "create",
  "--from",
  backupId,
  "--database",
  database.owner.url,
  "--files",
  files,
];
const sessions = async (): Promise<number> =>
  Number(await server.psql(`SELECT count(*) FROM pg_stat_activity WHERE usename = '${database.owner.name}'`));
const databases = async (): Promise<string> =>
  await server.psql(
    `SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database WHERE datdba = '${database.owner.name}'::regrole`,
  );

describe("killed with -9", () => {
  let backupId = "";

  it("a backup leaves no session behind, and the next one ends it and succeeds", async () => {
    const first = lc2(...createBackup(), "--max-rate", "1MB");
    await until("the database is being read", async () => (await sessions()) >= 2);
    await until("its backup is accepted", () => /backup-\d{8}-\d{6}-[0-9a-f]{6}/.test(first.said()));
    const deadId = /backup-\d{8}-\d{6}-[0-9a-f]{6}/.exec(first.said())?.[0] ?? "";
    await first.kill();
    await until("its sessions end", async () => (await sessions()) === 0, 6_000);

    const second = await lc2(...createBackup()).ended;
    expect(second.code).toBe(0);
    expect(second.stderr).toContain(deadId);
    const { backups } = await json<{ backups: BackupSummary[] }>("backup", "list");
    expect(backups.map(({ status }) => status)).toEqual(["Completed", "Failed"]);
    backupId = backups[0]?.backupId ?? "";
    const verified = await lc2("backup", "verify", backupId).ended;
    expect(verified.code).toBe(0);
  });

  it("a restore leaves the database as it was, and nothing beside it", async () => {
    const before = await databases();
    const restore = lc2(...createRestore(backupId));
    await until("it loads into a new database", async () => (await databases()) !== before);
    await restore.kill();
    const { restores } = await json<{ restores: RestoreView[] }>("restore", "list");
    expect(restores).toMatchObject([{ status: "Failed", error: { code: "interrupted" } }]);
    expect(await databases()).toBe(before);
    expect(await server.psql("SELECT count(*) FROM article", database.name)).toBe("20000");
  });

  it("and the restore that is run then completes, and can be undone", async () => {
    await server.psql("DELETE FROM article WHERE id > 5", database.name);
    writeFileSync(join(files, "file-1"), "changed");
    const restored = await json<RestoreView>(...createRestore(backupId));
    expect(restored).toMatchObject({ status: "Completed", database: { swapped: true } });
    expect(await server.psql("SELECT count(*) FROM article", database.name)).toBe("20000");
    await json<RestoreView>("restore", "undo", restored.restoreId);
    expect(await server.psql("SELECT count(*) FROM article", database.name)).toBe("5");
  });
});
