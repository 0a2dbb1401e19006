import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { placesOf } from "../core/admission/operation-place.ts";
import { Failure } from "../core/failure.ts";
import { dueSummary } from "../core/notification/due-summary.ts";
import {
  happeningOf,
  hasMissedItsWindow,
  isFinished,
  missedOf,
  missedOutcomes,
  stalledOf,
  summaryOf,
  type Happening,
} from "../core/notification/happening.ts";
import { nextTry } from "../core/notification/next-try.ts";
import type { Notification } from "../core/notification/notification.ts";
import { isWaiting, type Operation } from "../core/operation/operation.ts";
import type { DefinitionRecord } from "../core/ports/definition-records.ts";
import type { Delivery, NewDelivery } from "../core/ports/notification-records.ts";
import { countDay } from "./count-day.ts";
import { notificationOf, sendOnce } from "./notifications.ts";
import { namedBy } from "./operation-queue.ts";
import { makeLogLine, type EngineParts } from "./parts.ts";
import { readProject } from "./read-project.ts";
import type { BackupRequest } from "./run-backup.ts";

const lookMs = 3_000;
/** What ended while no server ran is still told for so long. */
const horizonMs = 3 * 24 * 3_600_000;
/** Between what ended and what was looked for before: clocks of machines differ, and records come late. */
const overlapMs = 10 * 60_000;
const mostAtOnce = 1_000;
/** A sender that is not heard of for so long is taken for dead. */
const claimMs = 120_000;
/** So that one slow receiver does not keep the others waiting. */
const sendersAtOnce = 3;
const keptMs = 90 * 24 * 3_600_000;
/** Where many things are backed up, the operation before one lies behind those of all others. */
const earlierLooked = 2_000;
const earlierAtOnce = 100;

type Definition = Notification & { readonly createdAtMs: number };

/**
 * Tells people what they asked to be told, until it is stopped: finds what happened in the catalog, notes once what is to
 * be told to whom, and tries until it arrived. Any number of servers may do this at once. Never rejects, and nothing
 * waits for it: a receiver that is away disturbs no backup.
 */
export async function runNotifications(parts: EngineParts, stopping: AbortSignal): Promise<void> {
  let sinceMs = parts.clock.nowMs() - horizonMs;
  let isAway = false;
  while (!stopping.aborted) {
    try {
      const lookedAtMs = parts.clock.nowMs();
      await planNew(parts, sinceMs);
      sinceMs = Math.max(sinceMs, lookedAtMs - overlapMs);
      await Promise.all(Array.from({ length: sendersAtOnce }, async () => await deliverAll(parts, stopping)));
      await parts.catalog.forgetDeliveries(lookedAtMs - keptMs);
      isAway = false;
    } catch (error) {
      // Said once: it may last for hours.
      const message = `Nobody can be notified now: ${Failure.from(error).message}`;
      if (!isAway) parts.notice(makeLogLine(parts, "warn", message));
      isAway = true;
    }
    await sleep(lookMs, undefined, { signal: stopping }).catch(() => undefined);
  }
}

/** Notes what happened since an instant for everybody who wants to hear of it. Idempotent. */
async function planNew(parts: EngineParts, sinceMs: number): Promise<void> {
  const { definitions } = await parts.catalog.listDefinitions({ kind: "notification" });
  if (definitions.length === 0) return;
  const notifications = definitions.map((record: DefinitionRecord): Definition => ({
    ...notificationOf(record),
    createdAtMs: record.createdAtMs,
  }));
  const happenings = [
    ...(await findEnds(parts, sinceMs)),
    ...(await findMissed(parts, sinceMs)),
    ...(notifications.some(({ events }) => events.includes("stalled")) ? await findStalled(parts) : []),
  ];
  const deliveries = happenings.flatMap((happening) =>
    notifications.filter((one) => wants(one, happening)).map((one) => toDelivery(parts, one, happening)),
  );
  for (const one of notifications) {
    const summary = one.events.includes("summary") ? await findSummary(parts, one) : undefined;
    if (summary !== undefined) deliveries.push(toDelivery(parts, one, summary));
  }
  await parts.catalog.planDeliveries(deliveries);
}

/** What happened before anybody asked is not told. */
function wants({ projectId, events, createdAtMs }: Definition, happening: Happening): boolean {
  const isOurs = projectId === "" || projectId === happening.projectId;
  return (
    isOurs &&
    happening.event !== "test" &&
    events.includes(happening.event) &&
    Date.parse(happening.at) >= createdAtMs
  );
}

const toDelivery = (
  { clock }: EngineParts,
  { projectId, name }: Notification,
  happening: Happening,
): NewDelivery => ({
  id: `msg_${createHash("sha256").update(`${happening.id}\n${projectId}\n${name}`).digest("hex").slice(0, 32)}`,
  projectId,
  name,
  happening,
  createdAtMs: clock.nowMs(),
});

async function findEnds(parts: EngineParts, sinceMs: number): Promise<Happening[]> {
  const found: Happening[] = [];
  for (let fromMs = sinceMs; ;) {
    const finished = await parts.catalog.listFinishedOperations({ sinceMs: fromMs, limit: mostAtOnce });
    for (const operation of finished) {
      if (!isFinished(operation)) continue;
      const before =
        operation.end.outcome === "Completed" ? await outcomeBefore(parts, operation) : undefined;
      const happening = happeningOf(operation, before, (operation.spec as BackupRequest).scheduled);
      if (happening !== undefined) found.push(happening);
    }
    const lastMs = finished.at(-1)?.end?.finishedAtMs;
    if (finished.length < mostAtOnce || lastMs === undefined) return found;
    // Many ends in one millisecond are no reason to look at them for ever.
    fromMs = Math.max(lastMs, fromMs + 1);
  }
}

async function findMissed({ catalog }: EngineParts, recordedSinceMs: number): Promise<Happening[]> {
  const found: Happening[] = [];
  for (const outcome of missedOutcomes) {
    for (let offset = 0, isMore = true; isMore; offset += mostAtOnce) {
      const { slots } = await catalog.listSlots({ outcome, recordedSinceMs, limit: mostAtOnce, offset });
      found.push(...slots.map(missedOf).filter((one) => one !== undefined));
      isMore = slots.length === mostAtOnce;
    }
  }
  return found;
}

async function findStalled({ catalog }: EngineParts): Promise<Happening[]> {
  const found: Happening[] = [];
  for (const { operation } of await catalog.listOpenOperations()) {
    if (isWaiting(operation)) continue;
    const tasks = await catalog.listTasks(operation.id);
    const running = tasks.filter(
      ({ attempt, state }) => attempt === operation.attempt && state === "running",
    );
    found.push(...running.map((task) => stalledOf(operation, task)).filter((one) => one !== undefined));
  }
  return found;
}

/** How the last operation of the same kind on the same things ended before this one did. */
async function outcomeBefore(
  { catalog }: EngineParts,
  operation: Operation,
): Promise<"Completed" | "Failed" | undefined> {
  const { kind, projectId, id } = operation;
  const series = seriesOf(operation);
  for (let offset = 0; offset < earlierLooked; offset += earlierAtOnce) {
    const page = await catalog.listOperations({ kind, projectId, limit: earlierAtOnce, offset });
    const earlier = page.operations
      .filter((one) => one.id !== id && seriesOf(one) === series)
      .filter((one) => (one.end?.finishedAtMs ?? Infinity) <= (operation.end?.finishedAtMs ?? 0))
      .filter((one) => one.end?.outcome !== "Cancelled" && !hasMissedItsWindow(one))
      .toSorted((a, b) => (b.end?.finishedAtMs ?? 0) - (a.end?.finishedAtMs ?? 0));
    const outcome = earlier[0]?.end?.outcome;
    if (outcome !== undefined && outcome !== "Cancelled") return outcome;
    if (page.operations.length < earlierAtOnce) return undefined;
  }
  return undefined;
}

/** What an operation reads or writes: operations of the same series replace each other. */
const seriesOf = (operation: Operation): string => JSON.stringify(placesOf(namedBy(operation)));

async function findSummary(parts: EngineParts, notification: Definition): Promise<Happening | undefined> {
  const { projectId, summaryAt, createdAtMs } = notification;
  const timeZone = projectId === "" ? "UTC" : (await readProject(parts, projectId)).timeZone;
  const nowMs = parts.clock.nowMs();
  const date = dueSummary(nowMs, timeZone, summaryAt);
  // Not on the day on which it was asked for, when its time of day had passed already.
  if (date === undefined || dueSummary(createdAtMs, timeZone, summaryAt) === date) return undefined;
  return summaryOf(projectId, date, nowMs, await countDay(parts, projectId, nowMs));
}

async function deliverAll(parts: EngineParts, stopping: AbortSignal): Promise<void> {
  for (let isMore = true; isMore && !stopping.aborted;) isMore = await deliverNext(parts);
}

/** Tries the delivery that is due for longest. False: there is none. */
async function deliverNext(parts: EngineParts): Promise<boolean> {
  const nowMs = parts.clock.nowMs();
  const delivery = await parts.catalog.claimDelivery(nowMs, nowMs + claimMs);
  if (delivery === undefined) return false;
  const record = await parts.catalog.getDefinition({
    kind: "notification",
    projectId: delivery.projectId,
    name: delivery.name,
  });
  if (record === undefined) {
    await parts.catalog.recordDelivery(delivery.id, {
      state: "given-up",
      error: "The notification was deleted.",
    });
    return true;
  }
  await deliver(parts, notificationOf(record), delivery);
  return true;
}

async function deliver(parts: EngineParts, notification: Notification, delivery: Delivery): Promise<void> {
  const { id, happening, tries, createdAtMs } = delivery;
  const what = `${id} ("${happening.title}") for the notification ${notification.name}`;
  try {
    await sendOnce(parts, notification, id, happening);
    await parts.catalog.recordDelivery(id, { state: "delivered", deliveredAtMs: parts.clock.nowMs() });
    parts.notice(makeLogLine(parts, "info", `Delivered ${what}.`));
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.code === "catalog-unreachable" || failure.code === "catalog-failed") throw failure;
    const dueAtMs =
      failure.code === "notification-failed" && failure.retry === "never"
        ? undefined
        : nextTry(tries, createdAtMs, parts.clock.nowMs());
    const reason = failure.message;
    if (dueAtMs === undefined) {
      await parts.catalog.recordDelivery(id, { state: "given-up", error: reason });
      parts.notice(makeLogLine(parts, "error", `Gave up ${what}: ${reason}`));
    } else {
      await parts.catalog.recordDelivery(id, { state: "due", dueAtMs, error: reason });
      if (tries === 1)
        parts.notice(makeLogLine(parts, "warn", `${what} did not arrive and is tried again: ${reason}`));
    }
  }
}
