/** The real command line in child processes, on data folders of its own: what a stranger would type. */
import { spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runs } from "./fake-engine.ts";
import { installations } from "./servers.ts";

/** The command line of this checkout: program and first arguments. */
const checkout = [
  process.execPath,
  fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url)),
] as const;

export interface CommandResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  /** Standard output and standard error so far, as they came. */
  text(): string;
  ended(): Promise<CommandResult>;
}

export interface CommandLine extends AsyncDisposable {
  /** A private folder, removed at the end; `data` in it is the data folder. */
  readonly folder: string;
  readonly repository: string;
  start(args: readonly string[], env?: Readonly<Record<string, string>>): RunningCommand;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CommandResult>;
  /** Process ids of workers that run for it, whoever started them. */
  workers(): Promise<number[]>;
  /** Runs it, expects exit code 0, and reads standard output as JSON. */
  json(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Record<string, unknown>>;
}

/** @param program and its first arguments; default: the command line of this checkout */
export async function openCommandLine([program, ...words]: readonly [
  string,
  ...string[],
] = checkout): Promise<CommandLine> {
  const folder = await mkdtemp(join(tmpdir(), "lc2-command-line-"));
  await chmod(folder, 0o755);
  const tools = (await installations()).filter((one) => one.hasClientTools).map((one) => one.binDirectory);
  const base = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    LC2_DATA_DIR: join(folder, "data"),
    LC2_PG_BIN: tools.join(":"),
    ...(process.env["NODE_V8_COVERAGE"] === undefined
      ? {}
      : { NODE_V8_COVERAGE: process.env["NODE_V8_COVERAGE"] }),
  };
  const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningCommand => {
    const child = spawn(program, [...words, ...args], {
      cwd: folder,
      env: { ...base, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const texts = { stdout: "", stderr: "", all: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (chunk: string) => {
        texts[name] += chunk;
        texts.all += chunk;
      });
    }
    const ended = new Promise<CommandResult>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) =>
        resolve({ code, signal, stdout: texts.stdout, stderr: texts.stderr }),
      );
    });
    return { child, text: () => texts.all, ended: () => ended };
  };
  const run: CommandLine["run"] = (args, env) => start(args, env).ended();
  return {
    folder,
    repository: join(folder, "repository"),
    start,
    run,
    workers: async () => await listWorkers(folder),
    async json(args, env) {
      const result = await run([...args, "-o", "json"], env);
      if (result.code !== 0)
        throw new Error(`lc2 ${args.join(" ")} ended with ${result.code}:\n${result.stderr}`);
      return JSON.parse(result.stdout) as Record<string, unknown>;
    },
    async [Symbol.asyncDispose]() {
      // A worker that was just killed may still be putting its compiled code away.
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

async function listWorkers(folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const read = async (file: string) => await readFile(`/proc/${name}/${file}`, "utf8").catch(() => "");
    if (!(await read("cmdline")).includes("main/worker.ts")) continue;
    if ((await read("environ")).includes(`LC2_DATA_DIR=${folder}/data`) && runs(Number(name)))
      found.push(Number(name));
  }
  return found;
}
