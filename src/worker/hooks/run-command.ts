import { spawn } from "node:child_process";
import { Failure } from "../../core/failure.ts";
import { resolveCommand } from "../../core/hooks/hook-policy.ts";
import type { HookTry } from "./hook-try.ts";
import { othersOfOwnGroup } from "./own-group.ts";

/** From a polite request to SIGKILL. */
const stopGraceMs = 2_000;
/** What a program that has ended may still have in its pipes; one it left behind may hold them open for ever. */
const drainMs = 500;

/**
 * Runs an allowed program without a shell; it gets PATH, HOME, LANG, what the hook is about, and the variables that
 * are allowed for it. Rejects with `hook-failed` unless it ends with 0; then what it started is ended, too. It stays
 * in the worker's process group, so that it ends with the worker.
 */
export async function runCommand(command: string, { work, run, output, signal }: HookTry): Promise<void> {
  const found = resolveCommand(work.policy, command);
  if ("problem" in found) throw new Failure("hook-not-allowed", found.problem);
  const { program, arguments: given, environment, directory } = found.resolved;
  const named = Object.fromEntries(environment.map((name) => [name, run.env[name]]));
  const before = new Set(othersOfOwnGroup());
  const child = spawn(program, given, {
    cwd: directory,
    env: {
      PATH: run.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
      HOME: run.env["HOME"] ?? "/",
      LANG: "C.UTF-8",
      LC2_HOOK: work.hook.name,
      LC2_OPERATION: work.operationId,
      LC2_PROJECT: run.context.projectId,
      ...(work.outcome === undefined ? {} : { LC2_OUTCOME: work.outcome }),
      ...named,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.on("data", (piece: Buffer) => output.add(piece));
  child.stderr.on("data", (piece: Buffer) => output.add(piece));
  const end = (by: "SIGTERM" | "SIGKILL"): void => {
    child.kill(by);
    for (const pid of othersOfOwnGroup()) if (!before.has(pid) && pid !== child.pid) killIfThere(pid, by);
  };
  let grace: NodeJS.Timeout | undefined;
  const stop = (): void => {
    end("SIGTERM");
    grace = setTimeout(() => end("SIGKILL"), stopGraceMs).unref();
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const { code, by } = await new Promise<{ code: number | null; by: string | null }>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(new Failure("hook-failed", `${program} cannot be started: ${cause.message}.`, { cause })),
      );
      child.once("close", (code, by) => resolve({ code, by }));
      child.once("exit", (code, by) => setTimeout(() => resolve({ code, by }), drainMs));
    });
    if (code === 0) return;
    throw new Failure(
      "hook-failed",
      code === null ? `${program} was ended by ${by}.` : `${program} ended with exit code ${code}.`,
    );
  } catch (error) {
    end("SIGKILL");
    throw error;
  } finally {
    clearTimeout(grace);
    signal.removeEventListener("abort", stop);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

function killIfThere(pid: number, by: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, by);
  } catch {
    // It has ended meanwhile, or runs as another user.
  }
}
