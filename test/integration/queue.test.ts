/** What waits for its turn at a real server: one after another, across a kill, cancelled, explained. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server, type Lc2Server } from "../support/lc2-server.ts";
import { until } from "../support/until.ts";

let machine: CommandLine;
let server: Lc2Server;
const start = async (): Promise<Lc2Server> =>
  await startLc2Server(machine, { env: { LC2_MAX_BACKUPS: "1", LC2_MAX_RESTORES: "1" } });

beforeEach(async () => {
  machine = await openCommandLine();
  server = await start();
});
afterEach(async () => {
  await server.stop();
  await machine[Symbol.asyncDispose]();
});

/** Asks for a backup of a folder of its own; its path. Reading takes about `seconds`. */
async function submit(projectId: string, seconds: number): Promise<string> {
  const folder = join(machine.folder, `source-${projectId}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "file"), Buffer.alloc(1_000_000, projectId));
  const made = await server.call("POST", `/api/v1/projects/${projectId}/backups`, {
    body: {
      storage: { url: `file://${folder}` },
      ...(seconds === 0 ? {} : { maxRateBytesPerSecond: 1_000_000 / seconds }),
    },
  });
  expect(made.status).toBe(201);
  return made.headers.get("location") ?? "";
}

const view = async (path: string) => (await server.call("GET", path)).json;
const statusOf = async (path: string) => (await view(path))["status"];
const idOf = (path: string): string => path.split("/").at(-1) ?? "";
const reaches = async (path: string, status: string): Promise<void> =>
  await until(`${path} is ${status}`, async () => (await statusOf(path)) === status, 60_000);

test("three run one after another, and none is lost or made twice when the server is killed", async () => {
  const paths = [await submit("one", 1), await submit("two", 4), await submit("three", 1)];
  const [one = "", two = "", three = ""] = paths;
  const looked: number[] = [];
  await until(
    "the second is under way",
    async () => {
      const { backups } = await machine.json(["backup", "list"]);
      const statuses = (backups as { status: string }[]).map(({ status }) => status);
      looked.push(statuses.filter((status) => status !== "Queued" && status !== "Completed").length);
      return (await statusOf(two)) === "TransferInProgress";
    },
    60_000,
  );
  expect(Math.max(...looked)).toBe(1);
  expect(await statusOf(one)).toBe("Completed");
  expect(await statusOf(three)).toBe("Queued");
  server.command.child.kill("SIGKILL");
  await server.command.ended();

  // A command on this machine ends what the dead one left, and begins nothing of what waits for a server.
  const { backups } = await machine.json(["backup", "list"]);
  const left = (backups as { backupId: string; status: string }[]).toSorted((a, b) =>
    a.backupId < b.backupId ? -1 : 1,
  );
  expect(Object.fromEntries(left.map(({ backupId, status }) => [backupId, status]))).toEqual({
    [idOf(one)]: "Completed",
    [idOf(two)]: "Queued",
    [idOf(three)]: "Queued",
  });

  server = await start();
  for (const path of paths) await reaches(path, "Completed");
  const attempts = await Promise.all(
    paths.map(async (path) => ((await view(path))["metadata"] as { attempt: number }).attempt),
  );
  expect(attempts).toEqual([1, 2, 1]);
  // The repository itself holds each of them, once.
  const repository = join(machine.folder, "data/repository");
  for (const project of ["one", "two", "three"]) {
    const scanned = await machine.json(["repository", "scan", repository, "--project", project]);
    expect(scanned["backups"]).toHaveLength(1);
  }
});

test("a waiting one says where it stands and why, to each caller what is theirs, and is cancelled at once", async () => {
  const running = await submit("one", 20);
  await reaches(running, "TransferInProgress");
  const next = await submit("two", 0);
  const last = await submit("two", 0);
  const reason = "1 backup runs at once at most (LC2_MAX_BACKUPS)";
  expect(await view(next)).toMatchObject({
    status: "Queued",
    queue: { position: 1, of: 2, behind: { id: idOf(running), projectId: "one" }, reason },
  });
  const { secret } = await machine.json(["api-key", "create", "--name", "x", "--project", "two"]);
  const theirs = await server.call("GET", next, { key: String(secret) });
  expect(theirs.json["queue"]).toMatchObject({ position: 1, of: 2, reason });
  expect(theirs.text).not.toContain(idOf(running));

  // The last one has the folder of the one before it.
  const env = { LC2_MAX_BACKUPS: "1" };
  const explained = (await machine.run(["backup", "explain", idOf(last)], env)).stdout;
  expect(explained).toContain(
    `position 2 of 2, behind ${idOf(next)} of project two: one operation at a time`,
  );
  expect((await machine.run(["backup", "explain", idOf(next)], env)).stdout).toContain(
    `position 1 of 2, behind ${idOf(running)} of project one: ${reason}`,
  );

  const cancelled = await server.call("POST", `${next}/cancel`);
  expect(cancelled.json).toMatchObject({ status: "Cancelled", error: { code: "cancelled" } });
  expect((await server.call("POST", `${next}/cancel`)).json).toMatchObject({ code: "already-finished" });
  await server.call("POST", `${running}/cancel`);
  await reaches(running, "Cancelled");
  await reaches(last, "Completed");
  expect(await statusOf(next)).toBe("Cancelled");
  expect((await machine.run(["backup", "explain", idOf(next)])).stdout).toContain("while it waited");
  expect((await machine.run(["backup", "explain", idOf(last)])).stdout).toContain("completed ");
});

test("a server that is asked to stop begins nothing more, and what waits waits for the next one", async () => {
  const running = await submit("one", 3);
  await reaches(running, "TransferInProgress");
  const waiting = await submit("two", 0);
  await server.stop();
  expect((await machine.json(["backup", "get", idOf(running)]))["status"]).toBe("Completed");
  expect((await machine.json(["backup", "get", idOf(waiting)]))["status"]).toBe("Queued");
  server = await start();
  await reaches(waiting, "Completed");

  const folder = join(machine.folder, "restored");
  const restored = await server.call("POST", "/api/v1/projects/two/restores", {
    body: { backupId: idOf(waiting), storage: { url: `file://${folder}` } },
  });
  expect(restored.status).toBe(201);
  await reaches(restored.headers.get("location") ?? "", "Completed");
});
