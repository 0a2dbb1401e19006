import { showBytes, showCount } from "../../core/restore/plan-restore.ts";
import type { TaskOf } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import { showKey, type FileKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import { whyNotRestorable } from "../../core/restore/restorable-key.ts";
import type { FilesPlan, PlanNote } from "../../core/restore/restore.ts";
import { checkReferences } from "../repository/check-references.ts";
import { ProgressReporter } from "../report-progress.ts";
import {
  changeOptions,
  includedKeys,
  openRestoreSource,
  openRestoreTarget,
  type RestoreSource,
} from "./restore-target.ts";
import { findChanges, type FileChange } from "./target-changes.ts";
import type { TaskRun } from "../task.ts";

export interface PlannedFiles {
  readonly plan: FilesPlan;
  readonly blockers: readonly PlanNote[];
  readonly warnings: readonly string[];
  readonly steps: readonly string[];
}

const namesShown = 5;
/** Left free for what the file system needs itself. */
const spareBytes = 16 << 20;

/**
 * Compares the target folder with the backup's manifest and counts what a restore would do. Changes nothing;
 * a target that does not exist is made later. Objects are files, folders and symlinks alike.
 */
export async function planFiles(task: TaskOf<"plan-restore">, run: TaskRun): Promise<PlannedFiles> {
  const { spec, restoreId } = task;
  if (spec.storage === undefined) {
    throw new Failure("nothing-to-restore", "This restore has no target for files. Give --files file:///…");
  }
  const include = spec.restoreType === "selective" ? spec.include : [];
  const source = await openRestoreSource(run, spec.backupId);
  const target = openRestoreTarget(spec.storage.url, restoreId);
  try {
    const wishes = { url: target.url, mode: spec.storage.mode, include };
    const blockers = [...blockersOf(target), ...(await missingBlocker(run, source, include))];
    const counted = await countChanges(run, target, source, restoreId, wishes, blockers.length > 0);
    const plan: FilesPlan = { ...wishes, ...counted.counts };
    return {
      plan,
      blockers: [...blockers, ...nameBlocker(counted.impossible), ...spaceBlocker(target, plan.bytesToWrite)],
      warnings: [...emptyWarning(plan), ...counted.notes],
      steps: stepsOf(plan, target),
    };
  } finally {
    target.close();
  }
}

interface Counts {
  add: number;
  change: number;
  remove: number;
  unchanged: number;
  bytesToWrite: number;
}

async function countChanges(
  run: TaskRun,
  target: FileTarget,
  source: RestoreSource,
  restoreId: string,
  wishes: Pick<FilesPlan, "url" | "mode" | "include">,
  isBlocked: boolean,
): Promise<{ counts: Counts; impossible: string[]; notes: string[] }> {
  const counts: Counts = { add: 0, change: 0, remove: 0, unchanged: 0, bytesToWrite: 0 };
  const impossible: string[] = [];
  const notes: string[] = [];
  if (isBlocked) return { counts, impossible, notes };
  const progress = new ProgressReporter(run, {
    component: "files",
    phase: "comparing",
    bytes: 0,
    objects: 0,
  });
  const options = {
    ...changeOptions(run, restoreId, source.metadata, wishes),
    onNote: (message: string) => notes.push(message),
    onBytesCompared: (bytes: number) => progress.add(bytes),
  };
  const restorable = onlyRestorable(source.entries(options.isIncluded), options.isIncluded, impossible);
  for await (const changes of findChanges(target, restorable, options)) {
    for (const change of changes) countChange(counts, change);
    progress.add(0, changes.length);
  }
  progress.end();
  return { counts, impossible, notes };
}

async function* onlyRestorable(
  entries: AsyncIterable<readonly ManifestEntry[]>,
  isIncluded: (key: FileKey) => boolean,
  impossible: string[],
): AsyncGenerator<readonly ManifestEntry[], void, undefined> {
  for await (const batch of entries) {
    yield batch.filter(({ key }) => {
      const why = whyNotRestorable(key);
      if (why !== undefined && isIncluded(key)) impossible.push(`${showKey(key)}: ${why}`);
      return why === undefined;
    });
  }
}

function countChange(counts: Counts, change: FileChange): void {
  switch (change.do) {
    case "keep":
      counts.unchanged += 1;
      return;
    case "set-facts":
      if (change.isFolderTimeOnly) counts.unchanged += 1;
      else counts.change += 1;
      return;
    case "remove":
      counts.remove += 1;
      return;
    case "place":
      if (change.found === undefined) counts.add += 1;
      else counts.change += 1;
      counts.bytesToWrite += change.wanted.sizeBytes;
  }
}

function blockersOf(target: FileTarget): PlanNote[] {
  const found = target.inspect();
  if (found.state === "other") {
    return [
      {
        code: "target-not-a-folder",
        message: `${target.url} is not a folder, or a part of its path is not.`,
      },
    ];
  }
  if (found.isWritable) return [];
  const message = `This user may not write to ${target.url}. Give write and search rights, or run as its owner.`;
  return [{ code: "target-not-writable", message }];
}

/** Every stored file that the restore will read is there; its content is verified as it is read. */
async function missingBlocker(
  run: TaskRun,
  { metadata, keys }: RestoreSource,
  include: readonly string[],
): Promise<PlanNote[]> {
  const { files } = metadata.components;
  if (files === undefined) return [];
  const isNeeded = includedKeys(include);
  const advice = "Restore from another backup or copy, or only what is whole with --include.";
  try {
    await checkReferences(run, metadata.backupId, files, keys, { isNeeded, advice });
    return [];
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "integrity") throw error;
    return [{ code: error.code, message: error.message }];
  }
}

function spaceBlocker(target: FileTarget, bytesToWrite: number): PlanNote[] {
  const found = target.inspect();
  if (found.state === "other" || bytesToWrite === 0 || bytesToWrite + spareBytes <= found.freeBytes)
    return [];
  const message = `${bytesToWrite} bytes would be written to ${target.url}, where ${found.freeBytes} are free.`;
  return [{ code: "disk-full", message }];
}

function nameBlocker(impossible: readonly string[]): PlanNote[] {
  if (impossible.length === 0) return [];
  const more = impossible.length > namesShown ? ` and ${impossible.length - namesShown} more` : "";
  const message =
    `${impossible.length} files cannot be restored to a folder (${impossible.slice(0, namesShown).join("; ")}${more}). ` +
    "Leave them out with --include, or download them.";
  return [{ code: "path-not-restorable", message }];
}

function emptyWarning(plan: FilesPlan): string[] {
  if (plan.include.length === 0 || plan.add + plan.change + plan.unchanged > 0) return [];
  return [`No file of the backup matches ${plan.include.join(", ")}.`];
}

function stepsOf(plan: FilesPlan, target: FileTarget): string[] {
  const [add, change, remove, unchanged] = [plan.add, plan.change, plan.remove, plan.unchanged].map(
    showCount,
  );
  const what = `add ${add} objects, change ${change}, remove ${remove}, leave ${unchanged} as they are`;
  const isMissing = target.inspect().state === "missing";
  const replaced = plan.change + plan.remove > 0;
  return [
    ...(isMissing ? [`Make the folder ${plan.url}.`] : []),
    ...(replaced
      ? ["Keep what will be overwritten or removed in the repository, so that it can be put back."]
      : []),
    `In ${plan.url}: ${what}; ${showBytes(plan.bytesToWrite)} are written, each file beside its place and then moved into it.`,
    "List the folder again and compare it with the backup.",
  ];
}
