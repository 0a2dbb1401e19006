import { instantOf, wallAt } from "./wall-clock.ts";

/** A part of every day. Minutes since midnight by the wall clock; over midnight when it ends at or before its begin. */
export interface BackupWindow {
  /** 0..1439 */
  readonly fromMinute: number;
  /** 1..1440 */
  readonly toMinute: number;
}

/** An instance of a window. It is open at `openMs` and no longer at `closeMs`. */
export interface OpenWindow {
  readonly openMs: number;
  readonly closeMs: number;
}

const minuteMs = 60_000;
const dayMs = 1440 * minuteMs;

/** `01:00-05:00`; undefined when it is none. */
export function parseWindow(text: string): BackupWindow | undefined {
  const [, fromHour, from, toHour, to] = /^(\d\d?):(\d\d)-(\d\d?):(\d\d)$/.exec(text) ?? [];
  const fromMinute = Number(fromHour) * 60 + Number(from);
  const toMinute = Number(toHour) * 60 + Number(to) || 1440;
  return isWindow({ fromMinute, toMinute }) && Number(from) < 60 && Number(to) < 60
    ? { fromMinute, toMinute }
    : undefined;
}

export const isWindow = ({ fromMinute, toMinute }: BackupWindow): boolean =>
  Number.isInteger(fromMinute) &&
  Number.isInteger(toMinute) &&
  fromMinute >= 0 &&
  fromMinute < 1440 &&
  toMinute > 0 &&
  toMinute <= 1440 &&
  fromMinute !== toMinute;

export const formatWindow = ({ fromMinute, toMinute }: BackupWindow): string =>
  `${formatMinute(fromMinute)}-${formatMinute(toMinute)}`;

const formatMinute = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

export const windowMinutes = ({ fromMinute, toMinute }: BackupWindow): number =>
  toMinute > fromMinute ? toMinute - fromMinute : toMinute - fromMinute + 1440;

/**
 * The window that is open at the instant, or the next one to open. Windows that overlap or touch are one. `windows`
 * holds one at least.
 */
export function windowAtOrAfter(windows: readonly BackupWindow[], ms: number, timeZone: string): OpenWindow {
  const today = Math.floor(wallAt(ms, timeZone) / dayMs) * dayMs;
  // One that began yesterday may be open; one that is passed today comes tomorrow.
  const near = [-dayMs, 0, dayMs].flatMap((days) =>
    windows.map((window) => openOn(window, today + days, timeZone)),
  );
  // Every day has each window, so tomorrow's are always ahead.
  return joinTouching(near).find(({ closeMs }) => closeMs > ms) as OpenWindow;
}

function openOn(window: BackupWindow, day: number, timeZone: string): OpenWindow {
  const lengthMs = windowMinutes(window) * minuteMs;
  const openWall = day + window.fromMinute * minuteMs;
  const openMs = instantOf(openWall, timeZone);
  const closeMs = instantOf(openWall + lengthMs, timeZone);
  // A window that the clock is put forward over opens then, for its usual time.
  return { openMs, closeMs: closeMs > openMs ? closeMs : openMs + lengthMs };
}

function joinTouching(open: readonly OpenWindow[]): OpenWindow[] {
  const joined: OpenWindow[] = [];
  for (const one of open.toSorted((a, b) => a.openMs - b.openMs)) {
    const last = joined.at(-1);
    if (last === undefined || one.openMs > last.closeMs) joined.push(one);
    else joined[joined.length - 1] = { ...last, closeMs: Math.max(last.closeMs, one.closeMs) };
  }
  return joined;
}
