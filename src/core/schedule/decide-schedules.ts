import { windowAtOrAfter, type OpenWindow } from "./backup-window.ts";
import { readCron, type CronTimes } from "./cron-times.ts";
import { rpoDueMs, type EndedBackup } from "./rpo-times.ts";
import { graceMs, startOf, type Schedule, type SkipReason, type StartLimits } from "./schedule.ts";
import { effectiveCron } from "./spread.ts";

/** A backup that the schedule asked for, and that has not ended. */
export interface OpenBackup {
  readonly id: string;
  readonly slotMs: number;
  /** It has not begun. */
  readonly isWaiting: boolean;
  readonly cancelRequested: boolean;
}

export interface ScheduleObservation {
  readonly schedule: Schedule;
  /** Slots up to this one have an answer; absent: none was ever given. */
  readonly accountedUntilMs?: number;
  /** By slot, oldest first. */
  readonly open: readonly OpenBackup[];
  /** Ended ones that the schedule asked for, newest first; a few are enough. */
  readonly ended: readonly EndedBackup[];
}

export interface ScheduleDecision {
  readonly schedule: Schedule;
  /** Answers to the slots that are due, in their order; one of them at most is run. */
  readonly slots: readonly SlotDecision[];
  /** To be cancelled, for a newer one takes their place. */
  readonly cancels: readonly string[];
  /** A slot that is due and has to wait. */
  readonly waits?: { readonly slotMs: number; readonly untilMs: number; readonly reason: string };
  /** When to look again although nothing has changed; absent: never. */
  readonly lookAtMs?: number;
}

export type SlotDecision =
  | { readonly slotMs: number; readonly run: true; readonly limits: StartLimits }
  | {
      readonly slotMs: number;
      readonly run: false;
      readonly reason: SkipReason;
      readonly message: string;
    };

/** Of what nobody has recorded anything, as when the catalog was lost, no more than this is looked back on. */
const unknownPastMs = 7 * 24 * 3_600_000;
/** Answers in one look. The next one comes at once. */
const slotsAtOnce = 500;

/** What is to be done for each schedule now. Pure: the same slots get the same answers whoever looks. */
export const decideSchedules = (
  nowMs: number,
  seen: readonly ScheduleObservation[],
): readonly ScheduleDecision[] => seen.map((one) => decideSchedule(nowMs, one));

export function decideSchedule(nowMs: number, seen: ScheduleObservation): ScheduleDecision {
  const decided = seen.schedule.cron === undefined ? decideRpo(nowMs, seen) : decideCron(nowMs, seen);
  return { ...decided, cancels: findReplaced(seen, decided.slots) };
}

type Decided = Omit<ScheduleDecision, "cancels">;

function decideCron(nowMs: number, seen: ScheduleObservation): Decided {
  const { schedule } = seen;
  const times = cronTimesOf(schedule);
  const { due, next } = dueSlots(times, accountedUntil(nowMs, seen), nowMs);
  const last = due.at(-1);
  if (last === undefined) return { schedule, slots: [], ...lookAt(next) };
  const passed = due
    .slice(0, -1)
    .map((slotMs, index) => passOver(nowMs, schedule, slotMs, due[index + 1] ?? nowMs));
  // More were due than are answered at once: a later one takes the last one's place.
  if (next !== undefined && next <= nowMs) {
    return { schedule, slots: [...passed, passOver(nowMs, schedule, last, next)], lookAtMs: nowMs };
  }
  const answer = answerSlot(nowMs, seen, last);
  if ("untilMs" in answer) {
    return {
      schedule,
      slots: passed,
      waits: answer,
      ...lookAt(Math.min(answer.untilMs, next ?? answer.untilMs)),
    };
  }
  return { schedule, slots: [...passed, answer], ...lookAt(next) };
}

/** The times follow from what was backed up last, so there is one slot at most, and it is not missed but late. */
function decideRpo(nowMs: number, seen: ScheduleObservation): Decided {
  const { schedule, open } = seen;
  if (schedule.suspended || open.length > 0) return { schedule, slots: [] };
  const dueMs = rpoDueMs(nowMs, schedule, seen.accountedUntilMs, seen.ended);
  if (nowMs < dueMs) return { schedule, slots: [], lookAtMs: dueMs };
  const window = windowOf(schedule, nowMs);
  if (window !== undefined && nowMs < window.openMs) return waitFor(schedule, dueMs, window);
  return { schedule, slots: [{ slotMs: dueMs, run: true, limits: limitsOf(schedule, nowMs, window) }] };
}

function waitFor(schedule: Schedule, slotMs: number, { openMs }: OpenWindow): Decided {
  const waits = { slotMs, untilMs: openMs, reason: "its backup window is not open" };
  return { schedule, slots: [], waits, lookAtMs: openMs };
}

/** The newest slot that is due. */
function answerSlot(
  nowMs: number,
  seen: ScheduleObservation,
  slotMs: number,
): SlotDecision | NonNullable<ScheduleDecision["waits"]> {
  const { schedule } = seen;
  if (schedule.suspended) return skip(slotMs, "suspended", suspendedMessage);
  const first = windowOf(schedule, slotMs);
  const earliestMs = Math.max(slotMs, first?.openMs ?? slotMs);
  const startWithinMs = (schedule.startWithinSeconds ?? Infinity) * 1000;
  if (earliestMs >= slotMs + startWithinMs) return skip(slotMs, "window", windowMessage);
  if (nowMs < earliestMs) return { slotMs, untilMs: earliestMs, reason: "its backup window is not open" };
  const isLate =
    nowMs - earliestMs > Math.min(graceMs, startWithinMs) || nowMs >= (first?.closeMs ?? Infinity);
  if (isLate && schedule.missed === "skip") return skip(slotMs, "missed", missedMessage(slotMs, nowMs));
  const window = windowOf(schedule, nowMs);
  if (window !== undefined && nowMs < window.openMs) {
    return { slotMs, untilMs: window.openMs, reason: "it was missed, and its backup window is not open" };
  }
  return explainOverlap(seen, slotMs) ?? { slotMs, run: true, limits: limitsOf(schedule, nowMs, window) };
}

function explainOverlap({ schedule, open }: ScheduleObservation, slotMs: number): SlotDecision | undefined {
  const [before] = schedule.overlap === "queue" ? open.filter(({ isWaiting }) => isWaiting) : open;
  if (before === undefined || schedule.overlap === "cancel-previous") return undefined;
  const state = before.isWaiting ? "still waited for its turn" : "had not ended";
  return skip(slotMs, "overlap", `${before.id} ${state}.`);
}

/** A slot that came before another one that is due as well. */
function passOver(nowMs: number, schedule: Schedule, slotMs: number, nextSlotMs: number): SlotDecision {
  if (schedule.suspended) return skip(slotMs, "suspended", suspendedMessage);
  const window = windowOf(schedule, slotMs);
  const by = new Date(nextSlotMs).toISOString();
  if (window !== undefined && window.openMs >= nextSlotMs) return skip(slotMs, "window", windowMessage);
  if (nowMs - Math.max(slotMs, window?.openMs ?? slotMs) > graceMs) {
    return skip(slotMs, "missed", missedMessage(slotMs, nowMs));
  }
  return skip(slotMs, "superseded", `The slot of ${by} was due too, and is there for both.`);
}

/** With `cancel-previous`: what has not ended and is not the newest. */
function findReplaced({ schedule, open }: ScheduleObservation, slots: readonly SlotDecision[]): string[] {
  if (schedule.overlap !== "cancel-previous") return [];
  const replaced = slots.some(({ run }) => run) ? open : open.slice(0, -1);
  return replaced.filter(({ cancelRequested }) => !cancelRequested).map(({ id }) => id);
}

/** The times of a schedule that has `cron`; it was validated when it was made. */
export function cronTimesOf(schedule: Schedule): CronTimes {
  const times = readCron(effectiveCron(schedule.cron ?? "", schedule), schedule.timeZone);
  // Written by a program that knew more than this one: no times are better than wrong ones.
  return "problem" in times ? { nextAfter: () => undefined } : times;
}

function dueSlots(times: CronTimes, afterMs: number, nowMs: number): { due: number[]; next?: number } {
  const due: number[] = [];
  let next = times.nextAfter(afterMs);
  while (next !== undefined && next <= nowMs && due.length < slotsAtOnce) {
    due.push(next);
    next = times.nextAfter(next);
  }
  return { due, ...(next === undefined ? {} : { next }) };
}

function accountedUntil(nowMs: number, { schedule, accountedUntilMs }: ScheduleObservation): number {
  const known = accountedUntilMs ?? nowMs - unknownPastMs;
  return Math.max(known, startOf(schedule, nowMs));
}

function limitsOf(schedule: Schedule, nowMs: number, window: OpenWindow | undefined): StartLimits {
  const within =
    schedule.startWithinSeconds === undefined ? Infinity : nowMs + schedule.startWithinSeconds * 1000;
  const startBeforeMs = Math.min(within, window?.closeMs ?? Infinity);
  return {
    ...(startBeforeMs === Infinity ? {} : { startBeforeMs }),
    ...(window === undefined || schedule.windowEnd === "finish" ? {} : { stopAtMs: window.closeMs }),
  };
}

const windowOf = ({ windows, timeZone }: Schedule, ms: number): OpenWindow | undefined =>
  windows.length === 0 ? undefined : windowAtOrAfter(windows, ms, timeZone);

const lookAt = (ms: number | undefined): { lookAtMs?: number } => (ms === undefined ? {} : { lookAtMs: ms });

const skip = (slotMs: number, reason: SkipReason, message: string): SlotDecision => ({
  slotMs,
  run: false,
  reason,
  message,
});

const suspendedMessage = "The schedule was suspended.";
const windowMessage = "No backup window was open in time for it.";
const missedMessage = (slotMs: number, nowMs: number): string =>
  `No server saw it in time; the next look at it was at ${new Date(nowMs).toISOString()}, ` +
  `${Math.round((nowMs - slotMs) / 60_000)} minutes later.`;
