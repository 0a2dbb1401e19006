import type { Finding } from "../contract/worker-task.ts";
import { toKnownPlaces, type FoundPlace, type KnownPlaces } from "../core/admission/found-place.ts";
import type { FailureRecord } from "../core/failure.ts";
import type { Operation } from "../core/operation/operation.ts";
import type { EngineParts } from "./parts.ts";
import type { WorkerOutcome } from "./run-worker.ts";

type Held = Pick<Operation, "id" | "leaseOwner">;

/**
 * A task that looks before anything is changed has said what the places of its operation are. From here on they are this
 * operation's alone; where another one has them, under whatever name, the task has failed. Idempotent.
 */
export async function holdFound(
  parts: EngineParts,
  operation: Held,
  outcome: WorkerOutcome,
): Promise<WorkerOutcome> {
  if (outcome.state !== "done") return outcome;
  const { found, result } = await takeFinding(parts, outcome.result);
  if (found.length === 0) return outcome;
  const failure = await holdPlaces(parts, operation, found);
  return failure === undefined ? { state: "done", result } : { state: "failed", failure };
}

/** Keeps what a task has found out of places, and returns its result without that. */
export async function takeFinding<Result extends object>(
  { catalog, clock }: EngineParts,
  { found = [], ...result }: Result & Finding,
): Promise<{ readonly found: readonly FoundPlace[]; readonly result: Omit<Result & Finding, "found"> }> {
  if (found.length > 0) await catalog.rememberPlaces(found, clock.nowMs());
  return { found, result };
}

/**
 * Why the operation may not work on the places; undefined: it may, until it ends. A backup that a person waits for reads
 * beside other backups, as it begins beyond the limits: that harms nothing.
 */
export async function holdPlaces(
  { catalog }: EngineParts,
  { id, leaseOwner }: Held,
  found: readonly FoundPlace[],
): Promise<FailureRecord | undefined> {
  const operation = await catalog.getOperation(id);
  const isByHand = operation?.kind === "backup" && operation.admittedAtMs === undefined;
  const hold = await catalog.holdPlaces(id, leaseOwner, {
    names: found.flatMap(({ names }) => names),
    beside: isByHand ? ["backup"] : [],
  });
  if (hold.type !== "busy") return undefined;
  const { place = hold.name } = found.find(({ names }) => names.includes(hold.name)) ?? {};
  return {
    code: "place-busy",
    message:
      `Another operation works on ${place} at this moment, perhaps under another name of it, and one at a time may. ` +
      "Nothing was changed. Wait for its end, or cancel it.",
    retry: "backoff",
  };
}

/** What is known of all places that anybody has stood before. */
export async function readKnownPlaces({ catalog }: EngineParts): Promise<KnownPlaces> {
  return toKnownPlaces(await catalog.listKnownPlaces());
}
