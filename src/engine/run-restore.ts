import type { Waiting } from "../contract/service.ts";
import type { Progress, TaskResults } from "../contract/worker-task.ts";
import { Failure, failures, type FailureCode, type FailureRecord } from "../core/failure.ts";
import type { HookStep } from "../core/hooks/decide-hooks.ts";
import { runsAfter } from "../core/hooks/hook.ts";
import type { Steps } from "../core/operation/advance.ts";
import type { Operation } from "../core/operation/operation.ts";
import type { RestoreRecord } from "../core/ports/catalog.ts";
import {
  decideRestore,
  type RestoreAction,
  type RestoreObservation,
  type RestoreTaskName,
} from "../core/restore/decide-restore.ts";
import { hooksOfRestore, type RestorePlan, type RestoreSpec } from "../core/restore/restore.ts";
import { carryOut, type OperationSession, type Tasks } from "./operation-session.ts";
import { guardTarget } from "./guard-target.ts";
import { actOnHook, logHookFailures, observeHooks, type HookSubject } from "./run-hooks.ts";
import { makeContext, type EngineParts, type TaskRequest } from "./parts.ts";
import { estimateTimes } from "./restore-history.ts";
import { restoreStatusOf } from "./restore-views.ts";

/** What a restore's operation row keeps as its request. */
export interface RestoreRequest {
  readonly spec: RestoreSpec;
  /** The hash of the plan that was approved beforehand. */
  readonly approve?: string;
}

/** Shown the plan before anything is changed; rejects to refuse it. */
type OnPlan = ((plan: RestorePlan) => Promise<void>) | undefined;

/** Takes a restore that this process has claimed to its end. */
export async function carryOutRestore(
  parts: EngineParts,
  operation: Pick<Operation, "id" | "leaseOwner">,
  waiting: Waiting,
  onPlan?: OnPlan,
): Promise<void> {
  await carryOut(parts, operation, waiting, (session) => makeRestoreSteps(parts, session, onPlan));
}

/** The steps of a restore, bound to one session. */
export function makeRestoreSteps(
  parts: EngineParts,
  session: OperationSession,
  onPlan?: OnPlan,
): Steps<RestoreObservation, RestoreAction> {
  let shown: string | undefined;
  return {
    observe: async () => {
      const view = await session.read();
      const { operation, tasks } = view;
      const status = restoreStatusOf(operation, tasks);
      if (status !== shown) session.emit({ type: "state", status });
      shown = status;
      const record = await parts.catalog.getRestore(operation.id);
      return {
        ...session.observe(view),
        ...observeHooks(session, operation, tasks, hooksOfRestore((operation.spec as RestoreRequest).spec)),
        ...observe(operation, tasks, record),
      };
    },
    decide: decideRestore,
    act: async (action) => {
      if (action.do === "stop") return await session.stopTasks();
      const { operation, tasks } = await session.read();
      if (action.do === "ask-approval") return await askApproval(parts, operation, planOf(tasks), onPlan);
      if (action.do !== "start") {
        const subject = hookSubject(action, operation, tasks);
        return await actOnHook(parts, session, operation, action, subject);
      }
      const stays = action.task === "plan";
      const task = makeTask(parts, operation, tasks, action.task);
      await session.startTask(operation.attempt, action.task, task, stays);
    },
    finish: async (end) => {
      const { operation, tasks } = await session.read();
      logHookFailures(session, tasks);
      await recordRetired(parts, operation, tasks);
      await session.finish(end);
    },
  };
}

function observe({ id }: Operation, tasks: Tasks, record: RestoreRecord | undefined) {
  const plan = planOf(tasks);
  const swapped = swapOf(tasks)?.swapped;
  const filesTouched = (tasks.get("files")?.progress as Progress | undefined)?.objects;
  return {
    restoreId: id,
    ...(plan === undefined
      ? {}
      : {
          plan: {
            ...(plan.database === undefined
              ? {}
              : { database: { into: plan.database.into, target: plan.database.target } }),
            files: plan.files !== undefined,
          },
        }),
    approval: record?.refusal ?? (isApproved(record, plan) ? ("given" as const) : ("pending" as const)),
    ...(swapped === undefined ? {} : { swapped }),
    ...(filesTouched === undefined ? {} : { filesTouched }),
  };
}

/** An approval is for one plan: what an attempt before this one planned may be another. */
const isApproved = (record: RestoreRecord | undefined, plan: RestorePlan | undefined): boolean =>
  record?.approvedAtMs !== undefined &&
  (plan === undefined || (record.plan as RestorePlan).hash === plan.hash);

/** SQL runs on the target as it is at that moment: afterwards on the database that was restored, by its name in the end. */
function hookSubject(step: HookStep, operation: Operation, tasks: Tasks): HookSubject {
  const { spec } = operation.spec as RestoreRequest;
  const isAfter = step.do === "hook" && runsAfter(hooksOfRestore(spec), step.hook);
  const { database } = spec;
  if (!isAfter) return { database };
  const finalName = planOf(tasks)?.database?.finalName;
  return {
    database:
      finalName === undefined || database === undefined
        ? database
        : { ...database, url: withDatabaseName(database.url, finalName) },
    outcome: hasSucceeded(tasks) ? "Completed" : operation.cancelRequested ? "Cancelled" : "Failed",
  };
}

function withDatabaseName(url: string, name: string): string {
  return url.replace(
    /^([a-z]+:\/\/[^/?]*)(?:\/[^?]*)?/i,
    (_all, server: string) => `${server}/${encodeURIComponent(name)}`,
  );
}

function hasSucceeded(tasks: Tasks): boolean {
  const plan = planOf(tasks);
  if (plan === undefined) return false;
  const isInPlace = plan.database === undefined || plan.database.into === "in-place";
  if (!isInPlace) return swapOf(tasks)?.swapped === true;
  const areFilesDone = plan.files === undefined || tasks.get("files")?.state === "done";
  return areFilesDone && (plan.database === undefined || tasks.get("database")?.state === "done");
}

const planOf = (tasks: Tasks): RestorePlan | undefined =>
  tasks.get("plan")?.result as RestorePlan | undefined;

/** What the swap said, or, where it could not, what a look afterwards found. */
function swapOf(tasks: Tasks): TaskResults["swap-database"] | undefined {
  return (tasks.get("look")?.result ?? tasks.get("swap")?.result) as TaskResults["swap-database"] | undefined;
}

async function askApproval(
  parts: EngineParts,
  operation: Operation,
  bare: RestorePlan | undefined,
  onPlan: OnPlan,
): Promise<void> {
  if (bare === undefined) throw new Failure("internal", `${operation.id} has no plan to approve.`);
  const plan = await estimateTimes(parts, bare);
  const { spec, approve } = operation.spec as RestoreRequest;
  const source = { projectId: operation.projectId, backupId: spec.backupId };
  const refusal =
    refusePlan(plan, approve) ??
    // Only now it is known what the target is, however it is spelled.
    (await guardTarget(parts, spec, source, approve)).refused ??
    (await ask(plan, onPlan));
  const answer = refusal === undefined ? { approvedAtMs: parts.clock.nowMs() } : { refusal };
  await parts.catalog.putRestore(operation.id, { plan, ...answer });
}

/** Why a plan is not run, or undefined when it may be. */
function refusePlan(plan: RestorePlan, approve: string | undefined): FailureRecord | undefined {
  const [first, ...others] = plan.blockers;
  if (first !== undefined) {
    const code: FailureCode = first.code in failures ? first.code : "plan-blocked";
    return { code, message: [first, ...others].map(({ message }) => message).join(" "), retry: "never" };
  }
  if (approve === undefined || approve === plan.hash) return undefined;
  const message =
    `The plan's hash is ${plan.hash}, not ${approve}: backup, target or what would be done has changed since it ` +
    "was approved. Read it again with `lc2 restore plan`. Nothing was changed.";
  return { code: "plan-not-approved", message, retry: "never" };
}

async function ask(plan: RestorePlan, onPlan: OnPlan): Promise<FailureRecord | undefined> {
  try {
    await onPlan?.(plan);
    return undefined;
  } catch (error) {
    return Failure.from(error).toRecord();
  }
}

function makeTask(
  parts: EngineParts,
  operation: Operation,
  tasks: Tasks,
  name: RestoreTaskName,
): TaskRequest {
  const context = makeContext(parts, operation);
  const restoreId = operation.id;
  if (name === "plan")
    return { kind: "plan-restore", context, restoreId, spec: (operation.spec as RestoreRequest).spec };
  const plan = planOf(tasks);
  if (plan === undefined) throw new Failure("internal", `${restoreId} has no plan.`);
  const restore = { context, restoreId, plan };
  switch (name) {
    case "database":
      return { kind: "restore-database", ...restore };
    case "files":
      return { kind: "restore-files", ...restore };
    case "swap":
      return { kind: "swap-database", ...restore };
    case "look":
      return { kind: "swap-database", ...restore, lookOnly: true };
    case "undo-files":
      return { kind: "undo-restore", ...restore, parts: ["files"] };
    case "discard":
      return { kind: "discard-restore", ...restore };
  }
}

/** The database that was swapped out stays until somebody drops it; from here on the catalog knows of it. */
async function recordRetired(parts: EngineParts, operation: Operation, tasks: Tasks): Promise<void> {
  const retired = swapOf(tasks)?.retiredDatabase ?? planOf(tasks)?.database?.retireAs;
  if (swapOf(tasks)?.swapped !== true || retired === undefined) return;
  const { dropAfterSeconds } = (operation.spec as RestoreRequest).spec;
  const nowMs = parts.clock.nowMs();
  await parts.catalog.putRestore(operation.id, {
    retiredDatabase: retired,
    retiredAtMs: nowMs,
    ...(dropAfterSeconds === undefined ? {} : { dropDueAtMs: nowMs + dropAfterSeconds * 1000 }),
  });
}
