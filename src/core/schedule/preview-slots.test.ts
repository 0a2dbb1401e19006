import { expect, it } from "vitest";
import { previewSlots } from "./preview-slots.ts";
import type { Schedule } from "./schedule.ts";
import { startTooLate } from "./start-too-late.ts";
import { fromSchedule, toSchedule, type ScheduleWish } from "./to-schedule.ts";
import { validateSchedule } from "./validate-schedule.ts";

const wish: ScheduleWish = {
  projectId: "retail",
  name: "nightly",
  backup: { environment: "prod", provider: "local" },
  cron: "0 2 * * *",
};
const from = Date.UTC(2026, 10, 10);
const make = (change: Partial<ScheduleWish> = {}): Schedule =>
  toSchedule({ ...wish, ...change }, { timeZone: "UTC", fromMs: 0 });
const coming = (schedule: Schedule, count: number): string[] =>
  previewSlots(schedule, from, count).map(({ slotMs, startMs }) =>
    [slotMs, startMs]
      .map((ms) => (ms === undefined ? "not" : new Date(ms).toISOString().slice(8, 16)))
      .join(" "),
  );

it("shows the times to come of a schedule that was made by a clock which ran ahead", () => {
  const schedule = toSchedule(wish, { timeZone: "UTC", fromMs: from * 2 });
  expect(coming(schedule, 1)).toEqual(["10T02:00 10T02:00"]);
});

it("shows the times to come, and when their backups may begin", () => {
  expect(coming(make(), 2)).toEqual(["10T02:00 10T02:00", "11T02:00 11T02:00"]);
  expect(coming(make({ windows: ["03:00-05:00"] }), 1)).toEqual(["10T02:00 10T03:00"]);
  expect(coming(make({ windows: ["03:00-05:00"], startWithinSeconds: 600 }), 1)).toEqual(["10T02:00 not"]);
  expect(coming(make({ cron: "0 * * * *", windows: ["03:00-05:00"] }), 3)).toEqual([
    "10T01:00 not",
    "10T02:00 not",
    "10T03:00 10T03:00",
  ]);
  expect(coming(make({ cron: "whenever" }), 3)).toEqual([]);
});

it("is written down as it was asked for, with its defaults", () => {
  const schedule = make({ windows: ["22:00-04:00"] });
  expect(fromSchedule(schedule)).toEqual({
    ...wish,
    timeZone: "UTC",
    windows: ["22:00-04:00"],
    windowEnd: "finish",
    missed: "once",
    overlap: "skip",
    suspended: false,
  });
  expect(validateSchedule(make({ windows: ["noon"] })).map(({ field }) => field)).toEqual(["windows"]);
});

it("says of what waits that it came too late for its window", () => {
  const scheduled = { name: "nightly", slotMs: from, startBeforeMs: from + 1000 };
  const backup = { id: "backup-a" };
  expect(startTooLate(backup, scheduled, from)).toBeUndefined();
  expect(startTooLate(backup, undefined, from)).toBeUndefined();
  expect(startTooLate(backup, scheduled, from + 1000)).toMatchObject({
    code: "window-closed",
    retry: "never",
  });
});

it("does not call late what had begun in time and came back to the queue", () => {
  const scheduled = { name: "nightly", slotMs: from, startBeforeMs: from + 1000 };
  const returned = { id: "backup-a", admittedAtMs: from + 999 };
  expect(startTooLate(returned, scheduled, from + 60_000)).toBeUndefined();
});
