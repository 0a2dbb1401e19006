import { setTimeout as sleep } from "node:timers/promises";
import { returnsToQueue } from "../core/admission/return-to-queue.ts";
import { hookOfTask } from "../core/hooks/decide-hooks.ts";
import { Failure } from "../core/failure.ts";
import type { Steps } from "../core/operation/advance.ts";
import { isWaiting, type Operation, type OperationTask } from "../core/operation/operation.ts";
import type { OpenOperation } from "../core/ports/catalog.ts";
import { OperationSession } from "./operation-session.ts";
import { makeLogLine, type EngineParts } from "./parts.ts";
import { runByKind } from "./run-by-kind.ts";

/** A worker ends within five seconds of its parent; after that it is ended. */
const workerGraceMs = 6_000;
/** What the configuration allows at most. */
const longestLeaseMs = 3_600_000;
/** Tasks that may be run anew when it is not known how they ended: they only look or clean up. */
const repeatable = new Set(["look", "discard", "undo-files"]);
const isRepeatable = (task: OperationTask): boolean =>
  repeatable.has(task.name) || hookOfTask(task.name)?.undo === true;

/**
 * Ends what dead processes left: whose lease has run out, or who are certainly dead. Sealed backups and
 * swapped restores are adopted as completed, everything else is cleaned up and ends as `interrupted`, or goes back to
 * the queue that it came from. What waits there has no process that could have died. Each
 * operation is taken over by exactly one caller, whatever their number. Never rejects because of one
 * operation: the caller has work of its own.
 */
export async function recoverDeadOperations(parts: EngineParts, stopping?: AbortSignal): Promise<void> {
  for (const open of await listOpen(parts)) {
    if (stopping?.aborted === true) return;
    if (!isAbandoned(parts, open)) continue;
    try {
      await adopt(parts, open);
    } catch (error) {
      const message = `${open.operation.id} could not be ended: ${Failure.from(error).message} The next lc2 tries again.`;
      parts.notice(makeLogLine(parts, "warn", message));
    }
  }
}

async function listOpen(parts: EngineParts): Promise<readonly OpenOperation[]> {
  try {
    return await parts.catalog.listOpenOperations();
  } catch (error) {
    parts.leaseJudge.noteAway();
    throw error;
  }
}

function isAbandoned(parts: EngineParts, { operation, leaseLeftMs }: OpenOperation): boolean {
  if (isWaiting(operation)) return false;
  // This process could not renew it while the catalog was away, and does so now.
  if ([...parts.held].some(({ operationId }) => operationId === operation.id)) return false;
  if (parts.processes.observe(operation.leaseOwner) === "dead") return true;
  // Longer than any lease is given: its clock has begun anew since, with the machine.
  return parts.leaseJudge.mayJudge && (leaseLeftMs <= 0 || leaseLeftMs > longestLeaseMs);
}

async function adopt(parts: EngineParts, { operation, leaseLeftMs }: OpenOperation): Promise<void> {
  const owner = parts.processes.identifyThisProcess(parts.ids.hex(8));
  const lease = { seconds: parts.leaseSeconds };
  if (!(await parts.catalog.takeOver(operation.id, operation.leaseOwner, owner, lease))) return;
  const session = new OperationSession(
    parts,
    { id: operation.id, leaseOwner: owner },
    {
      ownerDied: true,
      onEvent: (event) => {
        if (event.type === "log") parts.notice(event.line);
      },
    },
  );
  session.open();
  try {
    session.log("warn", describeDeath(parts, operation, leaseLeftMs));
    const tasks = await parts.catalog.listTasks(operation.id);
    await endWorkers(parts, tasks);
    await recordLost(parts, owner, tasks);
    const left: Left = { operation, tasks, owner };
    await runByKind(parts, session, operation.kind, (steps) => queueAgain(parts, left, steps));
    session.log("warn", await describeEnd(parts, operation));
  } finally {
    await session.close();
  }
}

/** An operation that a dead process left, its tasks as that one left them, and who has it now. */
interface Left {
  readonly operation: Operation;
  readonly tasks: readonly OperationTask[];
  readonly owner: string;
}

/** The same steps, but what may begin again is put back into the queue where it would end as interrupted. */
function queueAgain<Observation, Action>(
  parts: EngineParts,
  { operation, tasks, owner }: Left,
  steps: Steps<Observation, Action>,
): Steps<Observation, Action> {
  return {
    ...steps,
    finish: async (end) => {
      if (!returnsToQueue(operation, tasks, end.failure)) return await steps.finish(end);
      await parts.catalog.returnToQueue(operation.id, owner);
      parts.queue.ring();
    },
  };
}

/**
 * Returns when no worker of the dead owner runs any more, so that nothing changes what is looked at next. Of one on
 * another machine nothing is seen: it is given the time that a worker has after its parent.
 */
async function endWorkers(parts: EngineParts, tasks: readonly OperationTask[]): Promise<void> {
  const running = tasks.filter((task) => task.state === "running");
  const deadline = performance.now() + workerGraceMs;
  const mayRun = (task: OperationTask): boolean =>
    // Its owner died before it could note the process: it had no time to be older than this.
    task.worker === undefined
      ? parts.clock.nowMs() - task.startedAtMs < workerGraceMs
      : parts.processes.observe(task.worker) !== "dead";
  while (running.some(mayRun) && performance.now() < deadline) await sleep(50);
  for (const { worker } of running) if (worker !== undefined) parts.processes.killWorker(worker);
}

async function recordLost(parts: EngineParts, owner: string, tasks: readonly OperationTask[]): Promise<void> {
  for (const task of tasks) {
    const isLost = task.state === "running" || task.state === "lost";
    if (isLost && isRepeatable(task)) await parts.catalog.removeTask(task, owner);
    else if (task.state === "running") {
      await parts.catalog.updateTask(task, owner, { state: "lost", finishedAtMs: parts.clock.nowMs() });
    }
  }
}

function describeDeath(parts: EngineParts, operation: Operation, leaseLeftMs: number): string {
  const silentMs = parts.leaseSeconds * 1000 - leaseLeftMs;
  const heardAtMs = parts.clock.nowMs() - silentMs;
  // After a restart of the machine the lease's clock tells nothing.
  const when =
    silentMs >= 0 && heardAtMs > operation.createdAtMs
      ? ` It was last heard of at ${new Date(heardAtMs).toISOString()}.`
      : "";
  return `${operation.id} was left by a process that died.${when}`;
}

async function describeEnd(parts: EngineParts, { id }: Operation): Promise<string> {
  const operation = await parts.catalog.getOperation(id);
  const end = operation?.end;
  if (operation !== undefined && isWaiting(operation)) return `${id} waits for its turn again.`;
  if (end === undefined) return `${id} is still open.`;
  if (end.outcome === "Completed") return `${id} had done all its work and was recorded as completed.`;
  return `${id} was ended as ${end.outcome}: ${end.failure?.message ?? ""}`;
}
