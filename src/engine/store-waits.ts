import { nextStoreWait } from "../core/admission/store-wait.ts";
import type { FailureRecord } from "../core/failure.ts";
import { classifyFailure } from "../core/operation/decide-retry.ts";
import { storesOf } from "./operation-queue.ts";
import type { EngineParts } from "./parts.ts";

/** A store that is away, or throttles, is so for all: notes it, and says until when nobody is sent there; else 0. */
export async function noteStoreWait(
  { catalog, clock }: EngineParts,
  failure: FailureRecord,
): Promise<number> {
  const kind = classifyFailure(failure);
  const { store, retryAfterMs } = failure;
  if (store === undefined || (kind !== "away" && kind !== "throttled")) return 0;
  const known = (await catalog.observeQueue()).storeWaits.find((wait) => wait.store === store);
  const met = { store, kind, nowMs: clock.nowMs() };
  const wait = nextStoreWait(known, retryAfterMs === undefined ? met : { ...met, retryAfterMs });
  if (wait !== known) await catalog.putStoreWait(wait);
  return wait.untilMs;
}

/** A task of the operation has ended well: the stores that it needed answer. */
export async function noteStoreAnswers({ catalog, queue }: EngineParts, operationId: string): Promise<void> {
  if (queue.storeWaits.length === 0) return;
  const operation = await catalog.getOperation(operationId);
  const stores = operation === undefined ? [] : storesOf(operation);
  for (const { store } of queue.storeWaits) if (stores.includes(store)) await catalog.removeStoreWait(store);
  queue.ring();
}
