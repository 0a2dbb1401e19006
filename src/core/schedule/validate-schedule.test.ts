import { expect, it } from "vitest";
import type { Schedule } from "./schedule.ts";
import { validateSchedule } from "./validate-schedule.ts";

const good: Schedule = {
  projectId: "retail",
  name: "nightly",
  backup: { environment: "prod", provider: "local" },
  cron: "0 2 * * *",
  timeZone: "Europe/Berlin",
  windows: [],
  windowEnd: "finish",
  missed: "once",
  overlap: "skip",
  suspended: false,
  fromMs: Date.UTC(2026, 10, 29),
};
const { cron: _, ...untimed } = good;
const fields = (schedule: Schedule): string[] => validateSchedule(schedule).map(({ field }) => field);

it("accepts what stands for times of something", () => {
  expect(validateSchedule(good)).toEqual([]);
  expect(validateSchedule({ ...good, cron: "@weekly-random", startWithinSeconds: 3600 })).toEqual([]);
  expect(validateSchedule({ ...untimed, rpoSeconds: 3600 })).toEqual([]);
});

it.each<[string, Schedule]>([
  ["projectId", { ...good, projectId: "Retail" }],
  ["name", { ...good, name: "every night" }],
  ["cron", untimed],
  ["cron", { ...good, rpoSeconds: 3600 }],
  ["cron", { ...good, cron: "at night" }],
  ["cron", { ...good, cron: "0 0 31 2 *" }],
  ["timeZone", { ...good, timeZone: "Berlin" }],
  ["rpoSeconds", { ...untimed, rpoSeconds: 30 }],
  ["windows", { ...good, windows: [{ fromMinute: 60, toMinute: 60 }] }],
  ["windowEnd", { ...good, windowEnd: "stop" }],
  ["startWithinSeconds", { ...good, startWithinSeconds: 1 }],
])("refuses a wrong %s", (field, schedule) => {
  expect(fields(schedule)).toContain(field);
});
