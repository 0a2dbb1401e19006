import type { UndoEvidence } from "../../contract/operations.ts";
import type { TaskOf } from "../../contract/worker-task.ts";
import { undoDatabase } from "./undo-database.ts";
import type { TaskRun } from "../task.ts";

/**
 * Takes a restore back, part by part. Nothing is dropped: what the restore brought is kept under another name and
 * the evidence says which. Idempotent.
 */
export async function undoRestore(task: TaskOf<"undo-restore">, run: TaskRun): Promise<UndoEvidence> {
  const database =
    task.parts.includes("database") && task.plan.database !== undefined
      ? await undoDatabase(task.restoreId, task.plan.database, run)
      : undefined;
  const files =
    task.parts.includes("files") && task.plan.files !== undefined
      ? await (await import("./undo-files.ts")).undoFiles(task, run)
      : undefined;
  return { ...(database === undefined ? {} : { database }), ...(files === undefined ? {} : { files }) };
}
