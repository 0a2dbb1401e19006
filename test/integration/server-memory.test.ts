/** The ceiling of a server's memory, as bin/lc2 starts it: work runs, work waits, and somebody looks all the time. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCommandLine } from "../support/command-line.ts";
import { until } from "../support/until.ts";

const program = join(import.meta.dirname, "../../bin/lc2");
const ceilingBytes = 150 * 2 ** 20;

test("a server with work running and a long queue stays below 150 MiB while lists are read", async () => {
  await using machine = await openCommandLine();
  const dataDirectory = join(machine.folder, "data");
  for (let source = 0; source < 60; source += 1) {
    const folder = join(machine.folder, "sources", String(source));
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "file"), Buffer.alloc(1_000_000, source));
  }
  const child = spawn(program, ["serve", "--listen", "127.0.0.1:0", "--drain", "1s"], {
    cwd: machine.folder,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: machine.folder,
      LC2_DATA_DIR: dataDirectory,
      LC2_MAX_BACKUPS: "2",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  try {
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    const address = (): string | undefined => /Listening at (http:\/\/[^ "]+)\./.exec(said)?.[1];
    await until("the server listens", () => address() !== undefined || child.exitCode !== null, 60_000);
    const key = (await readFile(join(dataDirectory, "admin.key"), "utf8")).trim();
    const call = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
      const response = await fetch(new URL(`/api/v1/projects/${path}`, address()), {
        method,
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      expect(response.status).toBeLessThan(300);
      return (await response.json()) as Record<string, unknown>;
    };
    for (let source = 0; source < 60; source += 1) {
      await call("POST", `project-${source % 6}/backups`, {
        storage: { url: `file://${machine.folder}/sources/${source}` },
        // So slow that they still run, and the others still wait, when the memory is looked at.
        maxRateBytesPerSecond: 10_000,
      });
    }
    await until("two are being made", async () => {
      const { total } = await call("GET", "-/backups?status=TransferInProgress");
      return total === 2;
    });
    for (let round = 0; round < 200; round += 1) await call("GET", "-/backups?limit=50");
    expect((await call("GET", "-/backups?status=Queued"))["total"]).toBe(58);
    const status = await readFile(`/proc/${child.pid}/status`, "utf8");
    expect(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024).toBeLessThan(ceilingBytes);
  } finally {
    child.kill("SIGTERM");
    await ended;
  }
});
