import { Cron } from "croner";
import { remember } from "../remember.ts";
import { changeAfter, instantOf, offsetAt, wallAt } from "./wall-clock.ts";

/** The times of a cron expression in a time zone. */
export interface CronTimes {
  /** The first one after an instant; undefined: there is none. */
  nextAfter(ms: number): number | undefined;
}

/**
 * Reads an expression of five fields (minute, hour, day of month, month, day of week; several days: either) or a
 * nickname such as `@daily`. croner knows the calendar; what happens when clocks change is decided here:
 *
 * - A time that the clock is put forward over comes when that is done. Several such times come once.
 * - A time that the clock shows twice comes the first time.
 * - A schedule for every hour (`*` as its hour) goes by the hours that pass: it comes in the repeated hour twice, and
 *   nothing is made up for an hour that there was not.
 */
export function readCron(pattern: string, timeZone: string): ReadCron {
  return read(`${timeZone} ${pattern}`);
}

type ReadCron = CronTimes | { readonly problem: string };

/** Reading takes longer than all that is then asked of it. No zone has a space in its name. */
const read = remember((name): ReadCron => {
  const space = name.indexOf(" ");
  const times = parseCron(name.slice(space + 1), name.slice(0, space));
  return "problem" in times ? times : keepAnswers(times);
});

/** As `readCron`, and keeps nothing. */
export function parseCron(pattern: string, timeZone: string): ReadCron {
  try {
    const calendar = new Cron(pattern, { utcOffset: 0, mode: "5-part" });
    const nextWall: Next = (wall) => calendar.nextRun(new Date(wall))?.getTime();
    const isHourly = /^[*?](?:\/1)?$/.test(calendar.getPattern()?.split(/\s+/)[1] ?? "*");
    return isHourly ? hourlyTimes(nextWall, timeZone) : wallTimes(nextWall, timeZone);
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** After a wall time. */
type Next = (wall: number) => number | undefined;

function wallTimes(nextWall: Next, timeZone: string): CronTimes {
  return {
    nextAfter: (ms) => {
      // The time that the wall shows now may be shown once more, or be one that was passed over.
      let wall = nextWall(wallAt(ms, timeZone) - 1);
      while (wall !== undefined) {
        const instant = instantOf(wall, timeZone);
        if (instant > ms) return instant;
        wall = nextWall(wall);
      }
      return undefined;
    },
  };
}

function hourlyTimes(nextWall: Next, timeZone: string): CronTimes {
  return {
    nextAfter: (ms) => {
      let from = ms;
      // Between two changes the wall runs evenly.
      for (let since = ms; ;) {
        const offset = offsetAt(since, timeZone);
        const wall = nextWall(from + offset);
        if (wall === undefined) return undefined;
        const change = changeAfter(since, timeZone) ?? Infinity;
        if (wall - offset < change) return wall - offset;
        from = change - 1;
        since = change;
      }
    },
  };
}

/** Many schedules have the same times, and each look at one of them asks for the next one after the same few instants. */
function keepAnswers({ nextAfter }: CronTimes): CronTimes {
  let known: readonly { readonly fromMs: number; readonly nextMs: number | undefined }[] = [];
  return {
    nextAfter: (ms) => {
      // Between an instant and the next time after it there is no other.
      const found = known.find(({ fromMs, nextMs = Infinity }) => fromMs <= ms && ms < nextMs);
      if (found !== undefined) return found.nextMs;
      const nextMs = nextAfter(ms);
      known = [{ fromMs: ms, nextMs }, ...known.slice(0, 2)];
      return nextMs;
    },
  };
}
