/**
 * Two servers on one catalog on PostgreSQL, one of which is killed every few seconds under load: nothing is run twice,
 * nothing is lost. LC2_TEST_KILLS says how often (`npm run chaos` says more).
 */
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server, type Lc2Server } from "../support/lc2-server.ts";
import {
  freshDatabase,
  majorsAvailable,
  urlWithPassword,
  useServer,
  type TestDatabase,
} from "../support/servers.ts";
import { until } from "../support/until.ts";

const kills = Number(process.env["LC2_TEST_KILLS"] ?? 3);
const backups = 4 * kills;
const atOnce = 3;
const everyMs = 3_000;

let database: TestDatabase;
let machine: CommandLine;
let env: Record<string, string>;
const servers: Lc2Server[] = [];

beforeAll(async () => {
  database = await freshDatabase(await useServer((await majorsAvailable()).at(-1) ?? 0), {
    ownerCreatesDatabases: false,
  });
  machine = await openCommandLine();
  env = {
    DATABASE_URL: urlWithPassword(database.owner),
    LC2_MAX_BACKUPS: String(atOnce),
    LC2_LEASE_SECONDS: "10",
  };
});
afterAll(async () => {
  for (const { command } of servers) command.child.kill("SIGKILL");
  for (const { command } of servers) await command.ended();
  await until("no worker is left", async () => (await machine.workers()).length === 0);
  await machine[Symbol.asyncDispose]();
  await database.drop();
});

interface Row {
  readonly id: string;
  readonly outcome: unknown;
  readonly attempt: number;
  readonly isHeld: boolean;
}
async function readOperations(): Promise<Row[]> {
  const rows = await database.server.query(
    "select id, outcome, attempt, lease_owner from lc2.operations where kind = 'backup'",
    database.name,
  );
  return rows.map((row) => ({
    id: String(row["id"]),
    outcome: row["outcome"],
    attempt: Number(row["attempt"]),
    isHeld: row["lease_owner"] !== "",
  }));
}

async function submit(count: number): Promise<string> {
  const folder = join(machine.folder, `source-${count}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "file"), randomBytes(1_000_000));
  // Two projects, each folder of its own: nothing but the limit keeps them from running at once.
  const answer = await servers[0]?.call("POST", `/api/v1/projects/project-${count % 2}/backups`, {
    body: { storage: { url: `file://${folder}` }, maxRateBytesPerSecond: 700_000 },
  });
  expect(answer?.status).toBe(201);
  return String(answer?.json["backupId"]);
}

test("whichever dies, every backup is made, once, and never more at a time than are allowed", async () => {
  servers.push(await startLc2Server(machine, { env }), await startLc2Server(machine, { env }));
  const ids: string[] = [];
  for (let count = 0; count < backups; count += 1) ids.push(await submit(count));
  let mostAtOnce = 0;
  const look = async (): Promise<Row[]> => {
    const rows = await readOperations();
    const running = rows.filter((row) => row.outcome === null && row.isHeld).length;
    mostAtOnce = Math.max(mostAtOnce, running);
    return rows;
  };
  for (let kill = 0; kill < kills; kill += 1) {
    const until = performance.now() + everyMs;
    while (performance.now() < until) {
      await look();
      await sleep(100);
    }
    const index = kill % 2;
    servers[index]?.command.child.kill("SIGKILL");
    await servers[index]?.command.ended();
    servers[index] = await startLc2Server(machine, { env });
  }
  await until("all have ended", async () => (await look()).every(({ outcome }) => outcome !== null), 150_000);

  const rows = await readOperations();
  expect(rows.map(({ id }) => id).sort()).toEqual(ids.sort());
  expect(rows.filter(({ outcome }) => outcome !== "Completed")).toEqual([]);
  expect(mostAtOnce).toBeLessThanOrEqual(atOnce);
  expect(mostAtOnce).toBeGreaterThan(1);
  // An attempt after the first one is a death that somebody noted, and nothing else.
  const deaths = await database.server.query(
    "select operation_id from lc2.log_lines where message like '%was left by a process that died%'",
    database.name,
  );
  const attempts = rows.reduce((sum, { attempt }) => sum + attempt, 0);
  expect(attempts - rows.length).toBeLessThanOrEqual(deaths.length);
  for (const project of ["project-0", "project-1"]) {
    const words = ["repository", "scan", join(machine.folder, "data/repository"), "--project", project];
    const scanned = await machine.json(words, env);
    expect(scanned["backups"]).toHaveLength(backups / 2);
  }
}, 600_000);
