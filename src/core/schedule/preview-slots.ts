import { windowAtOrAfter } from "./backup-window.ts";
import { cronTimesOf } from "./decide-schedules.ts";
import { startOf, type Schedule } from "./schedule.ts";

/** A time to come, as far as it can be told. */
export interface ComingSlot {
  readonly slotMs: number;
  /** When its backup may begin; absent: it is passed over, because no window opens before the next slot. */
  readonly startMs?: number;
}

/** The next slots of a schedule with times. */
export function previewSlots(schedule: Schedule, nowMs: number, count: number): ComingSlot[] {
  const times = cronTimesOf(schedule);
  const coming: ComingSlot[] = [];
  let slotMs = times.nextAfter(Math.max(nowMs, startOf(schedule, nowMs)));
  while (slotMs !== undefined && coming.length < count) {
    const next = times.nextAfter(slotMs);
    const startMs = beginOf(schedule, slotMs);
    const latestMs = Math.min(next ?? Infinity, slotMs + (schedule.startWithinSeconds ?? Infinity) * 1000);
    coming.push({ slotMs, ...(startMs < latestMs ? { startMs } : {}) });
    slotMs = next;
  }
  return coming;
}

function beginOf({ windows, timeZone }: Schedule, slotMs: number): number {
  return windows.length === 0 ? slotMs : Math.max(slotMs, windowAtOrAfter(windows, slotMs, timeZone).openMs);
}
