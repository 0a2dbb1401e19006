/** Schedules at work: their times come, servers are killed around them, and two share a catalog on PostgreSQL. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadCatalog } from "../../src/main/open-catalog.ts";
import { readConfig } from "../../src/main/config.ts";
import { openEngine, type Engine } from "../../src/main/service.ts";
import type { ScheduleWish } from "../../src/contract/schedules.ts";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { FakeEngine, fakeWorkerCommand } from "../support/fake-engine.ts";
import { startLc2Server } from "../support/lc2-server.ts";
import { freshDatabase, majorsAvailable, urlWithPassword, useServer } from "../support/servers.ts";
import { until } from "../support/until.ts";

/** A wall clock that a test moves. */
class MovableClock {
  #aheadMs = 0;
  nowMs(): number {
    return Date.now() + this.#aheadMs;
  }
  moveTo(ms: number): void {
    this.#aheadMs = ms - Date.now();
  }
}

const minuteMs = 60_000;
const storage = {
  url: "file:///srv/files",
  excludeGeneratedFiles: false,
  excludePatterns: [],
  excludePaths: [],
  includePaths: [],
  maxShrink: 1,
};
const wish: ScheduleWish = {
  projectId: "shop",
  name: "nightly",
  cron: "0 2 * * *",
  timeZone: "UTC",
  backup: { provider: "local", storage },
};
const key = { projectId: "shop", name: "nightly" };

let fake: FakeEngine;
let clock: MovableClock;
let stopping: AbortController;
let running: Promise<unknown>[];
let engines: Engine[];

beforeEach(() => {
  fake = new FakeEngine();
  clock = new MovableClock();
  stopping = new AbortController();
  running = [];
  engines = [];
});
afterEach(async () => {
  stopping.abort();
  await Promise.all(running);
  await until("nothing runs any more", () => engines.every((engine) => engine.unfinished() === 0));
  for (const engine of engines) await engine.service.close();
  await fake.close();
});

/** A server's engine in this process, at work. */
async function startEngine(databaseUrl?: string): Promise<Engine> {
  const env = { ...process.env, LC2_TEST_CONTROL: join(fake.folder, "control") };
  const config = readConfig(
    { dataDirectory: fake.dataDirectory },
    databaseUrl === undefined ? env : { ...env, DATABASE_URL: databaseUrl },
  );
  const engine = openEngine(config, await loadCatalog(config.catalog), {
    workerCommand: fakeWorkerCommand,
    onNotice: () => undefined,
    isTended: true,
    clock,
  });
  running.push(engine.runQueue(stopping.signal), engine.runSchedules(stopping.signal));
  engines.push(engine);
  return engine;
}

/** The clock is another one now: whoever waits for a time looks again. */
const ring = async ({ service }: Engine, schedule = wish): Promise<void> =>
  void (await service.putSchedule(schedule, { condition: "any" }));

const slotsOf = async ({ service }: Engine) =>
  (await service.listSlots({ projectId: "shop", schedule: "nightly", limit: 1000 })).slots;
const outcomesOf = async (engine: Engine) =>
  (await slotsOf(engine)).map(({ slot, outcome }) => `${slot.slice(8, 16)} ${outcome}`);

test("a slot that comes due has its backup, which tells of it; a restart after days makes up for them once", async () => {
  clock.moveTo(Date.UTC(2026, 10, 10, 1, 59, 58));
  const engine = await startEngine();
  const { view } = await engine.service.putSchedule(wish, { condition: "absent" });
  expect(view.nextAt).toBe("2026-11-10T02:00:00.000Z");
  await until("the slot has run", async () => (await slotsOf(engine)).length === 1);
  const [slot] = await slotsOf(engine);
  expect(slot?.backupId).toMatch(/^backup-20261110-020000-/);
  const backup = { backupId: slot?.backupId ?? "", projectId: "shop" };
  await until(
    "the backup is completed",
    async () => (await engine.service.getBackup(backup)).status === "Completed",
  );
  const schedule = { name: "nightly", slot: "2026-11-10T02:00:00.000Z" };
  expect((await engine.service.listBackups({ limit: 5 })).backups).toMatchObject([{ ...backup, schedule }]);
  expect((await engine.service.getBackup(backup)).schedule).toEqual(schedule);

  clock.moveTo(Date.UTC(2026, 10, 13, 9));
  await ring(engine);
  await until("what was missed is made up for", async () => (await slotsOf(engine)).length === 4);
  expect(await outcomesOf(engine)).toEqual([
    "13T02:00 ran",
    "12T02:00 missed",
    "11T02:00 missed",
    "10T02:00 ran",
  ]);
});

test("overlap: one is skipped, queued or cancelled, and said so", async () => {
  const often = { ...wish, cron: "* * * * *" };
  clock.moveTo(Date.UTC(2026, 10, 10, 2, 0, 30));
  const engine = await startEngine();
  fake.set("hold-backup-files");
  await ring(engine, { ...often, overlap: "skip" });
  const next = async (minute: number, overlap: "skip" | "queue" | "cancel-previous"): Promise<void> => {
    const change = { ...often, overlap };
    await ring(engine, change);
    clock.moveTo(Date.UTC(2026, 10, 10, 2, minute));
    await ring(engine, change);
    await until(`minute ${minute} is answered`, async () => (await slotsOf(engine)).length === minute);
  };
  await next(1, "skip");
  await fake.workerOf("backup-files");
  await next(2, "skip");
  await next(3, "queue");
  await next(4, "queue");
  expect(await outcomesOf(engine)).toEqual([
    "10T02:04 overlap",
    "10T02:03 ran",
    "10T02:02 overlap",
    "10T02:01 ran",
  ]);
  const [, third, , first] = await slotsOf(engine);
  const statusOf = async (backupId = "") => (await engine.service.getBackup({ backupId })).status;
  expect([await statusOf(first?.backupId), await statusOf(third?.backupId)]).toEqual([
    "TransferInProgress",
    "Queued",
  ]);
  await next(5, "cancel-previous");
  fake.clear("hold-backup-files");
  const [fifth] = await slotsOf(engine);
  await until("the newest is completed", async () => (await statusOf(fifth?.backupId)) === "Completed");
  expect([await statusOf(first?.backupId), await statusOf(third?.backupId)]).toEqual([
    "Cancelled",
    "Cancelled",
  ]);
  const logs = await engine.service.backupLogs({ backupId: first?.backupId ?? "" });
  expect(logs.map(({ message }) => message).join()).toContain("was due again");
});

test("a window that closes stops what runs and ends what waits", async () => {
  const inWindow: ScheduleWish = {
    ...wish,
    cron: "* * * * *",
    overlap: "queue",
    windows: ["01:00-02:05"],
    windowEnd: "stop",
  };
  clock.moveTo(Date.UTC(2026, 10, 10, 2, 0, 30));
  const engine = await startEngine();
  fake.set("hold-backup-files");
  await ring(engine, inWindow);
  for (const minute of [1, 2]) {
    clock.moveTo(Date.UTC(2026, 10, 10, 2, minute));
    await ring(engine, inWindow);
    await until(`minute ${minute} has run`, async () => (await slotsOf(engine)).length === minute);
    if (minute === 1) await fake.workerOf("backup-files");
  }
  clock.moveTo(Date.UTC(2026, 10, 10, 2, 4, 59) + 500);
  await ring(engine, inWindow);
  const slots = await slotsOf(engine);
  const ran = slots.filter(({ backupId }) => backupId !== undefined);
  expect(ran).toHaveLength(2);
  for (const { backupId = "" } of ran) {
    await until(`${backupId} is cancelled`, async () => {
      await ring(engine, inWindow);
      return (await engine.service.getBackup({ backupId })).status === "Cancelled";
    });
    expect((await engine.service.getBackup({ backupId })).error?.code).toBe("window-closed");
  }
});

test("suspend, resume and run-now do what they say", async () => {
  clock.moveTo(Date.UTC(2026, 10, 10, 1));
  const engine = await startEngine();
  await engine.service.putSchedule(wish, { condition: "absent" });
  expect(await engine.service.suspendSchedule(key, true)).toMatchObject({ suspended: true });
  clock.moveTo(Date.UTC(2026, 10, 10, 3));
  await ring(engine, { ...wish, suspended: true });
  await until("the slot is passed over", async () => (await slotsOf(engine)).length === 1);
  const now = await engine.service.runSchedule(key, {});
  await until("it is made", async () => (await engine.service.getBackup(now)).status === "Completed");
  expect(await engine.service.suspendSchedule(key, false)).toMatchObject({
    nextAt: "2026-11-11T02:00:00.000Z",
  });
  expect((await slotsOf(engine)).map(({ cause, outcome }) => [cause, outcome])).toEqual([
    ["run-now", "ran"],
    ["due", "suspended"],
  ]);
  expect((await engine.service.previewSchedule(key, 1))[0]?.slot).toBe("2026-11-11T02:00:00.000Z");
});

test("an environment is backed up as it is when the slot comes; one that is gone is said so", async () => {
  clock.moveTo(Date.UTC(2026, 10, 10, 1));
  const engine = await startEngine();
  const prod = { projectId: "shop", name: "prod" };
  const put = async (folder: string) =>
    await engine.service.putEnvironment(
      { ...prod, storages: [{ url: `file://${folder}` }] },
      { condition: "any" },
    );
  const ofProd: ScheduleWish = { ...wish, backup: { environment: "prod", provider: "local" } };
  await expect(engine.service.putSchedule(ofProd, { condition: "any" })).rejects.toMatchObject({
    code: "environment-not-found",
  });
  await put("/srv/old");
  await ring(engine, ofProd);
  await put("/srv/new");
  clock.moveTo(Date.UTC(2026, 10, 10, 2));
  await ring(engine, ofProd);
  await until("the slot has run", async () => (await slotsOf(engine)).length === 1);
  const { backupId = "" } = (await slotsOf(engine))[0] ?? {};
  expect(await engine.service.getBackup({ backupId })).toMatchObject({ environment: "prod" });
  const statusOf = async () => (await engine.service.getBackup({ backupId })).status;
  await until("its backup is completed", async () => (await statusOf()) === "Completed");
  await engine.service.deleteEnvironment(prod, {});
  clock.moveTo(Date.UTC(2026, 10, 11, 2));
  await ring(engine, { ...wish, name: "other", cron: "@yearly" });
  await until("the next slot is answered", async () => (await slotsOf(engine)).length === 2);
  expect((await slotsOf(engine))[0]).toMatchObject({ outcome: "refused" });
  expect((await slotsOf(engine))[0]?.message).toContain('no environment "prod"');
});

test("two servers on one PostgreSQL catalog give each slot one backup", async () => {
  const database = await freshDatabase(await useServer((await majorsAvailable()).at(-1) ?? 0), {
    ownerCreatesDatabases: false,
  });
  try {
    const url = urlWithPassword(database.owner);
    clock.moveTo(Date.UTC(2026, 10, 10, 2, 0, 30));
    const [one, two] = [await startEngine(url), await startEngine(url)];
    const often: ScheduleWish = { ...wish, cron: "* * * * *", overlap: "queue" };
    await ring(one, often);
    const minutes = 8;
    for (let minute = 1; minute <= minutes; minute += 1) {
      clock.moveTo(Date.UTC(2026, 10, 10, 2, minute));
      await Promise.all([ring(one, often), ring(two, often)]);
      await until(`minute ${minute} is answered`, async () => (await slotsOf(two)).length === minute);
    }
    const ran = (await slotsOf(one)).filter(({ outcome }) => outcome === "ran");
    const completed = async () =>
      (await two.service.listBackups({ limit: 100, status: "Completed" })).backups.map(
        ({ backupId }) => backupId,
      );
    await until("all are made", async () => (await completed()).length === ran.length, 60_000);
    expect(new Set(await completed())).toEqual(new Set(ran.map(({ backupId }) => backupId)));
    expect((await two.service.listBackups({ limit: 100 })).total).toBe(ran.length);
    expect((await slotsOf(one)).map(({ slot }) => Date.parse(slot)).toReversed()).toEqual(
      Array.from({ length: minutes }, (_, index) => Date.UTC(2026, 10, 10, 2) + (index + 1) * minuteMs),
    );
    stopping.abort();
    await Promise.all(running);
    await until("nothing runs any more", () => engines.every((engine) => engine.unfinished() === 0));
    for (const engine of engines.splice(0)) await engine.service.close();
  } finally {
    await database.drop();
  }
});

test("a server that is killed around a slot loses none and makes none twice", async () => {
  const machine: CommandLine = await openCommandLine();
  try {
    const delaysMs = [0, 30, 90, 270];
    let server = await startLc2Server(machine);
    const backups = async () =>
      (await server.call("GET", "/api/v1/projects/shop/backups")).json["backups"] as {
        status: string;
        schedule?: { name: string };
      }[];
    for (const [index, delayMs] of delaysMs.entries()) {
      const folder = join(machine.folder, `source-${index}`);
      await mkdir(folder);
      await writeFile(join(folder, "file"), `of ${index}`);
      // Its first slot is due at once.
      const body = { rpoSeconds: 3600, backup: { storage: { url: `file://${folder}` } } };
      const put = await server.call("PUT", `/api/v1/projects/shop/schedules/s${index}`, { body });
      expect(put.status).toBe(201);
      await new Promise((resolve) => void setTimeout(resolve, delayMs));
      server.command.child.kill("SIGKILL");
      await server.command.ended();
      server = await startLc2Server(machine);
      await until(
        `the backup of s${index} is completed`,
        async () => {
          const all = await backups();
          return all.length > index && all.every(({ status }) => status === "Completed");
        },
        60_000,
      );
    }
    const made = (await backups()).map(({ schedule }) => schedule?.name);
    expect(made).toHaveLength(delaysMs.length);
    expect(new Set(made)).toEqual(new Set(delaysMs.map((_, index) => `s${index}`)));
    await server.stop();
  } finally {
    await machine[Symbol.asyncDispose]();
  }
});
