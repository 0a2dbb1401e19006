import type { DayCounts } from "../core/notification/happening.ts";
import type { EngineParts } from "./parts.ts";

const dayMs = 24 * 3_600_000;
const mostAtOnce = 10_000;

/** What ended in the 24 hours before an instant. `projectId`: empty for all. */
export async function countDay(
  { catalog }: EngineParts,
  projectId: string,
  nowMs: number,
): Promise<DayCounts> {
  const sinceMs = nowMs - dayMs;
  const finished = await catalog.listFinishedOperations({ sinceMs, limit: mostAtOnce });
  const ours = finished.filter((one) => projectId === "" || one.projectId === projectId);
  const count = (outcome: string): number => ours.filter(({ end }) => end?.outcome === outcome).length;
  const { backups } = await catalog.listBackups({
    ...(projectId === "" ? {} : { projectId }),
    outcome: "Completed",
    sinceMs: sinceMs - dayMs,
    limit: mostAtOnce,
  });
  const stored = backups.filter(({ finishedAtMs = 0 }) => finishedAtMs >= sinceMs);
  return {
    completed: count("Completed"),
    failed: count("Failed"),
    cancelled: count("Cancelled"),
    storedBytes: stored.reduce((sum, { storedBytes = 0 }) => sum + storedBytes, 0),
  };
}
