import type { Waiting } from "../contract/service.ts";
import type { Progress, TaskResults } from "../contract/worker-task.ts";
import { Failure, failures, type FailureCode, type FailureRecord } from "../core/failure.ts";
import type { Steps } from "../core/operation/advance.ts";
import type { Operation, OperationTask } from "../core/operation/operation.ts";
import type { RestoreRecord } from "../core/ports/catalog.ts";
import {
  decideRestore,
  type RestoreAction,
  type RestoreObservation,
  type RestoreTaskName,
} from "../core/restore/decide-restore.ts";
import type { RestorePlan, RestoreSpec } from "../core/restore/restore.ts";
import { OperationSession } from "./operation-session.ts";
import { makeContext, type EngineParts, type TaskRequest } from "./parts.ts";
import { estimateTimes } from "./restore-history.ts";
import { restoreStatusOf } from "./restore-views.ts";

/** What a restore's operation row keeps as its request. */
export interface RestoreRequest {
  readonly spec: RestoreSpec;
  /** The hash of the plan that was approved beforehand. */
  readonly approve?: string;
}

type Tasks = ReadonlyMap<string, OperationTask>;

export interface RestoreOwner {
  readonly owner: string;
  /** The session took it over from a dead process. */
  readonly ownerDied: boolean;
  /** Shown the plan before anything is changed; rejects to refuse it. */
  readonly onPlan?: (plan: RestorePlan) => Promise<void>;
}

/** Takes a restore that this process has claimed to its end. */
export async function carryOutRestore(
  parts: EngineParts,
  { id, leaseOwner: owner }: Pick<Operation, "id" | "leaseOwner">,
  waiting: Waiting,
  onPlan?: RestoreOwner["onPlan"],
): Promise<void> {
  const session = new OperationSession(parts, id, owner, waiting.onEvent);
  session.open(waiting.signal);
  try {
    const who = { owner, ownerDied: false, ...(onPlan === undefined ? {} : { onPlan }) };
    await session.run(makeRestoreSteps(parts, session, who));
  } finally {
    await session.close();
  }
}

/** The steps of a restore, bound to one session. */
export function makeRestoreSteps(
  parts: EngineParts,
  session: OperationSession,
  who: RestoreOwner,
): Steps<RestoreObservation, RestoreAction> {
  let shown: string | undefined;
  return {
    observe: async () => {
      const { operation, tasks } = await session.read();
      const status = restoreStatusOf(operation, tasks);
      if (status !== shown) session.emit({ type: "state", status });
      shown = status;
      return observe(session, operation, tasks, await parts.catalog.getRestore(operation.id), who.ownerDied);
    },
    decide: decideRestore,
    act: async (action) => {
      if (action.do === "stop") return await session.stopTasks();
      const { operation, tasks } = await session.read();
      if (action.do === "ask-approval") return await askApproval(parts, operation, planOf(tasks), who);
      await session.startTask(operation.attempt, action.task, makeTask(parts, operation, tasks, action.task));
      if (action.task === "plan") {
        const { spec } = operation.spec as RestoreRequest;
        parts.launcher.expect?.(spec.database === undefined ? "restore-files" : "restore-database");
      }
    },
    finish: async ({ outcome, failure }) => {
      const { operation, tasks } = await session.read();
      if (outcome === "Completed") await recordRetired(parts, operation, tasks);
      const end = {
        finishedAtMs: parts.clock.nowMs(),
        outcome,
        ...(failure === undefined ? {} : { failure }),
      };
      await parts.catalog.finishOperation(operation.id, who.owner, end);
      session.emit({ type: "state", status: outcome });
    },
  };
}

function observe(
  session: OperationSession,
  operation: Operation,
  tasks: Tasks,
  record: RestoreRecord | undefined,
  ownerDied: boolean,
): RestoreObservation {
  const plan = planOf(tasks);
  const swapped = swapOf(tasks)?.swapped;
  const filesTouched = (tasks.get("files")?.progress as Progress | undefined)?.objects;
  return {
    restoreId: operation.id,
    cancelRequested: operation.cancelRequested || session.cancelRequested,
    ownerDied,
    tasks: Object.fromEntries(tasks),
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
    approval: record?.refusal ?? (record?.approvedAtMs === undefined ? "pending" : "given"),
    ...(swapped === undefined ? {} : { swapped }),
    ...(filesTouched === undefined ? {} : { filesTouched }),
  };
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
  who: RestoreOwner,
): Promise<void> {
  if (bare === undefined) throw new Failure("internal", `${operation.id} has no plan to approve.`);
  const plan = await estimateTimes(parts, bare);
  const refusal = refusePlan(plan, (operation.spec as RestoreRequest).approve) ?? (await ask(plan, who));
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

async function ask(plan: RestorePlan, who: RestoreOwner): Promise<FailureRecord | undefined> {
  try {
    await who.onPlan?.(plan);
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
