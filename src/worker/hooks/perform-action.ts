import { setTimeout as sleep } from "node:timers/promises";
import type { HookWork } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import { actionProblems, isSecretReference, resolveCommand } from "../../core/hooks/hook-policy.ts";
import { defaultTimeoutSeconds, type HookAction, type HookResult } from "../../core/hooks/hook.ts";
import type { TaskRun } from "../task.ts";
import { callHttp } from "./call-http.ts";
import { HookOutput } from "./hook-output.ts";
import type { HookTry } from "./hook-try.ts";
import { readSecret } from "../resolve-secrets.ts";
import { runCommand } from "./run-command.ts";
import { runSql } from "./run-sql.ts";

/** Between tries: 1 s, 2 s, 4 s, … */
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;
/** Of the output, in the message of a failure; all that is kept of it is in the log. */
const quoted = 600;

/**
 * Does one action of a hook, again after a failure as often as the hook says. Rejects with the last failure, whose
 * message ends with what was said; all of it goes to the log.
 */
export async function performAction(
  action: HookAction,
  work: HookWork,
  run: TaskRun,
  signal: AbortSignal,
  retries = work.hook.retries ?? 0,
): Promise<HookResult> {
  const [problem] = actionProblems(work.policy, "", action);
  if (problem !== undefined) throw new Failure("hook-not-allowed", problem.message);
  const startedAtMs = run.clock.nowMs();
  for (let tries = 1; ; tries += 1) {
    signal.throwIfAborted();
    const secrets = await readSecrets(action, run);
    const output = new HookOutput([...secrets.values(), ...namedValues(action, work, run)]);
    try {
      await tryOnce(action, { work, run, output, signal }, secrets);
      return { ...output.read(), tries, durationMs: run.clock.nowMs() - startedAtMs };
    } catch (error) {
      signal.throwIfAborted();
      const failure = explain(work, error, output, tries);
      const said = output.read().output;
      if (said !== "")
        run.report({ type: "log", level: "warn", message: `The hook "${work.hook.name}" said:\n${said}` });
      if (tries > retries || failure.code === "hook-not-allowed") throw failure;
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (tries - 1));
      run.report({ type: "log", level: "warn", message: `${failure.message} Trying again.` });
      await sleep(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

async function tryOnce(
  action: HookAction,
  { signal, ...rest }: Omit<HookTry, "timeoutSeconds">,
  secrets: ReadonlyMap<string, string>,
): Promise<void> {
  const { command, http, sql } = action;
  const timeoutSeconds = rest.work.hook.timeout ?? defaultTimeoutSeconds;
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
  const hookTry: HookTry = { ...rest, signal: AbortSignal.any([signal, timeout]), timeoutSeconds };
  try {
    if (command !== undefined) await runCommand(command, hookTry);
    else if (http !== undefined) await callHttp(http, hookTry, secrets);
    else await runSql(sql ?? "", hookTry);
  } catch (error) {
    if (!timeout.aborted) throw error;
    throw new Failure("hook-failed", `It took longer than ${timeoutSeconds} s and was ended.`, {
      cause: error,
    });
  }
}

async function readSecrets({ http }: HookAction, run: TaskRun): Promise<ReadonlyMap<string, string>> {
  const references = Object.values(http?.headers ?? {}).filter(isSecretReference);
  return new Map(
    await Promise.all(
      references.map(async (one) => [one, await readSecret(one, "a header of the hook", run.env)] as const),
    ),
  );
}

/** Values of the variables that a command is given beyond the usual ones. */
function namedValues({ command }: HookAction, { policy }: HookWork, run: TaskRun): string[] {
  const found = command === undefined ? undefined : resolveCommand(policy, command);
  const names = found !== undefined && "resolved" in found ? found.resolved.environment : [];
  return names.map((name) => run.env[name]).filter((value) => value !== undefined);
}

function explain({ hook }: HookWork, error: unknown, output: HookOutput, tries: number): Failure {
  const { code, message } = Failure.from(error);
  const said = output.read().output.slice(-quoted).trim();
  const often = tries === 1 ? "" : ` (${tries} tries)`;
  return new Failure(
    code === "internal" ? "hook-failed" : code,
    `The hook "${hook.name}" failed${often}: ${message}${said === "" ? "" : ` It said: ${said}`}`,
    { cause: error },
  );
}
