import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { majorsAvailable } from "../support/servers.ts";
import { until } from "../support/until.ts";

const program = fileURLToPath(new URL("../support/run-tiny-demo.ts", import.meta.url));
await majorsAvailable(); // installs them, so that the demo has them

const scratch: string[] = [];
afterAll(async () => {
  for (const folder of scratch) await rm(folder, { recursive: true, force: true });
});

interface DemoRun {
  readonly child: ChildProcess;
  /** What it printed so far. */
  text(): string;
  /** Its exit code, once it is there. */
  ended(): Promise<number | null>;
  /** The demo's folders that are there. */
  folders(): Promise<string[]>;
}

async function startDemo(...words: string[]): Promise<DemoRun> {
  const temporary = await mkdtemp(join(tmpdir(), "lc2-demo-test-"));
  scratch.push(temporary);
  // The server of a demo run by root must reach its folder.
  await chmod(temporary, 0o755);
  const child = spawn(process.execPath, [program, ...words], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  }
  const closed = once(child, "close").then(([code]) => code as number | null);
  return { child, text: () => text, ended: () => closed, folders: () => readdir(temporary) };
}

test(
  "the demo proves the restore and its undo, and leaves nothing behind",
  { timeout: 180_000 },
  async () => {
    const demo = await startDemo();
    expect(await demo.ended(), demo.text()).toBe(0);
    expect(demo.text()).toMatch(/rows of every table, .*: as before the damage/);
    expect(demo.text()).toMatch(/files, .*: as before the damage/);
    expect(demo.text()).toMatch(/rows of every table, .*: as it was just before the restore/);
    expect(demo.text()).toMatch(/files, .*: as it was just before the restore/);
    expect(demo.text()).not.toContain("\u001B[");
    expect(await demo.folders()).toEqual([]);
  },
);

describe("Ctrl-C", () => {
  test.each([
    ["while the server starts", /Start a throw-away/, "SIGINT"],
    ["while the data are made", /Fill a database/, "SIGINT"],
    ["while the backup is taken", /ExportInProgress/, "SIGINT"],
    ["while the restore is planned", /Plan the restore/, "SIGTERM"],
    ["while the restore runs", /RestoringDump|RestoringStorage/, "SIGINT"],
    ["while the undo runs", /Undo the restore/, "SIGHUP"],
  ] as const)("%s leaves no server and no folder", { timeout: 180_000 }, async (_, when, signal) => {
    const demo = await startDemo();
    const code = demo.ended();
    await until(
      `the demo prints ${String(when)}`,
      () => when.test(demo.text()) || demo.child.exitCode !== null,
      120_000,
    );
    const server = /127\.0\.0\.1:(\d+)/.exec(demo.text())?.[1];
    demo.child.kill(signal);
    expect(await code, demo.text()).toBe({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal]);
    expect(await demo.folders()).toEqual([]);
    expect(server === undefined ? "closed" : await tryPort(Number(server))).toBe("closed");
  });
});

test(
  "a demo that was killed is tidied up by the next one, and its server is gone",
  { timeout: 180_000 },
  async () => {
    const killed = await startDemo();
    await until("it fills the database", () => /Fill a database/.test(killed.text()), 120_000);
    const [left] = await killed.folders();
    const folder = join(String(scratch.at(-1)), String(left));
    const pid = Number((await readFile(join(folder, "postgres/data/postmaster.pid"), "utf8")).split("\n")[0]);
    killed.child.kill("SIGKILL");
    await until("its server is gone", () => !isAlive(pid));
    expect(await killed.folders()).toEqual([left]);

    const { createWorkspace } = await import("../../demo/demo-workspace.ts");
    const usual = process.env["TMPDIR"];
    process.env["TMPDIR"] = String(scratch.at(-1));
    try {
      const workspace = await createWorkspace();
      await workspace.remove();
    } finally {
      if (usual === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = usual;
    }
    expect(await killed.folders()).toEqual([]);
  },
);

test("a kept demo stays up and is ended by the command it prints", { timeout: 180_000 }, async () => {
  const demo = await startDemo("keep");
  expect(await demo.ended(), demo.text()).toBe(0);
  const [folder] = await demo.folders();
  const home = join(String(scratch.at(-1)), String(folder));
  const pid = Number((await readFile(join(home, "postgres/data/postmaster.pid"), "utf8")).split("\n")[0]);
  expect(isAlive(pid)).toBe(true);
  const list = spawn("sh", ["-c", `. ${home}/environment.sh; lc2 backup list --project demo -o json`], {
    stdio: "pipe",
  });
  let text = "";
  list.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(list, "close");
  expect(JSON.parse(text)).toMatchObject({ total: 1, backups: [{ status: "Completed" }] });

  const stop = spawn("sh", [join(home, "stop.sh")]);
  expect(await once(stop, "close")).toEqual([0, null]);
  // The server's last act is to remove its pid file, which is what stop.sh waits for.
  await until("its server is gone", () => !isAlive(pid));
  expect(await demo.folders()).toEqual([]);
});

async function tryPort(port: number): Promise<"open" | "closed"> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return "open";
  } catch {
    return "closed";
  } finally {
    socket.destroy();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
