import type { Outcome } from "../operation/operation.ts";
import { startOf, type Schedule } from "./schedule.ts";

/** A backup that has ended. */
export interface EndedBackup {
  readonly createdAtMs: number;
  /** When it was begun: what it holds is no older than this. */
  readonly begunAtMs: number;
  readonly finishedAtMs: number;
  readonly outcome: Outcome;
}

const minuteMs = 60_000;
/** The next one may take longer than the longest of the last ones. */
const reserve = 1.25;

/**
 * When the next backup has to be asked for so that it is complete before the newest one is older than the RPO: the
 * last recovery point, and the RPO, less the time from request to end that the last ones took at most. Between two
 * there is a pause of a tenth of the RPO, even if it cannot be kept so; after failures it doubles, up to the RPO.
 */
export function rpoDueMs(
  nowMs: number,
  schedule: Pick<Schedule, "rpoSeconds" | "fromMs">,
  accountedUntilMs: number | undefined,
  all: readonly EndedBackup[],
): number {
  // What lies ahead is the doing of a clock that was wrong.
  const ended = all.filter(({ begunAtMs, finishedAtMs }) => Math.max(begunAtMs, finishedAtMs) <= nowMs);
  const rpoMs = (schedule.rpoSeconds ?? 0) * 1000;
  const pauseMs = Math.min(Math.max(rpoMs / 10, minuteMs), 60 * minuteMs);
  const completed = ended.filter(({ outcome }) => outcome === "Completed");
  const [newest] = completed;
  // A slot is answered once.
  const fromMs = startOf(schedule, nowMs);
  const leastMs = Math.max(fromMs, accountedUntilMs === undefined ? 0 : accountedUntilMs + pauseMs);
  const wantedMs = newest === undefined ? leastMs : newest.begunAtMs + rpoMs - expectedMs(completed);
  const [last] = ended;
  const failures = countFailures(ended);
  const pausedMs =
    last === undefined
      ? leastMs
      : last.finishedAtMs + Math.min(pauseMs * 2 ** Math.max(0, failures - 1), rpoMs);
  return Math.ceil(Math.max(leastMs, wantedMs, pausedMs) / 1000) * 1000;
}

/** From request to end, with a reserve; 0 when nothing is known. */
const expectedMs = (completed: readonly EndedBackup[]): number =>
  reserve *
  Math.max(0, ...completed.slice(0, 5).map(({ createdAtMs, finishedAtMs }) => finishedAtMs - createdAtMs));

/** Since the last one that was completed. */
function countFailures(ended: readonly EndedBackup[]): number {
  const index = ended.findIndex(({ outcome }) => outcome === "Completed");
  return index === -1 ? ended.length : index;
}
