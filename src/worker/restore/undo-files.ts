import { createHash } from "node:crypto";
import type { UndoEvidence } from "../../contract/operations.ts";
import type { TaskOf } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import type { SourceEntry } from "../../core/ports/file-source.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import { showKey, type FileKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import { haveSameTime } from "../../core/restore/compare-files.ts";
import { Breather } from "../breather.ts";
import { ContentReader } from "../read/read-files.ts";
import { openRestoreTarget } from "./restore-target.ts";
import type { TaskRun } from "../task.ts";
import {
  listUndoParts,
  openUndoPlace,
  readUndoPart,
  type UndoPlace,
  type UndoRecord,
} from "./undo-journal.ts";

const namesShown = 10;

/**
 * Takes back what a restore did to its target folder: from the journal's end to its beginning, every object
 * becomes what it was. An object that is neither as the restore left it nor as it was before has been
 * changed by somebody since; it stays, and is named. Idempotent; may be killed and run again.
 */
export async function undoFiles(
  task: TaskOf<"undo-restore">,
  run: TaskRun,
): Promise<NonNullable<UndoEvidence["files"]>> {
  const plan = task.plan.files;
  if (plan === undefined) throw new Failure("undo-not-possible", "This restore touched no files.");
  const target = openRestoreTarget(plan.url, task.restoreId);
  return undoFilesOf(target, task.restoreId, run);
}

/** The same on any target. Closes it. */
export async function undoFilesOf(
  target: FileTarget,
  restoreId: string,
  run: TaskRun,
): Promise<NonNullable<UndoEvidence["files"]>> {
  try {
    const place = await openUndoPlace(run, restoreId);
    if (place === undefined) return { restored: 0, removed: 0 };
    const undo = new FilesUndo(target, place, run);
    for (const part of (await listUndoParts(place)).reverse()) {
      await undo.takeBack(await readUndoPart(place, part));
    }
    await target.sync();
    return undo.finish();
  } finally {
    target.close();
  }
}

class FilesUndo {
  readonly #target: FileTarget;
  readonly #contents: ContentReader;
  readonly #run: TaskRun;
  readonly #breather: Breather;
  readonly #changedSince: string[] = [];
  #cleanedFolder: FileKey | undefined;
  #changed = 0;
  #restored = 0;
  #removed = 0;

  constructor(target: FileTarget, place: UndoPlace, run: TaskRun) {
    this.#target = target;
    this.#run = run;
    this.#contents = new ContentReader(place.run, place.restoreId, place.keys);
    this.#breather = new Breather(run.signal);
  }

  /** One part, last change first; then the folders' own facts, which the changes in them have touched. */
  async takeBack(records: readonly UndoRecord[]): Promise<void> {
    const folders: UndoRecord[] = [];
    for (const record of [...records].reverse()) {
      this.#run.signal.throwIfAborted();
      if (this.#breather.isDue()) await this.#breather.breathe();
      this.#cleanUp(record.key);
      if (record.factsOnly && record.before?.kind === "directory") folders.push(record);
      else await this.#takeBackOne(record);
    }
    for (const { key, before } of folders) {
      if (before !== undefined && this.#target.look(key)?.kind === "directory")
        this.#target.setFacts(key, before);
    }
  }

  finish(): { restored: number; removed: number } {
    if (this.#changed > 0) {
      const names = `${this.#changedSince.join(", ")}${this.#changed > namesShown ? ", …" : ""}`;
      const message = `${this.#changed} objects were changed after the restore and stay as they are: ${names}.`;
      this.#run.report({ type: "log", level: "warn", message });
    }
    return { restored: this.#restored, removed: this.#removed };
  }

  async #takeBackOne(record: UndoRecord): Promise<void> {
    const { key, before } = record;
    const found = this.#target.look(key);
    const state = await this.#stateOf(record, found);
    if (state === "before") return;
    // Its content was not changed, so it was not kept: one that somebody removed since cannot come back.
    if (state === "other" || (record.factsOnly && found === undefined)) return this.#leave(key);
    if (before === undefined) {
      if (this.#target.remove(key)) this.#removed += 1;
      else this.#leave(key);
      return;
    }
    if (record.factsOnly) this.#target.setFacts(key, before);
    else await this.#putBack(before, found);
    this.#restored += 1;
  }

  /** `after`: as the restore left it, or gone: what was there before is put back. */
  async #stateOf(record: UndoRecord, found: SourceEntry | undefined): Promise<"before" | "after" | "other"> {
    const { before, after, factsOnly } = record;
    if (found === undefined) return before === undefined ? "before" : "after";
    const isBefore = before !== undefined && this.#isAs(found, before);
    const isAfter = after !== undefined && this.#isAs(found, after);
    if (!isBefore) return isAfter ? "after" : "other";
    // A file that was damaged without a trace has the size and time of the right one: the content says which it is.
    const looksLikeBoth = isAfter && !factsOnly && found.kind === "file" && before.sha256 !== after.sha256;
    return looksLikeBoth && !(await this.#hasContent(found, before)) ? "after" : "before";
  }

  async #hasContent({ key }: SourceEntry, entry: ManifestEntry): Promise<boolean> {
    const content = this.#target.open(key);
    try {
      const sha256 = createHash("sha256");
      const buffer = Buffer.allocUnsafe(1 << 20);
      for (let length = await content.read(buffer); length > 0; length = await content.read(buffer)) {
        sha256.update(buffer.subarray(0, length));
      }
      return entry.sizeBytes === 0 || sha256.digest("hex") === entry.sha256;
    } finally {
      await content.close();
    }
  }

  #isAs(found: SourceEntry, entry: ManifestEntry): boolean {
    if (found.kind !== entry.kind) return false;
    if (entry.kind === "symlink") return found.target === entry.target;
    if (entry.kind === "directory") return true;
    const hasOwner = !this.#target.setsOwners || entry.uid === undefined || entry.uid === found.uid;
    return (
      hasOwner &&
      found.sizeBytes === entry.sizeBytes &&
      haveSameTime(found, entry) &&
      found.mode === entry.mode
    );
  }

  async #putBack(before: ManifestEntry, found: SourceEntry | undefined): Promise<void> {
    switch (before.kind) {
      case "directory":
        this.#target.makeFolder(before.key);
        this.#target.setFacts(before.key, before);
        return;
      case "symlink":
        this.#target.writeSymlink(before.key, before.target ?? "", before);
        return;
      case "file":
        await this.#target.writeFile(before.key, this.#contents.read(before), {
          ...before,
          sha256: before.sizeBytes === 0 ? emptySha256 : (before.sha256 ?? ""),
          durable: found !== undefined,
        });
    }
  }

  /** What a killed run left half written; once for the records of one folder. */
  #cleanUp(key: FileKey): void {
    const folder = key.slice(0, key.lastIndexOf("/", key.length - 2) + 1);
    if (folder === this.#cleanedFolder) return;
    this.#cleanedFolder = folder;
    this.#target.removeTemporary(key);
  }

  #leave(key: FileKey): void {
    this.#changed += 1;
    if (this.#changedSince.length < namesShown) this.#changedSince.push(showKey(key));
  }
}

const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
