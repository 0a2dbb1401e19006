import { showBytes, showCount } from "../../core/restore/plan-restore.ts";
import type { TaskOf } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import { parseBucketUrl } from "../../core/files/bucket-url.ts";
import type { FileTarget, TargetState } from "../../core/ports/file-target.ts";
import { encodeKey, type FileKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import { RestorableEntries } from "../../core/restore/restorable-entries.ts";
import type { FilesPlan, PlanNote } from "../../core/restore/restore.ts";
import { checkReferences } from "../repository/check-references.ts";
import { ProgressReporter } from "../report-progress.ts";
import { changeOptions, includedKeys, openRestoreSource, type RestoreSource } from "./restore-target.ts";
import { openFileTarget } from "../open-files.ts";
import { LossCounter } from "./count-losses.ts";
import type { FileChange } from "./file-change.ts";
import { findChanges } from "./target-changes.ts";
import type { TaskRun } from "../task.ts";

export interface PlannedFiles {
  readonly plan: FilesPlan;
  readonly blockers: readonly PlanNote[];
  readonly warnings: readonly string[];
  readonly steps: readonly string[];
}

/** Left free for what the file system needs itself. */
const spareBytes = 16 << 20;

/**
 * Compares the target with the backup's manifest and counts what a restore would do. Changes nothing;
 * a target that does not exist is made later. Objects are files, folders and symlinks alike.
 */
export async function planFiles(task: TaskOf<"plan-restore">, run: TaskRun): Promise<PlannedFiles> {
  const { spec, restoreId } = task;
  if (spec.storage === undefined) {
    throw new Failure(
      "nothing-to-restore",
      "This restore has no target for files. Give --files or --bucket.",
    );
  }
  const include = spec.restoreType === "selective" ? spec.include : [];
  const source = await openRestoreSource(run, spec.backupId, include);
  const { maxConcurrency, parallelTransfer } = spec.storage;
  const limits = {
    ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
    ...(parallelTransfer === undefined ? {} : { parallelTransfer }),
  };
  const target = await openFileTarget(spec.storage.url, restoreId, run, limits);
  try {
    const wishes = { url: target.url, mode: spec.storage.mode, include };
    const state = await target.inspect();
    const blockers = [...problemOf(state), ...(await missingBlocker(run, source, include))];
    const counted = await countChanges(run, target, source, restoreId, wishes, blockers.length > 0);
    const { credentials } = spec.storage;
    const access = credentials === undefined ? {} : { credentials };
    const plan: FilesPlan = { ...wishes, ...access, ...counted.counts, ...limits };
    return {
      plan,
      blockers: [
        ...blockers,
        ...counted.losses.blockers(),
        ...(blockers.length === 0 ? emptyBlocker(plan, spec.backupId) : []),
        ...spaceBlocker(target.url, state, plan.bytesToWrite),
      ],
      warnings: [
        ...state.notes,
        ...replacedWarning(plan, target),
        ...counted.losses.warnings(),
        ...counted.notes,
      ],
      steps: stepsOf(plan, target, state),
    };
  } finally {
    await target.close();
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
): Promise<{ counts: Counts; losses: LossCounter; notes: string[] }> {
  const counts: Counts = { add: 0, change: 0, remove: 0, unchanged: 0, bytesToWrite: 0 };
  const losses = new LossCounter(target.keeps);
  const notes: string[] = [];
  if (isBlocked) return { counts, losses, notes };
  const progress = new ProgressReporter(run, {
    component: "files",
    phase: "comparing",
    bytes: 0,
    objects: 0,
  });
  const options = {
    ...(await changeOptions(target, run, restoreId, source.metadata, wishes)),
    onNote: (message: string) => notes.push(message),
    onBytesCompared: (bytes: number) => progress.add(bytes),
  };
  const form = { folders: target.keeps.folders, prefixBytes: prefixBytesOf(target.url) };
  const wanted = source.entries();
  const restorable = onlyRestorable(wanted, new RestorableEntries(form), options.isIncluded, losses);
  for await (const changes of findChanges(target, restorable, options)) {
    for (const change of changes) countChange(counts, change);
    progress.add(0, changes.length);
  }
  progress.end();
  return { counts, losses, notes };
}

async function* onlyRestorable(
  entries: AsyncIterable<readonly ManifestEntry[]>,
  rules: RestorableEntries,
  isIncluded: (key: FileKey) => boolean,
  losses: LossCounter,
): AsyncGenerator<readonly ManifestEntry[], void, undefined> {
  for await (const batch of entries) {
    yield batch.filter((entry) => {
      if (!isIncluded(entry.key)) return true;
      const why = rules.whyNot(entry);
      losses.count(entry, why);
      return why === undefined;
    });
  }
}

function prefixBytesOf(url: string): number {
  const parsed = parseBucketUrl(url);
  return "place" in parsed ? encodeKey(parsed.place.prefix).length : 0;
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

const problemOf = ({ problem }: TargetState): PlanNote[] => (problem === undefined ? [] : [problem]);

/** Every stored file that the restore will read is there; its content is verified as it is read. */
async function missingBlocker(
  run: TaskRun,
  { metadata, keys, entries }: RestoreSource,
  include: readonly string[],
): Promise<PlanNote[]> {
  const { files } = metadata.components;
  if (files === undefined) return [];
  const isNeeded = includedKeys(include);
  const advice = "Restore from another backup or copy, or only what is whole with --include.";
  try {
    await checkReferences(run, metadata.backupId, files, keys, {
      isNeeded,
      advice,
      entries: entries(),
      isRead: true,
    });
    return [];
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "integrity") throw error;
    return [{ code: error.code, message: error.message }];
  }
}

function spaceBlocker(url: string, { freeBytes }: TargetState, bytesToWrite: number): PlanNote[] {
  if (freeBytes === undefined || bytesToWrite === 0 || bytesToWrite + spareBytes <= freeBytes) return [];
  const message = `${bytesToWrite} bytes would be written to ${url}, where ${freeBytes} are free.`;
  return [{ code: "disk-full", message }];
}

/** What a bucket keeps of an object and no backup holds. */
function replacedWarning({ change }: FilesPlan, target: FileTarget): string[] {
  if (!target.keeps.objectFacts || change === 0) return [];
  return [
    "Objects that are replaced have the bucket's own settings afterwards: an access list (ACL) or an encryption of " +
      "their own is not kept, and an undo does not bring it back.",
  ];
}

/** A restore that would do nothing is a pattern that was mistyped; to remove what matches is something to do. */
function emptyBlocker({ include, add, change, unchanged, remove }: FilesPlan, backupId: string): PlanNote[] {
  if (include.length === 0 || add + change + unchanged + remove > 0) return [];
  const message =
    `No file of the backup matches ${include.join(", ")}. \`lc2 backup browse ${backupId}\` shows what it holds; a ` +
    "pattern is matched from the source's folder on, and `**` goes through folders.";
  return [{ code: "nothing-to-restore", message }];
}

function stepsOf(plan: FilesPlan, target: FileTarget, { state }: TargetState): string[] {
  const [add, change, remove, unchanged] = [plan.add, plan.change, plan.remove, plan.unchanged].map(
    showCount,
  );
  const what = `add ${add} objects, change ${change}, remove ${remove}, leave ${unchanged} as they are`;
  const [place, how] = target.keeps.folders
    ? ["folder", "each file beside its place and then moved into it"]
    : ["bucket", "each object as a whole, with a checksum that the store compares"];
  const replaced = plan.change + plan.remove > 0;
  return [
    ...(state === "missing" ? [`Make the ${place} ${plan.url}.`] : []),
    ...(replaced
      ? ["Keep what will be overwritten or removed in the repository, so that it can be put back."]
      : []),
    `In ${plan.url}: ${what}; ${showBytes(plan.bytesToWrite)} are written, ${how}.`,
    `List the ${place} again and compare it with the backup.`,
  ];
}
