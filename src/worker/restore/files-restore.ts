import type { RestoreFilesEvidence } from "../../contract/operations.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import { emptySha256, type FileKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import type { FilesPlan } from "../../core/restore/restore.ts";
import { forEachAtOnce } from "../at-once.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { ContentReader } from "../read/read-files.ts";
import { ProgressReporter } from "../report-progress.ts";
import type { TaskRun } from "../task.ts";
import { OldContents, toEntry, type OldObject } from "./old-contents.ts";
import type { FileChange } from "./file-change.ts";
import { writeUndoPart, type UndoPlace, type UndoRecord } from "./undo-journal.ts";

/** Changes are made in batches: their journal part is written first. */
const batchChanges = 4000;
/** Old content kept for one batch. */
const batchBytes = 64 << 20;
const fewFiles = 32;

export interface FilesRestoreInput {
  readonly target: FileTarget;
  readonly plan: FilesPlan;
  readonly backupId: string;
  readonly keys: BackupKeys;
  readonly undo: UndoPlace;
  /** Number of this run of the restore. */
  readonly undoRun: number;
  readonly run: TaskRun;
}

type RealChange = Exclude<FileChange, { do: "keep" }>;

/**
 * Makes changes: first everything that undoing a batch needs is made durable, then the batch is done, in the order
 * of the changes, or as many of them at once as the target takes. Memory: a batch's entries. After a failure it
 * must not be used any more.
 */
export class FilesRestore {
  readonly #in: FilesRestoreInput;
  readonly #contents: ContentReader;
  readonly #old: OldContents;
  readonly #progress: ProgressReporter;
  #batch: FileChange[] = [];
  #batchChanges = 0;
  #batchBytes = 0;
  /** Folders whose own facts are noted for this batch. */
  #noted = new Set<FileKey>();
  #parts = 0;
  /** Wanted folders on the way to the last change; their facts are set when they are left. */
  readonly #open: { readonly entry: ManifestEntry; touched: boolean }[] = [];
  /** Of a few files each is made durable by itself: syncing all of a file system's writes takes longer. */
  readonly #syncsEach: boolean;
  #unsynced = 0;
  readonly #counts = { added: 0, replaced: 0, removed: 0, unchanged: 0, bytesWritten: 0, verified: 0 };

  constructor(input: FilesRestoreInput) {
    const { run, undo, undoRun, target, backupId, keys, plan } = input;
    this.#in = input;
    this.#syncsEach = plan.add + plan.change <= fewFiles;
    this.#contents = new ContentReader(run, backupId, keys);
    this.#old = new OldContents({ target, undo, undoRun, run });
    this.#progress = new ProgressReporter(run, {
      component: "files",
      phase: "restoring",
      bytes: 0,
      objects: 0,
      totalBytes: plan.bytesToWrite,
      totalObjects: plan.add + plan.change + plan.remove,
    });
  }

  async take(change: FileChange): Promise<void> {
    this.#batch.push(change);
    if (change.do === "keep") {
      this.#counts.unchanged += 1;
    } else {
      this.#batchChanges += 1;
      if (change.do !== "set-facts") this.#batchBytes += change.found?.sizeBytes ?? 0;
    }
    const isFull = this.#batchChanges >= batchChanges || this.#batchBytes >= batchBytes;
    // What is kept matters only for its folder's facts.
    if (isFull || this.#batch.length >= 4 * batchChanges) await this.#flush();
  }

  /** Every change is on the disk already; otherwise the target has to be synced. */
  get isDurable(): boolean {
    return this.#syncsEach && this.#unsynced === 0;
  }

  async finish(): Promise<RestoreFilesEvidence> {
    await this.#flush();
    await this.#leaveFolders(undefined);
    this.#progress.end();
    return this.#counts;
  }

  /** How everything that a batch touches is now; old contents are durable in the undo folder when it resolves. */
  async #noteBefore(batch: readonly FileChange[]): Promise<UndoRecord[]> {
    const notes: Note[] = [];
    for (const change of batch) {
      if (change.do === "keep") continue;
      if (this.#in.target.keeps.folders) await this.#noteFolder(change.key, notes);
      notes.push(noteOf(change));
    }
    await this.#old.keep(notes.flatMap(({ old }) => old ?? []));
    return notes.map(({ record, old }) => (old === undefined ? record : { ...record, before: old.entry }));
  }

  /** The facts of the folder that an object is in, which change with it; once for a batch. */
  async #noteFolder(key: FileKey, notes: Note[]): Promise<void> {
    const bare = key.endsWith("/") ? key.slice(0, -1) : key;
    const parent = bare.slice(0, bare.lastIndexOf("/") + 1);
    if (parent === "" || this.#noted.has(parent)) return;
    this.#noted.add(parent);
    const found = await this.#in.target.look(parent);
    if (found?.kind !== "directory") return;
    const entry = toEntry(found);
    notes.push({ record: { key: parent, before: entry, after: entry, factsOnly: true } });
  }

  /** Ends what is under way. */
  async abort(): Promise<void> {
    await this.#old.abort();
  }

  /** The journal part first, then the changes it speaks of. */
  async #flush(): Promise<void> {
    const { undo, undoRun, run, target } = this.#in;
    const batch = this.#batch;
    [this.#batch, this.#batchChanges, this.#batchBytes] = [[], 0, 0];
    this.#noted = new Set();
    const records = await this.#noteBefore(batch);
    if (records.length > 0) {
      run.signal.throwIfAborted();
      await writeUndoPart(undo, undoRun, (this.#parts += 1), records);
      if (this.#parts === 1) await target.create();
    }
    this.#contents.expect(batch.flatMap((change) => (change.do === "place" ? change.wanted : [])));
    await forEachAtOnce(batch, target.changesAtOnce, (change) => {
      run.signal.throwIfAborted();
      return this.#make(change);
    });
  }

  async #make(change: FileChange): Promise<void> {
    const { target } = this.#in;
    if (target.keeps.folders) await this.#leaveFolders(change.key);
    switch (change.do) {
      case "keep":
        break;
      case "remove":
        if (await target.remove(change.key)) this.#count("removed");
        break;
      case "set-facts":
        if (!this.#isFolder(change.wanted)) await target.setFacts(change.key, change.wanted);
        if (change.isFolderTimeOnly) this.#counts.unchanged += 1;
        else this.#count("replaced");
        break;
      case "place":
        await this.#place(change.wanted, change.found !== undefined);
        this.#count(change.found === undefined ? "added" : "replaced", change.wanted.kind === "file");
    }
    if (!target.keeps.folders) return;
    if (change.do !== "keep") this.#touchFolder(change.key);
    if (change.do !== "remove" && change.wanted.kind === "directory") {
      this.#open.push({ entry: change.wanted, touched: change.do !== "keep" });
    }
  }

  #isFolder({ kind }: ManifestEntry): boolean {
    return kind === "directory" && this.#in.target.keeps.folders;
  }

  async #place(wanted: ManifestEntry, isReplacing: boolean): Promise<void> {
    const { target } = this.#in;
    if (this.#isFolder(wanted)) {
      await target.makeFolder(wanted.key);
    } else if (wanted.kind === "symlink") {
      await target.writeSymlink(wanted.key, wanted.target ?? "", wanted);
    } else {
      await target.writeFile(wanted.key, this.#countPieces(wanted), {
        ...wanted,
        sha256: wanted.sha256 ?? emptySha256,
        // What is added can be added again after a power cut; what is replaced must not be half there.
        durable: isReplacing || this.#syncsEach,
        replaces: isReplacing,
      });
      this.#counts.verified += 1;
    }
  }

  async *#countPieces(wanted: ManifestEntry): AsyncGenerator<Buffer, void, undefined> {
    for await (const piece of this.#contents.read(wanted)) {
      this.#in.run.signal.throwIfAborted();
      yield piece;
      this.#counts.bytesWritten += piece.length;
      this.#progress.add(piece.length);
    }
  }

  /** Its list changed, so its time did; it is set again when the folder is left. */
  #touchFolder(key: FileKey): void {
    const bare = key.endsWith("/") ? key.slice(0, -1) : key;
    const parent = bare.slice(0, bare.lastIndexOf("/") + 1);
    const folder = this.#open.findLast(({ entry }) => entry.key === parent);
    if (folder !== undefined) folder.touched = true;
  }

  async #leaveFolders(key: FileKey | undefined): Promise<void> {
    for (;;) {
      const folder = this.#open.at(-1);
      if (folder === undefined || (key !== undefined && key.startsWith(folder.entry.key))) return;
      this.#open.pop();
      if (folder.touched) await this.#in.target.setFacts(folder.entry.key, folder.entry);
    }
  }

  #count(what: "added" | "replaced" | "removed", isSynced = false): void {
    if (!isSynced) this.#unsynced += 1;
    this.#counts[what] += 1;
    this.#progress.add(0, 1);
  }
}

/** What the journal will say of a change, and the old object whose content has to be kept before. */
interface Note {
  readonly record: UndoRecord;
  readonly old?: OldObject;
}

function noteOf(change: RealChange): Note {
  const { key } = change;
  const after = change.do === "remove" ? undefined : change.wanted;
  if (change.do === "set-facts")
    return { record: { key, before: toEntry(change.found), after, factsOnly: true } };
  const record = { key, before: undefined, after, factsOnly: false };
  return change.found === undefined ? { record } : { record, old: { found: change.found, entry: undefined } };
}
