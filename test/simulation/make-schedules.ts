import type { DefinitionRecord } from "../../src/core/ports/definition-records.ts";
import type { Random } from "./random.ts";

const zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"] as const;
const nightly = ["0 2 * * *", "30 2 * * *", "@daily-random", "@daily-random", "15 1,13 * * *"] as const;
const dayMs = 86_400_000;

/** One schedule or two of each project, of every sort; some of two projects work on the same place. */
export function makeSchedules(random: Random, projects: number, startMs: number): DefinitionRecord[] {
  return Array.from({ length: projects }, (_, index) => {
    const own = [makeSchedule(random, index, "nightly", timesOf(random), startMs)];
    if (random.chance(0.2))
      own.push(makeSchedule(random, index, "weekly", { cron: "@weekly-random" }, startMs));
    return own;
  }).flat();
}

function timesOf(random: Random): object {
  if (random.chance(0.06)) return { rpoSeconds: random.pick([6 * 3600, 24 * 3600]) };
  if (random.chance(0.05)) return { cron: random.pick(["0 */4 * * *", "20 */6 * * *", "7 * * * *"]) };
  return { cron: random.pick(nightly) };
}

function makeSchedule(
  random: Random,
  project: number,
  name: string,
  times: object,
  startMs: number,
): DefinitionRecord {
  const isWindowed = random.chance(0.4);
  const place = random.chance(0.1) ? "shared" : `of-${project}`;
  const spec = {
    ...times,
    timeZone: random.pick(zones),
    windows: isWindowed ? [random.pick(["01:00-05:00", "22:00-04:00", "00:30-03:30"])] : [],
    windowEnd: isWindowed && random.chance(0.5) ? "stop" : "finish",
    ...(random.chance(0.2) ? { startWithinSeconds: random.pick([1800, 7200]) } : {}),
    missed: random.pick(["once", "once", "skip"]),
    overlap: random.pick(["skip", "skip", "queue", "cancel-previous"]),
    suspended: random.chance(0.02),
    repository: random.chance(0.5) ? "s3://backups/lc2" : "file:///srv/backups",
    backup: { provider: "local", storage: { url: `file:///srv/${place}` } },
    // Not all are there from the first day.
    fromMs: startMs + Math.floor(random.between(0, 20) * dayMs),
  };
  const at = { revision: 1, createdAtMs: spec.fromMs, changedAtMs: spec.fromMs };
  return { kind: "schedule", projectId: `project-${project}`, name, spec, ...at };
}
