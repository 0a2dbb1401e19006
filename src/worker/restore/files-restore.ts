import type { RestoreFilesEvidence } from "../../contract/operations.ts";
import { SourceError, type SourceEntry } from "../../core/ports/file-source.ts";
import { Failure } from "../../core/failure.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import { showKey, type FileKey, type ManifestEntry, type StoredAt } from "../../core/repository/manifest.ts";
import type { FilesPlan } from "../../core/restore/restore.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { ContentReader } from "../read/read-files.ts";
import { ChangingError, smallFileBytes, SourceReader } from "../backup/read-source-file.ts";
import { ProgressReporter } from "../report-progress.ts";
import { StoredBytesWriter } from "../streams/stored-bytes-writer.ts";
import type { FileChange } from "./target-changes.ts";
import type { TaskRun } from "../task.ts";
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
 * Makes changes in the order they come: first everything that undoing a batch needs is made durable, then the
 * batch is done. Memory: a batch's entries. After a failure it must not be used any more.
 */
export class FilesRestore {
  readonly #in: FilesRestoreInput;
  readonly #contents: ContentReader;
  readonly #old: StoredBytesWriter;
  readonly #oldReader: SourceReader;
  readonly #progress: ProgressReporter;
  #batch: FileChange[] = [];
  #records: UndoRecord[] = [];
  #batchBytes = 0;
  /** Folders whose own facts are noted in this batch. */
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
    this.#contents = new ContentReader(run, backupId, keys, { sequential: true });
    this.#old = new StoredBytesWriter(undo.run, undo.restoreId, undoRun, undo.keys, target.url);
    const unlimited = new RateLimiter(undefined, run.signal);
    this.#oldReader = new SourceReader({ open: (key) => target.open(key) }, unlimited, run.signal);
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
      await this.#noteBefore(change);
      if (this.#records.length >= batchChanges || this.#batchBytes >= batchBytes) return this.#flush();
    }
    // What is kept matters only for its folder's facts.
    if (this.#batch.length >= 4 * batchChanges) await this.#flush();
  }

  /** Every change is on the disk already; otherwise the target has to be synced. */
  get isDurable(): boolean {
    return this.#syncsEach && this.#unsynced === 0;
  }

  async finish(): Promise<RestoreFilesEvidence> {
    await this.#flush();
    this.#leaveFolders(undefined);
    this.#progress.end();
    return this.#counts;
  }

  /** Writes down how the object, and the folder it is in, are now; an old content goes into the undo folder. */
  async #noteBefore(change: RealChange): Promise<void> {
    this.#noteFolder(change.key);
    const after = change.do === "remove" ? undefined : change.wanted;
    if (change.do === "set-facts") {
      this.#records.push({ key: change.key, before: toEntry(change.found), after, factsOnly: true });
      return;
    }
    const before = change.found === undefined ? undefined : await this.#keepOld(change.found);
    this.#records.push({ key: change.key, before, after, factsOnly: false });
  }

  #noteFolder(key: FileKey): void {
    const bare = key.endsWith("/") ? key.slice(0, -1) : key;
    const parent = bare.slice(0, bare.lastIndexOf("/") + 1);
    if (parent === "" || this.#noted.has(parent)) return;
    this.#noted.add(parent);
    const found = this.#in.target.look(parent);
    if (found?.kind !== "directory") return;
    const entry = toEntry(found);
    this.#records.push({ key: parent, before: entry, after: entry, factsOnly: true });
  }

  async #keepOld(found: SourceEntry): Promise<ManifestEntry | undefined> {
    try {
      return await this.#storeOld(found);
    } catch (cause) {
      if (!(cause instanceof ChangingError || cause instanceof SourceError)) throw cause;
      throw new Failure(
        "restore-target-changed",
        `${showKey(found.key)} in ${this.#in.target.url} would be replaced, but its present content cannot be kept: ` +
          `${cause.message}. Nothing of it was changed. Stop what writes there and run the restore again, or undo it.`,
        { cause },
      );
    }
  }

  async #storeOld(found: SourceEntry): Promise<ManifestEntry | undefined> {
    if (found.kind === "special") {
      this.#warn(
        `${showKey(found.key)} is a ${found.problem?.message ?? "special file"}; an undo cannot bring it back.`,
      );
      return undefined;
    }
    if (found.kind !== "file" || found.sizeBytes === 0) return toEntry(found);
    const read =
      found.sizeBytes < smallFileBytes
        ? await this.#oldReader.readSmall(found.key, (content) => this.#storeSmall(content))
        : undefined;
    const kept =
      read ?? (await this.#oldReader.readLarge(found.key, (pieces) => this.#old.storeLarge(pieces)));
    this.#batchBytes += kept.content.length;
    return { ...toEntry(kept.facts), sha256: kept.sha256, stored: kept.content };
  }

  async #storeSmall(content: Uint8Array): Promise<StoredAt> {
    const placement = this.#old.storeSmall(content);
    await this.#old.settle();
    if (placement.stored === undefined) throw new Error("a settled content has no place");
    return placement.stored;
  }

  /** Ends what is under way. */
  async abort(): Promise<void> {
    await this.#old.abort();
  }

  /** The journal part first, then the changes it speaks of. */
  async #flush(): Promise<void> {
    const { undo, undoRun, run } = this.#in;
    if (this.#records.length > 0) {
      await this.#old.finish();
      run.signal.throwIfAborted();
      await writeUndoPart(undo, undoRun, (this.#parts += 1), this.#records);
      if (this.#parts === 1) this.#in.target.create();
    }
    const batch = this.#batch;
    [this.#batch, this.#records, this.#batchBytes] = [[], [], 0];
    this.#noted = new Set();
    for (const change of batch) {
      run.signal.throwIfAborted();
      await this.#make(change);
    }
  }

  async #make(change: FileChange): Promise<void> {
    this.#leaveFolders(change.key);
    const { target } = this.#in;
    switch (change.do) {
      case "keep":
        break;
      case "remove":
        if (target.remove(change.key)) this.#count("removed");
        break;
      case "set-facts":
        if (change.wanted.kind !== "directory") target.setFacts(change.key, change.wanted);
        if (change.isFolderTimeOnly) this.#counts.unchanged += 1;
        else this.#count("replaced");
        break;
      case "place":
        await this.#place(change.wanted, change.found !== undefined);
        this.#count(change.found === undefined ? "added" : "replaced", change.wanted.kind === "file");
    }
    if (change.do !== "keep") this.#touchFolder(change.key);
    if (change.do !== "remove" && change.wanted.kind === "directory") {
      this.#open.push({ entry: change.wanted, touched: change.do !== "keep" });
    }
  }

  async #place(wanted: ManifestEntry, isReplacing: boolean): Promise<void> {
    const { target } = this.#in;
    switch (wanted.kind) {
      case "directory":
        target.makeFolder(wanted.key);
        return;
      case "symlink":
        target.writeSymlink(wanted.key, wanted.target ?? "", wanted);
        return;
      case "file":
        await target.writeFile(wanted.key, this.#countPieces(wanted), {
          ...wanted,
          sha256: wanted.sha256 ?? "",
          // What is added can be added again after a power cut; what is replaced must not be half there.
          durable: isReplacing || this.#syncsEach,
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

  #leaveFolders(key: FileKey | undefined): void {
    for (;;) {
      const folder = this.#open.at(-1);
      if (folder === undefined || (key !== undefined && key.startsWith(folder.entry.key))) return;
      this.#open.pop();
      if (folder.touched) this.#in.target.setFacts(folder.entry.key, folder.entry);
    }
  }

  #count(what: "added" | "replaced" | "removed", isSynced = false): void {
    if (!isSynced) this.#unsynced += 1;
    this.#counts[what] += 1;
    this.#progress.add(0, 1);
  }

  #warn(message: string): void {
    this.#in.run.report({ type: "log", level: "warn", message });
  }
}

function toEntry(found: SourceEntry): ManifestEntry {
  const { problem: _problem, kind, ...facts } = found;
  if (kind === "special") throw new Error("a special file has no entry");
  return { ...facts, kind };
}
