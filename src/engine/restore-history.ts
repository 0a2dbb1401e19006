import type { RestoreFilesEvidence } from "../contract/operations.ts";
import type { OperationTask } from "../core/operation/operation.ts";
import { estimateFromHistory, type PastRun } from "../core/restore/estimate-restore.ts";
import type { RestorePlan } from "../core/restore/restore.ts";
import type { EngineParts } from "./parts.ts";

const restoresLookedAt = 20;

/** The plan with the times that this system's own restores make likely. */
export async function estimateTimes(parts: EngineParts, plan: RestorePlan): Promise<RestorePlan> {
  const database: PastRun[] = [];
  const files: PastRun[] = [];
  const { operations } = await parts.catalog.listOperations({ kind: "restore", limit: restoresLookedAt });
  for (const { id, end } of operations) {
    if (end?.outcome !== "Completed") continue;
    const tasks = new Map((await parts.catalog.listTasks(id)).map((task) => [task.name, task]));
    const past = tasks.get("plan")?.result as RestorePlan | undefined;
    if (past?.database !== undefined) database.push(...measure(tasks.get("database"), past.database.bytes));
    const written = tasks.get("files")?.result as RestoreFilesEvidence | undefined;
    if (written !== undefined) files.push(...measure(tasks.get("files"), written.bytesWritten));
  }
  return estimateFromHistory(plan, { database, files });
}

function measure(task: OperationTask | undefined, bytes: number): PastRun[] {
  if (task?.finishedAtMs === undefined || task.state !== "done") return [];
  return [{ bytes, seconds: (task.finishedAtMs - task.startedAtMs) / 1000 }];
}
