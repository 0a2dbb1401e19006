import { windowMinutes, type BackupWindow } from "./backup-window.ts";

/** Nicknames whose time is chosen, so that not all schedules are due at once. */
export const spreadNames = ["@hourly-random", "@daily-random", "@weekly-random", "@monthly-random"] as const;

/**
 * The expression that stands for `cron`: itself, or for a spread one a time that follows from the schedule's own name,
 * the same for ever. With windows it lies in the first half of one of them.
 */
export function effectiveCron(
  cron: string,
  schedule: {
    readonly projectId: string;
    readonly name: string;
    readonly windows: readonly BackupWindow[];
  },
): string {
  const pick = (what: string, below: number): number =>
    hash(`${schedule.projectId}/${schedule.name}/${what}`) % below;
  const minuteOfDay = pickMinute(schedule.windows, (below) => pick("minute", below));
  const time = `${minuteOfDay % 60} ${Math.floor(minuteOfDay / 60)}`;
  switch (cron) {
    case "@hourly-random":
      return `${pick("minute", 60)} * * * *`;
    case "@daily-random":
      return `${time} * * *`;
    case "@weekly-random":
      return `${time} * * ${pick("weekday", 7)}`;
    case "@monthly-random":
      // Every month has these days.
      return `${time} ${1 + pick("day", 28)} * *`;
    default:
      return cron;
  }
}

function pickMinute(windows: readonly BackupWindow[], pick: (below: number) => number): number {
  if (windows.length === 0) return pick(1440);
  const halves = windows.map((window) => ({
    fromMinute: window.fromMinute,
    minutes: Math.ceil(windowMinutes(window) / 2),
  }));
  let left = pick(halves.reduce((sum, { minutes }) => sum + minutes, 0));
  const chosen = halves.find(({ minutes }) => {
    if (left < minutes) return true;
    left -= minutes;
    return false;
  });
  return ((chosen?.fromMinute ?? 0) + left) % 1440;
}

/** FNV-1a with a last stirring: even for texts that differ in one sign. 32 bits. */
export function hash(text: string): number {
  let state = 0x811c9dc5;
  for (const sign of text) state = Math.imul(state ^ (sign.codePointAt(0) ?? 0), 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
