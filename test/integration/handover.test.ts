/** A server that is told to stop in the middle of a backup, and the one that comes after it. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { runs } from "../support/fake-engine.ts";
import { startLc2Server, type Lc2Server } from "../support/lc2-server.ts";
import { until } from "../support/until.ts";

const lease = { LC2_LEASE_SECONDS: "20" };
let machine: CommandLine;
let server: Lc2Server;
beforeEach(async () => {
  machine = await openCommandLine();
});
afterEach(async () => {
  server?.command.child.kill("SIGKILL");
  await machine?.[Symbol.asyncDispose]();
});

const start = async (onStop: string, env: Readonly<Record<string, string>> = lease): Promise<Lc2Server> =>
  (server = await startLc2Server(machine, { words: ["--on-stop", onStop], env }));

/** Submits a backup of a folder that takes some seconds; where it is followed. */
async function submit(from: Lc2Server, maxRateBytesPerSecond = 500_000): Promise<string> {
  const folder = join(machine.folder, "files");
  await mkdir(folder, { recursive: true });
  for (let index = 0; index < 12; index += 1) {
    // Random text does not compress: the rate counts what is read.
    await writeFile(join(folder, `file-${index}`), Buffer.alloc(500_000, `${index} ${Math.random()}`));
  }
  const answer = await from.call("POST", "/api/v1/projects/shop/backups", {
    body: { storage: { url: `file://${folder}` }, maxRateBytesPerSecond },
  });
  expect(answer.status).toBe(201);
  return answer.headers.get("location") ?? "";
}

async function statusOf(at: Lc2Server, location: string): Promise<string> {
  return String((await at.call("GET", location)).json["status"]);
}

const idOf = (location: string): string => location.split("/").at(-1) ?? "";

test("what runs is handed over: the next server completes the same attempt, with the same worker", async () => {
  const first = await start("handover");
  const backup = await submit(first);
  await until("files are read", async () => (await statusOf(first, backup)) === "TransferInProgress");
  const before = await machine.workers();
  first.command.child.kill("SIGTERM");
  const ended = await first.command.ended();
  expect(ended.code).toBe(0);
  expect(ended.stdout).toContain("they go on");
  // One that waited for a task ends with its parent.
  await until("one worker goes on", () => before.filter(runs).length === 1);

  const second = await start("wait");
  expect(await statusOf(second, backup)).toBe("TransferInProgress");
  await until("it is complete", async () => (await statusOf(second, backup)) === "Completed", 60_000);
  const view = (await second.call("GET", backup)).json;
  expect(view["metadata"]).toMatchObject({ attempt: 1 });
  const log = (await second.call("GET", `${backup}/logs`)).text;
  expect(log).toContain("goes on in the next process, with 1 running tasks");
  expect(log).not.toContain("Trying again");
  await until("no worker is left", async () => (await machine.workers()).length === 0);
  expect(await readdir(join(machine.folder, "data/workers"))).toEqual([]);
  const verified = await machine.run(["backup", "verify", idOf(backup)]);
  expect(verified.code).toBe(0);
});

test("handed over to nobody, workers end when their lease does, and the backup is made anew", async () => {
  const short = { LC2_LEASE_SECONDS: "2" };
  const first = await start("handover", short);
  const backup = await submit(first);
  await until("files are read", async () => (await statusOf(first, backup)) === "TransferInProgress");
  first.command.child.kill("SIGTERM");
  await first.command.ended();
  await until("no worker is left", async () => (await machine.workers()).length === 0);
  const second = await start("wait", short);
  await until("it is complete", async () => (await statusOf(second, backup)) === "Completed", 60_000);
  expect((await second.call("GET", backup)).json["metadata"]).toMatchObject({ attempt: 2 });
});

test("told to end them, a server gives backups back to the queue at once", async () => {
  const first = await start("end");
  const backup = await submit(first);
  await until("files are read", async () => (await statusOf(first, backup)) === "TransferInProgress");
  first.command.child.kill("SIGTERM");
  expect((await first.command.ended()).stdout).toContain("Stopped with 0 operations unfinished");
  expect((await machine.json(["backup", "get", idOf(backup)]))["status"]).toBe("Queued");
  expect(await machine.workers()).toEqual([]);
  const second = await start("wait");
  await until("it is complete", async () => (await statusOf(second, backup)) === "Completed", 60_000);
});

test("a worker that was handed over and stands still is noticed by the next server, too", async () => {
  const first = await start("handover", { ...lease, LC2_STALL_MINUTES: "0.1" });
  // At this rate the next byte comes in days.
  const backup = await submit(first, 1);
  const logAt = async (server: Lc2Server): Promise<string> =>
    (await server.call("GET", `${backup}/logs`)).text;
  await until("it is stalled", async () => (await logAt(first)).includes("is stalled"));
  first.command.child.kill("SIGTERM");
  await first.command.ended();
  const second = await start("wait", { ...lease, LC2_STALL_MINUTES: "0.02" });
  const since = async (): Promise<string> => (await logAt(second)).split("in the next process").at(-1) ?? "";
  await until("it is tried again", async () => (await since()).includes("Trying again"));
  expect(await since()).toContain("is stalled");
});
