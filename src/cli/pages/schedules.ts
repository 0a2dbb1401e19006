import type { ComingSlotView, ScheduleView, SlotView } from "../../contract/schedules.ts";
import type { CommandContext } from "../context.ts";
import { age, duration } from "../humanise.ts";
import { renderFields, renderTable } from "../table.ts";
import type { Column } from "../table.ts";

const timesOf = ({ cron, rpoSeconds }: ScheduleView): string => cron ?? `rpo ${duration(rpoSeconds ?? 0)}`;

const sourceOf = ({ backup: { environment, database, storage } }: ScheduleView): string =>
  [environment, database?.url, storage?.url].filter((part) => part !== undefined).join(" ");

function nextOf({ suspended, nextAt, waits, open }: ScheduleView): string {
  if (suspended) return "suspended";
  if (waits !== undefined) return `${nextAt ?? ""} (${waits})`;
  return nextAt ?? (open.length > 0 ? "when its backup has ended" : "never");
}

const resultOf = ({ outcome, backupId }: SlotView): string => backupId ?? outcome;

export function showSchedules(schedules: readonly ScheduleView[], context: CommandContext): string {
  if (context.format === "name") return schedules.map(({ name }) => `${name}\n`).join("");
  if (schedules.length === 0) return "No schedules: `lc2 schedule create` makes one.\n";
  const nowMs = context.host.nowMs();
  const columns: Column<ScheduleView>[] = [
    { title: "SCHEDULE", value: ({ name }) => name },
    { title: "PROJECT", value: ({ projectId }) => projectId },
    { title: "WHEN", value: timesOf },
    { title: "TZ", value: ({ timeZone }) => timeZone },
    { title: "NEXT", value: nextOf },
    { title: "LAST", value: ({ last }) => (last === undefined ? "" : resultOf(last)) },
    { title: "AGE", value: ({ createdAt }) => age(Date.parse(createdAt), nowMs), align: "right" },
  ];
  if (context.format === "wide") {
    columns.push(
      { title: "WINDOWS", value: ({ windows }) => windows.join(" ") },
      { title: "OVERLAP", value: ({ overlap }) => overlap },
      { title: "MISSED", value: ({ missed }) => missed },
      { title: "OF", value: sourceOf },
    );
  }
  return renderTable(columns, schedules, context.paint);
}

export function showSchedule(view: ScheduleView, context: CommandContext): string {
  if (context.format === "name") return `${view.name}\n`;
  const { windows, windowEnd, startWithinSeconds, last } = view;
  const fields = renderFields(
    [
      ["Project", view.projectId],
      ["Backs up", sourceOf(view)],
      ["Repository", view.repository],
      ["When", view.effectiveCron === undefined ? timesOf(view) : `${timesOf(view)}: ${view.effectiveCron}`],
      ["Time zone", view.timeZone],
      ["Windows", windows.length === 0 ? undefined : `${windows.join(", ")}; at the end: ${windowEnd}`],
      ["Begins within", startWithinSeconds === undefined ? undefined : duration(startWithinSeconds)],
      ["Missed", view.missed],
      ["Overlap", view.overlap],
      ["Next", nextOf(view)],
      ["Last", last === undefined ? undefined : `${last.slot}: ${resultOf(last)}`],
      ["", last?.message],
      ["Not ended", view.open.length === 0 ? undefined : view.open.join(", ")],
      ["Revision", String(view.revision)],
    ],
    context,
  );
  return `${context.paint.bold(view.name)}\n${fields}`;
}

/** Times to come, in UTC and by the schedule's own wall clock. */
export function showComing(
  slots: readonly ComingSlotView[],
  timeZone: string,
  context: CommandContext,
): string {
  if (slots.length === 0) return "It is not due: it is suspended, or its backup runs.\n";
  const columns: Column<ComingSlotView>[] = [
    { title: "DUE (UTC)", value: ({ slot }) => slot },
    { title: `DUE (${timeZone})`, value: ({ slot }) => onWall(slot, timeZone) },
    {
      title: "BEGINS",
      value: ({ slot, startsAt }) =>
        startsAt === undefined ? "not: no window opens in time" : startsAt === slot ? "" : startsAt,
    },
  ];
  return renderTable(columns, slots, context.paint);
}

const digits = { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" } as const;

const onWall = (iso: string, timeZone: string): string =>
  new Date(iso).toLocaleString("sv-SE", { year: "numeric", ...digits, timeZone, timeZoneName: "short" });

export function showSlots(slots: readonly SlotView[], context: CommandContext): string {
  if (slots.length === 0) return "Nothing yet.\n";
  const columns: Column<SlotView>[] = [
    { title: "SLOT", value: ({ slot, cause }) => (cause === "due" ? slot : `${slot} (run-now)`) },
    { title: "OUTCOME", value: ({ outcome }) => outcome },
    { title: "BACKUP", value: ({ backupId }) => backupId ?? "" },
    { title: "WHY", value: ({ message }) => message ?? "" },
  ];
  return renderTable(columns, slots, context.paint);
}
