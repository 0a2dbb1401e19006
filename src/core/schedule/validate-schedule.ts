import { validateProjectId } from "../backup/validate-backup.ts";
import { isWholeBetween, when, type Problem } from "../problem.ts";
import { projectIdPattern } from "../repository/layout.ts";
import { isWindow } from "./backup-window.ts";
import { readCron } from "./cron-times.ts";
import type { Schedule } from "./schedule.ts";
import { effectiveCron, spreadNames } from "./spread.ts";
import { isTimeZone } from "./wall-clock.ts";

const yearSeconds = 366 * 86_400;

/** Everything that is wrong with the times of a schedule that is asked for, at once. */
export function validateSchedule(schedule: Schedule): readonly Problem[] {
  const { projectId, name, rpoSeconds, cron, windows, startWithinSeconds } = schedule;
  return [
    ...validateProjectId(projectId),
    ...when(
      !projectIdPattern.test(name),
      "name",
      `"${name}" is no name of a schedule: lower-case letters, digits and hyphens, at most 63, no hyphen at either end.`,
    ),
    ...when(
      (cron === undefined) === (rpoSeconds === undefined),
      "cron",
      "A schedule has times or a recovery point objective: give --cron or --rpo, one of them.",
    ),
    ...validateCron(schedule),
    ...when(
      rpoSeconds !== undefined && !isWholeBetween(rpoSeconds, 60, yearSeconds),
      "rpoSeconds",
      "A recovery point objective is from a minute to a year.",
    ),
    ...when(
      windows.some((window) => !isWindow(window)),
      "windows",
      "A window is two different times of day.",
    ),
    ...when(
      startWithinSeconds !== undefined && !isWholeBetween(startWithinSeconds, 60, yearSeconds),
      "startWithinSeconds",
      "The time within which a backup has to begin is from a minute to a year.",
    ),
    ...when(
      schedule.windowEnd === "stop" && windows.length === 0,
      "windowEnd",
      "Without a window there is no end at which a backup could be stopped.",
    ),
  ];
}

function validateCron(schedule: Schedule): Problem[] {
  const { cron, timeZone } = schedule;
  if (!isTimeZone(timeZone)) {
    const message = `"${timeZone}" is no time zone; use a name such as Europe/Berlin, or UTC.`;
    return [{ code: "request-invalid", field: "timeZone", message }];
  }
  if (cron === undefined) return [];
  const hint =
    "Five fields are asked for (minute, hour, day of month, month, day of week), as in '0 2 * * *', or a name: " +
    `@hourly, @daily, @weekly, @monthly, @yearly, ${spreadNames.join(", ")}.`;
  const times = readCron(effectiveCron(cron, schedule), timeZone);
  if ("problem" in times) return when(true, "cron", `"${cron}" is no cron expression. ${hint}`);
  return when(
    times.nextAfter(schedule.fromMs) === undefined,
    "cron",
    `"${cron}" stands for no time: there is no such day.`,
  );
}
