import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { Failure } from "../../core/failure.ts";
import { toolEnvironment, type Connection, type Environment } from "../../postgres/connection.ts";

/** Where and with what a restore works. */
export interface RestoreTarget {
  /** Folder of pg_restore and psql. */
  readonly toolDirectory: string;
  /** The database that is loaded. */
  readonly connection: Connection;
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** Options of the sessions, which the operator's own (`PGOPTIONS`) win over. */
  readonly settings?: string;
}

export interface ToolOutcome {
  readonly exitCode: number;
  readonly stderr: string;
}

/** Text of the list of an archive's entries that standard error keeps for messages; more is dropped. */
const keptStderrBytes = 256 * 1024;

/**
 * Loading may lose its last moments in a crash of the server: then the restore fails and its database is
 * dropped. The swap commits with a full flush, so nothing that counts is at risk.
 */
const loadingOptions =
  "-c synchronous_commit=off -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 " +
  "-c default_transaction_read_only=off";

/** Environment of the tools for loading: where to connect and the session settings above. */
function loadingEnvironment(target: RestoreTarget): Record<string, string> {
  const environment = toolEnvironment(target.connection, target.env);
  const options = [target.settings, environment["PGOPTIONS"], loadingOptions];
  return {
    ...environment,
    PGAPPNAME: "lc2 restore",
    PGOPTIONS: options.filter((one) => one !== undefined).join(" "),
  };
}

/** A program of the tool folder that is running, with its end awaited. */
export interface RunningTool {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly ended: Promise<ToolOutcome>;
  readonly kill: () => void;
}

/**
 * Starts `pg_restore` or `psql`. It is killed when the signal is aborted; `ended` then still resolves, and
 * the caller asks the signal. Rejects with `tools-missing` when it cannot be started.
 */
export function startTool(
  target: RestoreTarget,
  program: "pg_restore" | "psql" | "pg_dump",
  parameters: readonly string[],
  environment: Record<string, string> = loadingEnvironment(target),
): RunningTool {
  const child = spawn(join(target.toolDirectory, program), [...parameters], {
    env: environment,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const kill = (): void => {
    child.kill("SIGKILL");
  };
  if (target.signal.aborted) kill();
  target.signal.addEventListener("abort", kill, { once: true });
  // A tool that ends early closes its input; its exit status tells why, not the broken pipe.
  child.stdin.on("error", () => {});
  const ended = endOf(child, program, target.toolDirectory).finally(() =>
    target.signal.removeEventListener("abort", kill),
  );
  ended.catch(() => {});
  return { stdin: child.stdin, stdout: child.stdout, ended, kill };
}

async function endOf(child: ChildProcess, program: string, directory: string): Promise<ToolOutcome> {
  const chunks: Buffer[] = [];
  let kept = 0;
  child.stderr?.on("data", (chunk: Buffer) => {
    if (kept >= keptStderrBytes) return;
    chunks.push(chunk);
    kept += chunk.length;
  });
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return { exitCode: code ?? -1, stderr: Buffer.concat(chunks).toString() };
  } catch (cause) {
    throw new Failure("tools-missing", `${join(directory, program)} cannot be started. Check --tools.`, {
      cause,
    });
  }
}

/** Runs a tool that needs no input; its standard output whole (lists and definitions only). */
export async function runTool(
  target: RestoreTarget,
  program: "pg_restore" | "psql" | "pg_dump",
  parameters: readonly string[],
): Promise<ToolOutcome & { readonly stdout: string }> {
  const tool = startTool(target, program, parameters);
  tool.stdin.end();
  const chunks: Buffer[] = [];
  for await (const chunk of tool.stdout) chunks.push(chunk as Buffer);
  const outcome = await tool.ended;
  target.signal.throwIfAborted();
  return { ...outcome, stdout: Buffer.concat(chunks).toString() };
}

/**
 * Writes chunks to a tool's input, each handed over before the next is asked for (its buffer may be used
 * again). Stops without an error when the tool has closed its input: its exit status says why.
 */
export async function feed(stdin: Writable, chunks: AsyncIterable<Uint8Array>): Promise<boolean> {
  for await (const chunk of chunks) {
    if (!(await handOver(stdin, chunk))) return false;
  }
  return await new Promise((resolve) => {
    stdin.once("error", () => resolve(false));
    stdin.once("close", () => resolve(!stdin.errored));
    stdin.end(() => resolve(true));
  });
}

function handOver(stdin: Writable, chunk: Uint8Array): Promise<boolean> {
  if (stdin.destroyed || stdin.errored) return Promise.resolve(false);
  return new Promise((resolve) => stdin.write(chunk, (error) => resolve(!error)));
}
