import type { RestorePlan } from "./restore.ts";

/** What one finished part of an earlier restore took. */
export interface PastRun {
  readonly bytes: number;
  readonly seconds: number;
}

export interface RestoreHistory {
  readonly database: readonly PastRun[];
  readonly files: readonly PastRun[];
}

/** Runs of less than this say more about starting than about speed. */
const tellingBytes = 1_000_000;

/** The plan with its times estimated from what this system did before; parts without a history keep theirs. */
export function estimateFromHistory(plan: RestorePlan, history: RestoreHistory): RestorePlan {
  const database = estimate(plan.database?.bytes, history.database);
  const files = estimate(plan.files?.bytesToWrite, history.files);
  return {
    ...plan,
    ...(plan.database === undefined || database === undefined
      ? {}
      : { database: { ...plan.database, estimatedSeconds: database } }),
    ...(plan.files === undefined || files === undefined
      ? {}
      : { files: { ...plan.files, estimatedSeconds: files } }),
  };
}

/** Seconds at the median speed: one odd run, when the machine was busy, does not decide. */
function estimate(bytes: number | undefined, past: readonly PastRun[]): number | undefined {
  const speeds = past
    .filter((run) => run.bytes >= tellingBytes && run.seconds > 0)
    .map((run) => run.bytes / run.seconds)
    .sort((a, b) => a - b);
  const median = speeds[Math.floor(speeds.length / 2)];
  if (bytes === undefined || median === undefined) return undefined;
  return Math.max(1, Math.round(bytes / median));
}
