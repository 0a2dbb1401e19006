import { returnsToQueue } from "../core/admission/return-to-queue.ts";
import type { SecretReference } from "../core/environment/environment.ts";
import { hookOfTask, type HookStep } from "../core/hooks/decide-hooks.ts";
import type { Hooks } from "../core/hooks/hook.ts";
import { hooksNotAllowed } from "../core/hooks/validate-hooks.ts";
import type { Operation } from "../core/operation/operation.ts";
import type { ServerEncryption } from "../core/repository/encryption.ts";
import type { Problem } from "../core/problem.ts";
import type { OperationSession, Tasks } from "./operation-session.ts";
import { makeContext, type EngineParts, type TaskRequest } from "./parts.ts";
import { holdingTasks } from "./watched-task.ts";

/** What a hook's task is about beside the hook. */
export interface HookSubject {
  /** Where its SQL runs. */
  readonly database?: { readonly url: string; readonly password?: SecretReference } | undefined;
  /** Of hooks afterwards: how the work ended. */
  readonly outcome?: string | undefined;
  /** How the store encrypts what a hook before a backup leaves there, as it was accepted. */
  readonly serverEncryption?: ServerEncryption | undefined;
}

/** What a decision reads of an operation's hooks beside their tasks. */
export function observeHooks(session: OperationSession, operation: Operation, tasks: Tasks, hooks: Hooks) {
  const isLeft = session.ownerDied && returnsToQueue(operation, [...tasks.values()], { code: "interrupted" });
  return { hooks, holding: holdingTasks(tasks), beginsAgain: isLeft };
}

/** Does one step of an operation's hooks. */
export async function actOnHook(
  parts: EngineParts,
  session: OperationSession,
  operation: Operation,
  step: HookStep,
  subject: HookSubject,
): Promise<void> {
  if (step.do === "release") return await session.stopTask(step.task);
  const what = step.undo ? "Undoing the hook" : "Running the hook";
  session.log("info", `${what} "${step.hook.name}".`);
  const makeTask = async () => await makeHookTask(parts, operation, step, subject);
  await session.startTask(operation.attempt, step.task, makeTask);
}

async function makeHookTask(
  parts: EngineParts,
  operation: Operation,
  { hook, undo }: Extract<HookStep, { do: "hook" }>,
  { database, outcome, serverEncryption }: HookSubject,
): Promise<TaskRequest> {
  const work = {
    context: {
      ...makeContext(parts, operation),
      ...(serverEncryption === undefined ? {} : { serverEncryption }),
    },
    operationId: operation.id,
    attempt: operation.attempt,
    hook,
    policy: await parts.readHookPolicy(),
    ...(database === undefined ? {} : { databaseUrl: database.url }),
    ...(database?.password === undefined ? {} : { databasePassword: database.password }),
    ...(outcome === undefined ? {} : { outcome }),
  };
  const isHeld = hook.undo !== undefined && !undo;
  return isHeld ? { kind: "hold-hook", ...work } : { kind: "run-hook", undo, ...work };
}

/** Says which hooks did not end well: one that may fail changes nothing else, and one left undone must be known. */
export function logHookFailures(session: OperationSession, tasks: Tasks): void {
  for (const [task, { state, failure }] of tasks) {
    const hook = hookOfTask(task);
    if (hook === undefined || (state !== "failed" && state !== "lost")) continue;
    const why = failure?.message ?? "its worker died.";
    if (hook.undo) session.log("error", `The hook "${hook.name}" may still hold, undo it by hand: ${why}`);
    else session.log("warn", `The hook "${hook.name}" did not end well: ${why}`);
  }
}

/** What is wrong with a request, and, of hooks that are well formed, what this installation does not allow. */
export async function withRefusedHooks(
  parts: EngineParts,
  problems: readonly Problem[],
  hooks: Hooks,
  of: "backup" | "restore",
): Promise<readonly Problem[]> {
  if (hooks.before.length + hooks.after.length === 0) return problems;
  const refused = hooksNotAllowed(hooks, of, await parts.readHookPolicy());
  const isNew = ({ field }: Problem): boolean => problems.every((problem) => problem.field !== field);
  return [...problems, ...refused.filter(isNew)];
}
