import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../core/failure.ts";
import { nobody, type OperationEnd } from "../core/operation/operation.ts";
import type { EngineParts } from "./parts.ts";

const cancelledInQueue = (parts: EngineParts, id: string): OperationEnd => ({
  finishedAtMs: parts.clock.nowMs(),
  outcome: "Cancelled",
  failure: {
    code: "cancelled",
    message: `${id} was cancelled while it waited for its turn. Nothing of it had begun.`,
    retry: "never",
  },
});

/** The owner looks about once a second, and its workers have ten seconds to stop. */
const waitMs = 15_000;

/**
 * Asks whoever runs the operation to cancel it, and waits for its end, but not for ever. Rejects with
 * `already-finished`.
 */
export async function requestCancel(parts: EngineParts, id: string): Promise<void> {
  // Of what has not begun there is nothing to stop.
  if (await parts.catalog.finishOperation(id, nobody, cancelledInQueue(parts, id))) return parts.queue.ring();
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
