import type { FileFilter } from "../../core/files/filter.ts";
import { isUnchanged, mergeJoin } from "../../core/files/merge-join.ts";
import type { FileSource } from "../../core/ports/file-source.ts";
import type { StoredFile } from "../../core/repository/metadata.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { Breather } from "../breather.ts";
import { manifestBatches } from "../read/read-manifest.ts";
import type { TaskRun } from "../task.ts";

/**
 * Lists the source once more and says how far it has moved on from the manifest. A source in use always
 * moves on, so this is a note and no failure; the next backup has what came.
 */
export async function compareSourceAgain(
  run: TaskRun,
  source: FileSource,
  filter: FileFilter,
  backup: { readonly backupId: string; readonly keys: BackupKeys; readonly manifest: StoredFile },
  onCompared: (objects: number) => void,
): Promise<void> {
  const moved = { created: 0, changed: 0, removed: 0 };
  const breather = new Breather(run.signal);
  const entries = manifestBatches(run, backup.backupId, backup.manifest, backup.keys);
  for await (const batch of mergeJoin(entries, source.list({ filter }))) {
    for (const { left, right } of batch) {
      if (right === undefined) {
        if (left?.vanished !== true) moved.removed += 1;
      } else if (right.kind === "directory" || right.kind === "special") continue;
      else if (left === undefined) moved.created += 1;
      else if (!isUnchanged({ ...left, version: left.version ?? right.version ?? "" }, right))
        moved.changed += 1;
    }
    onCompared(batch.length);
    if (breather.isDue()) await breather.breathe();
  }
  const { created, changed, removed } = moved;
  const isStill = created + changed + removed === 0;
  const message = isStill
    ? "Listed again at the end: the source is exactly as it was backed up."
    : `Listed again at the end: ${created} objects came, ${changed} changed and ${removed} went while the backup ran.`;
  run.report({ type: "log", level: isStill ? "info" : "warn", message });
}
