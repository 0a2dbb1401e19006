import type { Schedules, ScheduleView } from "../../src/contract/schedules.ts";
import { Failure } from "../../src/core/failure.ts";
import { fromSchedule, toSchedule } from "../../src/core/schedule/to-schedule.ts";
import { exampleBackup } from "./service-examples.ts";

const at = "2026-11-24T15:00:00.000Z";

export function exampleSchedule(): ScheduleView {
  const schedule = toSchedule(
    {
      projectId: "default",
      name: "nightly",
      backup: { environment: "prod", provider: "local" },
      cron: "0 2 * * *",
      windows: ["01:00-05:00"],
    },
    { timeZone: "Europe/Berlin", fromMs: 0 },
  );
  return {
    ...fromSchedule(schedule),
    revision: 1,
    createdAt: at,
    changedAt: at,
    nextAt: "2026-11-25T01:00:00.000Z",
    last: {
      projectId: "default",
      schedule: "nightly",
      slot: "2026-11-24T01:00:00.000Z",
      cause: "due",
      outcome: "missed",
      message: "No server saw it in time.",
      recordedAt: at,
    },
    open: [],
  };
}

/** Schedules as entries in a map; nothing is ever due. */
export function createMemorySchedules(
  schedules: Map<string, ScheduleView>,
  called: (method: string, ...args: readonly unknown[]) => void,
): Schedules {
  const idOf = ({ projectId, name }: { readonly projectId: string; readonly name: string }): string =>
    `${projectId}/${name}`;
  const get = (key: Parameters<typeof idOf>[0]): ScheduleView => {
    const found = schedules.get(idOf(key));
    if (found === undefined) throw new Failure("schedule-not-found", `There is no schedule ${idOf(key)}.`);
    return found;
  };
  return {
    putSchedule: async (wish, options) => {
      called("putSchedule", wish, options);
      const outcome = schedules.has(idOf(wish)) ? "changed" : "created";
      const schedule = toSchedule(wish, { timeZone: "UTC", fromMs: 0 });
      const view = { ...fromSchedule(schedule), revision: 1, createdAt: at, open: [] };
      if (options.dryRun !== true) schedules.set(idOf(wish), view);
      return await Promise.resolve({ outcome, view });
    },
    listSchedules: async (query) => {
      called("listSchedules", query);
      return await Promise.resolve({ schedules: [...schedules.values()], total: schedules.size });
    },
    getSchedule: async (key) => await Promise.resolve(get(key)),
    deleteSchedule: async (key, options) => {
      called("deleteSchedule", key, options);
      const view = get(key);
      if (options.dryRun !== true) schedules.delete(idOf(key));
      return await Promise.resolve(view);
    },
    suspendSchedule: async (key, suspended) => {
      called("suspendSchedule", key, suspended);
      const view = { ...get(key), suspended };
      schedules.set(idOf(key), view);
      return await Promise.resolve(view);
    },
    runSchedule: async (key, submission) => {
      called("runSchedule", key, submission);
      get(key);
      return await Promise.resolve(exampleBackup());
    },
    previewSchedule: async (key, count) => {
      called("previewSchedule", key, count);
      get(key);
      const slot = "2026-11-25T01:00:00.000Z";
      return await Promise.resolve([{ slot, startsAt: slot }, { slot: "2026-11-26T01:00:00.000Z" }]);
    },
    listSlots: async (query) => {
      called("listSlots", query);
      const { last } = exampleSchedule();
      const slots = last === undefined ? [] : [last];
      return await Promise.resolve({ slots, total: slots.length });
    },
  };
}
