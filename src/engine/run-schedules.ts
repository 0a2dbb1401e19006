import { Failure } from "../core/failure.ts";
import { isWaiting } from "../core/operation/operation.ts";
import type { DefinitionRecord } from "../core/ports/definition-records.ts";
import type { SlotsToRecord } from "../core/ports/schedule-records.ts";
import {
  decideSchedule,
  type ScheduleDecision,
  type SlotDecision,
} from "../core/schedule/decide-schedules.ts";
import type { Schedule } from "../core/schedule/schedule.ts";
import { startTooLate } from "../core/schedule/start-too-late.ts";
import { askToCancel, endWaiting } from "./cancel-operation.ts";
import { makeLogLine, type EngineParts } from "./parts.ts";
import type { BackupRequest } from "./run-backup.ts";
import { prepareSlotBackup } from "./schedule-backup.ts";
import { scheduleOf } from "./schedules.ts";

/** How often is looked for what others have changed: a schedule, or a backup on another machine. */
const lookMs = 10_000;

/** What is known of a schedule since it was last looked at. */
export interface Look {
  readonly revision: number;
  readonly atMs: number;
  readonly againAtMs: number;
}

/**
 * Answers the slots of all schedules when they are due, and ends what waits in the queue and came too late for its
 * window, until it is stopped. Any number of servers may do so on one catalog: each slot gets one answer. Never rejects.
 */
export async function runSchedules(parts: EngineParts, stopping: AbortSignal): Promise<void> {
  const looks = new Map<string, Look>();
  let isAway = false;
  while (!stopping.aborted) {
    let againAtMs = parts.clock.nowMs() + lookMs;
    try {
      againAtMs = Math.min(againAtMs, await lookAtSchedules(parts, looks));
      await endExpired(parts);
      isAway = false;
    } catch (error) {
      // Said once: it may last for hours.
      const { message } = Failure.from(error);
      if (!isAway) parts.notice(makeLogLine(parts, "warn", `No schedule can be looked at now: ${message}`));
      isAway = true;
    }
    await parts.scheduleBell.waitForRing(againAtMs - parts.clock.nowMs(), stopping);
  }
}

/**
 * Does what is due. Returns when to look again; a schedule whose backup has not ended is looked at every `pollMs`, for
 * that end may come from another machine, which rings no bell here.
 */
export async function lookAtSchedules(
  parts: EngineParts,
  looks: Map<string, Look>,
  pollMs = lookMs,
): Promise<number> {
  const { definitions } = await parts.catalog.listDefinitions({ kind: "schedule" });
  let firstMs = Infinity;
  for (const definition of definitions) {
    const name = nameOf(definition);
    const known = looks.get(name);
    const nowMs = parts.clock.nowMs();
    // A clock that was set back makes what was concluded from it worthless.
    const isKnown = known?.revision === definition.revision && known.atMs <= nowMs && nowMs < known.againAtMs;
    const againAtMs = isKnown ? known.againAtMs : await lookAtSchedule(parts, definition, { nowMs, pollMs });
    if (!isKnown) looks.set(name, { revision: definition.revision, atMs: nowMs, againAtMs });
    firstMs = Math.min(firstMs, againAtMs);
  }
  if (looks.size > definitions.length) forgetOthers(looks, definitions);
  return firstMs;
}

function forgetOthers(looks: Map<string, Look>, definitions: readonly DefinitionRecord[]): void {
  const names = new Set(definitions.map(nameOf));
  for (const name of looks.keys()) if (!names.has(name)) looks.delete(name);
}

const nameOf = ({ projectId, name }: DefinitionRecord): string => `${projectId}/${name}`;

/** One schedule that cannot be looked at keeps no other one waiting. */
async function lookAtSchedule(
  parts: EngineParts,
  definition: DefinitionRecord,
  { nowMs, pollMs }: { readonly nowMs: number; readonly pollMs: number },
): Promise<number> {
  try {
    const schedule = scheduleOf(definition);
    const facts = await parts.catalog.observeSchedule(definition, nowMs);
    const decision = decideSchedule(nowMs, { schedule, ...facts });
    if (!(await recordAnswers(parts, decision, { nowMs, accountedUntilMs: facts.accountedUntilMs })))
      return nowMs;
    for (const id of decision.cancels) {
      await askToCancel(
        parts,
        id,
        `Its schedule ${schedule.name} was due again, and cancels what has not ended.`,
      );
    }
    const isOpen = facts.open.length > 0 || decision.slots.some(({ run }) => run);
    return Math.min(decision.lookAtMs ?? Infinity, isOpen ? nowMs + pollMs : Infinity);
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.code === "catalog-unreachable") throw failure;
    parts.notice(makeLogLine(parts, "error", `Schedule ${nameOf(definition)}: ${failure.message}`));
    return nowMs + pollMs;
  }
}

/** False: another server was faster. */
async function recordAnswers(
  parts: EngineParts,
  { schedule, slots }: ScheduleDecision,
  seen: Pick<SlotsToRecord, "nowMs" | "accountedUntilMs">,
): Promise<boolean> {
  if (slots.length === 0) return true;
  const key = { projectId: schedule.projectId, name: schedule.name };
  const answers = await Promise.all(slots.map(async (slot) => await toAnswer(parts, schedule, slot)));
  const isRecorded = await parts.catalog.recordSlots({ key, cause: "due", ...seen, slots: answers });
  if (!isRecorded) return false;
  tell(parts, schedule, answers);
  if (answers.some(({ outcome }) => outcome === "ran")) parts.queue.ring();
  return true;
}

type Answer = SlotsToRecord["slots"][number];

async function toAnswer(parts: EngineParts, schedule: Schedule, slot: SlotDecision): Promise<Answer> {
  const { slotMs } = slot;
  if (!slot.run) return { slotMs, outcome: slot.reason, message: slot.message };
  try {
    const operation = await prepareSlotBackup(parts, schedule, { slotMs, limits: slot.limits });
    return { slotMs, outcome: "ran", operation };
  } catch (error) {
    const failure = Failure.from(error);
    // It may succeed the next time: the slot stays due, and is looked at again.
    if (failure.kind === "failed") throw failure;
    return { slotMs, outcome: "refused", message: failure.message };
  }
}

function tell(parts: EngineParts, { projectId, name }: Schedule, answers: readonly Answer[]): void {
  for (const { slotMs, outcome, message } of answers) {
    const slot = `The slot ${new Date(slotMs).toISOString()} of schedule ${name} (project ${projectId})`;
    if (outcome === "ran") parts.notice(makeLogLine(parts, "info", `${slot} has its backup in the queue.`));
    else if (outcome === "missed" || outcome === "refused")
      parts.notice(makeLogLine(parts, "warn", `${slot} has no backup (${outcome}): ${message ?? ""}`));
  }
}

/** What waits and has to begin before an instant that has passed. */
export async function endExpired(parts: EngineParts): Promise<void> {
  const { open } = await parts.catalog.observeQueue();
  for (const operation of open) {
    if (operation.kind !== "backup" || !isWaiting(operation)) continue;
    const { scheduled } = operation.spec as BackupRequest;
    const failure = startTooLate(operation, scheduled, parts.clock.nowMs());
    if (failure === undefined || !(await endWaiting(parts, operation.id, failure))) continue;
    parts.notice(makeLogLine(parts, "warn", failure.message), operation);
  }
}
