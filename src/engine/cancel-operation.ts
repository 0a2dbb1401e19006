import { setTimeout as sleep } from "node:timers/promises";
import { Failure, type FailureRecord } from "../core/failure.ts";
import { nobody } from "../core/operation/operation.ts";
import { makeLogLine, type EngineParts } from "./parts.ts";

const cancelledInQueue = (id: string): FailureRecord => ({
  code: "cancelled",
  message: `${id} was cancelled while it waited for its turn. Nothing of it had begun.`,
  retry: "never",
});

/** Ends what waits for its turn. False: it does not, or not any more. */
export async function endWaiting(parts: EngineParts, id: string, failure: FailureRecord): Promise<boolean> {
  const end = { finishedAtMs: parts.clock.nowMs(), outcome: "Cancelled", failure } as const;
  if (!(await parts.catalog.finishOperation(id, nobody, end))) return false;
  parts.queue.ring();
  parts.scheduleBell.ring();
  return true;
}

/** Cancels what waits or runs, for a reason that its log tells, and waits for nothing. */
export async function askToCancel(parts: EngineParts, id: string, reason: string): Promise<void> {
  await parts.catalog.appendLog(id, makeLogLine(parts, "warn", `Cancelled: ${reason}`));
  const failure: FailureRecord = {
    code: "cancelled",
    message: `${id} was cancelled. ${reason}`,
    retry: "never",
  };
  if (!(await endWaiting(parts, id, failure))) await parts.catalog.requestCancel(id);
}

/** The owner looks about once a second, and its workers have ten seconds to stop. */
const waitMs = 15_000;

/**
 * Asks whoever runs the operation to cancel it, and waits for its end, but not for ever. Rejects with
 * `already-finished`.
 */
export async function requestCancel(parts: EngineParts, id: string): Promise<void> {
  // Of what has not begun there is nothing to stop.
  if (await endWaiting(parts, id, cancelledInQueue(id))) return;
  if (!(await parts.catalog.requestCancel(id))) {
    const outcome = (await parts.catalog.getOperation(id))?.end?.outcome ?? "Completed";
    throw new Failure(
      "already-finished",
      `${id} has already ended (${outcome}), so there is nothing to cancel.`,
    );
  }
  const deadline = performance.now() + waitMs;
  while (performance.now() < deadline) {
    if ((await parts.catalog.getOperation(id))?.end !== undefined) return;
    await sleep(100);
  }
}
