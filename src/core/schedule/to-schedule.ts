import { formatWindow, parseWindow, type BackupWindow } from "./backup-window.ts";
import type { Schedule } from "./schedule.ts";

/** A schedule as it is asked for and shown: what is not said has its default. */
export interface ScheduleWish
  extends
    Pick<Schedule, "projectId" | "name" | "backup">,
    Partial<Omit<Schedule, "projectId" | "name" | "backup" | "windows" | "fromMs">> {
  /** `01:00-05:00` */
  readonly windows?: readonly string[];
}

/** No times of day; refused by validation. */
const noWindow: BackupWindow = { fromMinute: -1, toMinute: -1 };

/** With the defaults filled in. Pure. */
export function toSchedule(
  { windows = [], ...wish }: ScheduleWish,
  known: { readonly timeZone: string; readonly fromMs: number },
): Schedule {
  return {
    windowEnd: "finish",
    missed: "once",
    overlap: "skip",
    suspended: false,
    ...known,
    ...wish,
    windows: windows.map((text) => parseWindow(text) ?? noWindow),
  };
}

/** As it is written down. */
export function fromSchedule({
  windows,
  fromMs,
  ...schedule
}: Schedule): Required<Pick<ScheduleWish, "windows">> & Omit<Schedule, "windows" | "fromMs"> {
  void fromMs;
  return { ...schedule, windows: windows.map(formatWindow) };
}
