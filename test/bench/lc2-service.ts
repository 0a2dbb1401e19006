/** A real `lc2 serve` under measurement, and calls of it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { lc2Program } from "./workbench.ts";

const workersEndMs = 6_000;

export interface ServiceUnderTest extends AsyncDisposable {
  /** From the start of its process to the first call that it answers as ready. */
  readonly readyAfterMs: number;
  /** Its processor time until then. */
  readonly readyCpuMs: number;
  /** Rejects unless it is answered with 2xx. */
  call(
    method: "GET" | "POST",
    path: string,
    body?: object,
  ): Promise<{ readonly ms: number; readonly json: unknown }>;
  /** Processor time of the server's process so far. */
  cpuMs(): Promise<number>;
  /** Peak resident memory of the server's process so far, as the kernel counts it. */
  peakBytes(): Promise<number>;
}

export async function startService(
  dataDirectory: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ServiceUnderTest> {
  const startedAtMs = performance.now();
  const child = spawn(lc2Program, ["serve", "--listen", "127.0.0.1:0", "--drain", "1s"], {
    env: { ...process.env, LC2_DATA_DIR: dataDirectory, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await readAddress(child);
  const key = (await readFile(join(dataDirectory, "admin.key"), "utf8")).trim();
  while (!(await fetch(new URL("/health/ready", url))).ok) await pause(10);
  const readyAfterMs = performance.now() - startedAtMs;
  const cpuMs = async (): Promise<number> => {
    const fields = (await readFile(`/proc/${child.pid ?? 0}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
    // User and system time, in hundredths of a second.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  };
  return {
    readyAfterMs,
    readyCpuMs: await cpuMs(),
    cpuMs,
    call: async (method, path, body) => {
      const begunMs = performance.now();
      const response = await fetch(new URL(`/api/v1/${path}`, url), {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const ms = performance.now() - begunMs;
      if (!response.ok)
        throw new Error(`${method} ${path} was answered ${response.status}: ${text.slice(0, 500)}`);
      return { ms, json: JSON.parse(text) as unknown };
    },
    peakBytes: async () => {
      const status = await readFile(`/proc/${child.pid ?? 0}/status`, "utf8");
      return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024;
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
      // Workers end within five seconds of their parent, and write until then.
      await pause(workersEndMs);
    },
  };
}

async function readAddress(child: ChildProcess): Promise<string> {
  let said = "";
  if (child.stdout === null) throw new Error("lc2 serve has no output");
  for await (const piece of child.stdout.setEncoding("utf8") as AsyncIterable<string>) {
    said += piece;
    const url = /Listening at (http:\/\/[^ "]+)\./.exec(said)?.[1];
    if (url === undefined) continue;
    // What it says later is not read, and must not hold it up.
    child.stdout.resume();
    return url;
  }
  throw new Error(`lc2 serve ended: ${said}`);
}
