import { Failure } from "../core/failure.ts";
import { isHandedOver, type OperationTask } from "../core/operation/operation.ts";
import type { OpenOperation } from "../core/ports/catalog.ts";
import { OperationSession } from "./operation-session.ts";
import { makeLogLine, type EngineParts } from "./parts.ts";
import { runByKind } from "./run-by-kind.ts";
import { carryOutInBackground, unattended } from "./service-call.ts";

/**
 * Takes on what a server that ended in good order has handed over, with the workers that run on, and carries it out in
 * the background: same attempt, nothing read twice. Only where the workers are on this machine; elsewhere another server
 * does, or their lease runs out. Each is taken by exactly one caller. Never rejects because of one operation.
 */
export async function adoptHandedOver(parts: EngineParts): Promise<void> {
  for (const open of await parts.catalog.listOpenOperations()) {
    if (!isHandedOver(open.operation) || open.leaseLeftMs <= 0) continue;
    try {
      await adopt(parts, open);
    } catch (error) {
      const message = `${open.operation.id} could not be taken on: ${Failure.from(error).message}`;
      parts.notice(makeLogLine(parts, "warn", message));
    }
  }
}

async function adopt(parts: EngineParts, { operation }: OpenOperation): Promise<void> {
  const { id, kind, leaseOwner: from } = operation;
  const tasks = await parts.catalog.listTasks(id);
  const running = tasks.filter((task) => task.attempt === operation.attempt && task.state === "running");
  if (!running.every((task) => isHere(parts, task))) return;
  const leaseOwner = parts.processes.identifyThisProcess(parts.ids.hex(8));
  if (!(await parts.catalog.takeOver(id, from, leaseOwner, { seconds: parts.leaseSeconds }))) return;
  const session = new OperationSession(parts, { id, leaseOwner }, unattended(parts));
  session.open();
  session.log("info", `${id} goes on in the next process, with ${running.length} running tasks.`);
  carryOutInBackground(parts, id, async () => {
    try {
      for (const task of running) await session.adoptTask(task);
      await runByKind(parts, session, kind);
    } finally {
      await session.close();
      parts.queue.ring();
    }
  });
}

const isHere = (parts: EngineParts, { worker }: OperationTask): boolean =>
  worker === undefined || parts.processes.observe(worker) !== "unknown";
