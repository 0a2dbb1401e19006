import { Failure } from "../core/failure.ts";
import type { Operation } from "../core/operation/operation.ts";
import type { QueueClaim, QueueObservation } from "../core/ports/catalog.ts";
import { makeLogLine, type EngineParts } from "./parts.ts";
import { carryOutBackup } from "./run-backup.ts";
import { carryOutRestore } from "./run-restore.ts";
import { carryOutInBackground, unattended } from "./service-call.ts";

/** How often the queue is looked at although nothing happened here: another machine may have ended something. */
const lookMs = 3_000;

/**
 * Begins what waits, as far as the limits let it, whenever something was added or has ended, and carries it out in the
 * background. Resolves when it is stopped: nothing is begun any more, and what runs goes on. Never rejects.
 */
export async function runQueue(parts: EngineParts, stopping: AbortSignal): Promise<void> {
  let isAway = false;
  while (!stopping.aborted) {
    try {
      await beginNext(parts);
      isAway = false;
    } catch (error) {
      // Said once: it may last for hours.
      const { message } = Failure.from(error);
      if (!isAway)
        parts.notice(makeLogLine(parts, "warn", `Nothing that waits can be begun now: ${message}`));
      isAway = true;
    }
    await parts.queue.waitForRing(lookMs, stopping);
  }
}

async function beginNext(parts: EngineParts): Promise<void> {
  const claim = { seconds: parts.leaseSeconds, nowMs: parts.clock.nowMs() };
  // Most looks find nothing that could begin: they need no lock.
  if (choose(parts, await parts.catalog.observeQueue()).length === 0) return;
  for (const operation of await parts.catalog.admit((queue) => choose(parts, queue), claim)) {
    carryOutInBackground(parts, operation.id, () => carryOut(parts, operation));
  }
}

const choose = (parts: EngineParts, queue: QueueObservation): QueueClaim[] =>
  parts.queue
    .decide(queue)
    .filter(({ admit }) => admit)
    .map(({ id }) => ({ id, owner: parts.processes.identifyThisProcess(parts.ids.hex(8)) }));

async function carryOut(parts: EngineParts, operation: Operation): Promise<void> {
  try {
    if (operation.kind === "backup") await carryOutBackup(parts, operation, unattended(parts));
    else await carryOutRestore(parts, operation, unattended(parts));
  } finally {
    parts.queue.ring();
    parts.scheduleBell.ring();
  }
}
