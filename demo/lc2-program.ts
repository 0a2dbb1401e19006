/** Runs `lc2` as a person would: as a program, its output shown, its passwords in a password file. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import { Failure } from "../src/core/failure.ts";
import type { DemoWorkspace } from "./demo-workspace.ts";
import type { RunningPostgres } from "./postgres-servers.ts";
import { showSeconds, type Transcript } from "./transcript.ts";

/** The program of this checkout. */
export const lc2Program = fileURLToPath(new URL("../bin/lc2", import.meta.url));

export interface Lc2 {
  /** What lc2 needs besides this process's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Shows the command, runs it, shows its output and time; rejects unless it exits with 0. */
  run(...words: readonly string[]): Promise<void>;
  newestBackup(project: string): Promise<string>;
  /** Of the plan that `lc2 restore plan` makes with these words. */
  planHash(...words: readonly string[]): Promise<string>;
  newestRestore(project: string): Promise<string>;
  /** Cancels what runs and waits for its end. */
  stop(): Promise<void>;
}

/** Prepares what the commands share; runs nothing yet. An abort of `signal` cancels the running command. */
export async function startLc2(parts: {
  readonly workspace: DemoWorkspace;
  readonly server: RunningPostgres;
  /** Passwords by role. */
  readonly roles: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  readonly transcript: Transcript;
}): Promise<Lc2> {
  const { workspace, server, signal, transcript } = parts;
  const environment = await writeEnvironment(workspace, server, parts.roles);
  let running: ChildProcess | undefined;
  signal.addEventListener("abort", () => running?.kill("SIGINT"));

  const start = (words: readonly string[], output: "show" | "read"): ChildProcess => {
    signal.throwIfAborted();
    const toScreen = process.stderr.isTTY && process.stdout.isTTY ? "inherit" : 1;
    const child = spawn(lc2Program, words, {
      env: { ...withoutPostgres(process.env), ...environment },
      // Of its own group: Ctrl-C reaches this process, which cancels the command once.
      detached: true,
      stdio: ["ignore", output === "read" ? "pipe" : "inherit", output === "read" ? "inherit" : toScreen],
    });
    running = child;
    return child;
  };

  const finish = async (child: ChildProcess, words: readonly string[]): Promise<void> => {
    await once(child, "close");
    running = undefined;
    signal.throwIfAborted();
    const { exitCode: code, signalCode: killedBy } = child;
    if (code === 0) return;
    const how = code === null ? `was ended by ${killedBy ?? "a signal"}` : `ended with exit code ${code}`;
    throw new Failure("demo-failed", `lc2 ${words.slice(0, 2).join(" ")} ${how}; its own words are above.`);
  };

  const readJson = async (words: readonly string[]): Promise<unknown> => {
    const child = start([...words, "-o", "json"], "read");
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    await finish(child, words);
    return JSON.parse(text);
  };

  return {
    environment,
    run: async (...words) => {
      const startedAt = performance.now();
      transcript.command(`lc2 ${words.map(shellWord).join(" ")}`);
      await finish(start(words, "show"), words);
      transcript.fact("took", showSeconds(performance.now() - startedAt));
    },
    newestBackup: async (project) => {
      const { backups } = (await readJson(["backup", "list", "--project", project])) as {
        backups: { backupId: string }[];
      };
      return firstOf(backups, "backup").backupId;
    },
    planHash: async (...words) => {
      const { hash } = (await readJson(["restore", "plan", ...words])) as { hash: string };
      return hash;
    },
    newestRestore: async (project) => {
      const { restores } = (await readJson(["restore", "list", "--project", project])) as {
        restores: { restoreId: string }[];
      };
      return firstOf(restores, "restore").restoreId;
    },
    stop: async () => {
      const child = running;
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "close");
      child.kill("SIGINT");
      const late = await Promise.race([ended.then(() => false), pause(15_000, true, { ref: false })]);
      if (late) child.kill("SIGKILL");
      await ended;
    },
  };
}

/** What commands of this demo need; passwords go through a password file, as libpq's clients read it. */
async function writeEnvironment(
  workspace: DemoWorkspace,
  server: RunningPostgres,
  roles: ReadonlyMap<string, string>,
): Promise<Record<string, string>> {
  await mkdir(workspace.dataDirectory, { recursive: true });
  const passwordFile = join(workspace.dataDirectory, "pgpass");
  const lines = [...roles].map(([role, password]) => `${server.host}:${server.port}:*:${role}:${password}\n`);
  await writeFile(passwordFile, lines.join(""), { mode: 0o600 });
  await chmod(passwordFile, 0o600);
  return {
    LC2_DATA_DIR: workspace.dataDirectory,
    LC2_PG_BIN: server.installation.clientDirectory ?? "",
    PGPASSFILE: passwordFile,
  };
}

function firstOf<T>(list: readonly T[], what: string): T {
  const [first] = list;
  if (first === undefined)
    throw new Failure("demo-failed", `lc2 ${what} list shows no ${what} after one was made.`);
  return first;
}

/** The caller's own PG… settings must not reach the demo's commands. */
function withoutPostgres(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^(PG[A-Z]|LC2_)/.test(name)));
}

/** As it is typed in a shell. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
