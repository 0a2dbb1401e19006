import { createHash } from "node:crypto";
import type { UndoEvidence } from "../../contract/operations.ts";
import type { TaskOf } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import type { SourceEntry } from "../../core/ports/file-source.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import { emptySha256, showKey, type FileKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import { haveSameTime } from "../../core/restore/compare-files.ts";
import { haveSameObjectFacts } from "../../core/restore/compare-objects.ts";
import { forEachAtOnce } from "../at-once.ts";
import { Breather } from "../breather.ts";
import { ContentReader } from "../read/read-files.ts";
import { openFileTarget } from "../open-files.ts";
import type { TaskRun } from "../task.ts";
import {
  listUndoParts,
  openUndoPlace,
  readUndoPart,
  writtenFiles,
  type UndoPlace,
  type UndoRecord,
} from "./undo-journal.ts";

const namesShown = 10;

/**
 * Takes back what a restore did to its target: from the journal's end to its beginning, every object
 * becomes what it was. An object that is neither as the restore left it nor as it was before has been
 * changed by somebody since; it stays, and is named. Idempotent; may be killed and run again.
 */
export async function undoFiles(
  task: TaskOf<"undo-restore">,
  run: TaskRun,
): Promise<NonNullable<UndoEvidence["files"]>> {
  const plan = task.plan.files;
  if (plan === undefined) throw new Failure("undo-not-possible", "This restore touched no files.");
  const target = await openFileTarget(plan.url, task.restoreId, run, plan);
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
    await target.close();
  }
}

class FilesUndo {
  readonly #target: FileTarget;
  readonly #contents: ContentReader;
  readonly #run: TaskRun;
  readonly #breather: Breather;
  readonly #changedSince: string[] = [];
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
    const target = this.#target;
    await target.removeTemporary(writtenFiles(records));
    const isFolder = ({ factsOnly, before }: UndoRecord) =>
      target.keeps.folders && factsOnly && before?.kind === "directory";
    const objects = records.filter((record) => !isFolder(record)).reverse();
    this.#contents.expect(objects.flatMap(({ before, factsOnly }) => (factsOnly ? [] : (before ?? []))));
    await forEachAtOnce(objects, target.changesAtOnce, async (record) => {
      this.#run.signal.throwIfAborted();
      if (this.#breather.isDue()) await this.#breather.breathe();
      await this.#takeBackOne(record);
    });
    for (const { key, before } of records.filter(isFolder).reverse()) {
      if (before !== undefined && (await target.look(key))?.kind === "directory")
        await target.setFacts(key, before);
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
    const found = await this.#target.look(key);
    const state = await this.#stateOf(record, found);
    if (state === "before") return;
    // Its content was not changed, so it was not kept: one that somebody removed since cannot come back.
    if (state === "other" || (record.factsOnly && found === undefined)) return this.#leave(key);
    if (before === undefined) {
      if (!(await this.#target.remove(key))) return this.#leave(key);
      // Nobody lists the target after an undo, and stores have been seen that say so and do nothing.
      if ((await this.#target.look(key)) !== undefined) throw this.#notDone(key, "is still there");
      this.#removed += 1;
      return;
    }
    if (record.factsOnly) await this.#target.setFacts(key, before);
    else await this.#putBack(before, found);
    this.#restored += 1;
  }

  /** `after`: as the restore left it, or gone: what was there before is put back. */
  async #stateOf(record: UndoRecord, found: SourceEntry | undefined): Promise<"before" | "after" | "other"> {
    const { before, after, factsOnly } = record;
    if (found === undefined) return before === undefined ? "before" : "after";
    if (!this.#target.keeps.modesAndTimes) return this.#stateByContent(record, found);
    const isBefore = before !== undefined && this.#isAs(found, before);
    const isAfter = after !== undefined && this.#isAs(found, after);
    if (!isBefore) return isAfter ? "after" : "other";
    // A file that was damaged without a trace has the size and time of the right one: the content says which it is.
    const looksLikeBoth = isAfter && !factsOnly && found.kind === "file" && before.sha256 !== after.sha256;
    if (!looksLikeBoth) return "before";
    return before.sizeBytes === 0 || (await this.#hashOf(found)) === before.sha256 ? "before" : "after";
  }

  /** Where times cannot be set, only the content (and the facts that are kept) can say which of the two it is. */
  async #stateByContent(record: UndoRecord, found: SourceEntry): Promise<"before" | "after" | "other"> {
    const { before, after, factsOnly } = record;
    const hasFacts = haveSameObjectFacts(before?.object, found.object);
    const isUntouched = before?.version === found.version && before?.mtimeNs === found.mtimeNs;
    if (before?.version !== undefined && isUntouched && hasFacts) return "before";
    const looksAs = (entry: ManifestEntry | undefined): entry is ManifestEntry =>
      entry?.kind === found.kind &&
      entry.sizeBytes === found.sizeBytes &&
      haveSameObjectFacts(entry.object, found.object);
    const mayBe = { before: looksAs(before), after: looksAs(after) };
    if (!mayBe.before && !mayBe.after) return "other";
    const sha256 = found.sizeBytes === 0 ? emptySha256 : await this.#hashOf(found);
    const isAs = (entry: ManifestEntry | undefined) =>
      found.sizeBytes === 0 || (entry?.kind === "file" && entry.sha256 === sha256);
    // Of what had only its facts set, the content is known from what was wanted.
    if (mayBe.before && isAs(factsOnly ? after : before)) return "before";
    return mayBe.after && isAs(after) ? "after" : "other";
  }

  async #hashOf({ key }: SourceEntry): Promise<string> {
    const content = await this.#target.open(key);
    try {
      const sha256 = createHash("sha256");
      const buffer = Buffer.allocUnsafe(256 << 10);
      for (let length = await content.read(buffer); length > 0; length = await content.read(buffer)) {
        sha256.update(buffer.subarray(0, length));
      }
      return sha256.digest("hex");
    } finally {
      await content.close();
    }
  }

  #isAs(found: SourceEntry, entry: ManifestEntry): boolean {
    if (found.kind !== entry.kind) return false;
    if (entry.kind === "symlink") return found.target === entry.target;
    if (entry.kind === "directory") return true;
    const hasOwner = !this.#target.keeps.owners || entry.uid === undefined || entry.uid === found.uid;
    return (
      hasOwner &&
      found.sizeBytes === entry.sizeBytes &&
      haveSameTime(found, entry) &&
      found.mode === entry.mode
    );
  }

  async #putBack(before: ManifestEntry, found: SourceEntry | undefined): Promise<void> {
    const target = this.#target;
    if (before.kind === "symlink") {
      await target.writeSymlink(before.key, before.target ?? "", before);
    } else if (before.kind === "directory" && target.keeps.folders) {
      await target.makeFolder(before.key);
      await target.setFacts(before.key, before);
    } else {
      await target.writeFile(before.key, this.#contents.read(before), {
        ...before,
        sha256: before.sizeBytes === 0 ? emptySha256 : (before.sha256 ?? ""),
        durable: found !== undefined,
        // Even where there was nothing: what was not kept is missed by nobody else.
        replaces: true,
      });
    }
  }

  #notDone(key: FileKey, problem: string): Failure {
    return new Failure(
      "store-failed",
      `${showKey(key)} was removed from ${this.#target.url} and ${problem}. Run the undo again; ` +
        "`lc2 repository probe` shows whether this store can be relied on.",
    );
  }

  #leave(key: FileKey): void {
    this.#changed += 1;
    if (this.#changedSince.length < namesShown) this.#changedSince.push(showKey(key));
  }
}
