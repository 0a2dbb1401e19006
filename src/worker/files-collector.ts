import { hash } from "node:crypto";
import type { FilesSourceSpec } from "../core/backup/backup.ts";
import { decideFile } from "../core/files/merge-join.ts";
import { encodeSkipped, type SkippedObject } from "../core/files/skipped-object.ts";
import { sourceProblem, type SourceTotals } from "../core/files/source-totals.ts";
import type { FileFilter } from "../core/files/filter.ts";
import { SourceError, type FileSource, type SourceEntry } from "../core/ports/file-source.ts";
import { attemptName } from "../core/repository/layout.ts";
import {
  encodeEntry,
  showKey,
  type FileKey,
  type ManifestEntry,
  type StoredAt,
} from "../core/repository/manifest.ts";
import type { FilesComponent } from "../core/repository/metadata.ts";
import { Failure } from "../core/failure.ts";
import type { BackupKeys } from "./backup-keys.ts";
import { LineWriter } from "./line-writer.ts";
import type { KnownBackup, KnownFile, PreviousFiles } from "./previous-files.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { ChangingError, smallFileBytes, SourceReader, type ReadFile } from "./read-source-file.ts";
import { ReferenceChecker } from "./reference-checker.ts";
import { ProgressReporter } from "./report-progress.ts";
import { StoredBytesWriter, type Placement } from "./stored-bytes-writer.ts";
import type { TaskRun } from "./task.ts";

const emptySha256 = hash("sha256", "");
const namesShown = 10;
const waitingEntries = 4096;
const waitingBytes = 4 << 20;

export interface CollectorInput {
  readonly source: FileSource;
  readonly spec: FilesSourceSpec;
  readonly backupId: string;
  readonly attempt: number;
  readonly keys: BackupKeys;
  readonly filter: FileFilter;
  readonly known: PreviousFiles;
  readonly run: TaskRun;
}

/** What the collector knows for the component's evidence. */
type CollectedFacts = Omit<
  FilesComponent,
  "source" | "listingStartedAt" | "listingFinishedAt" | "references" | "filters"
>;

/** An earlier version of a file whose bytes may be referred to. */
interface Candidate {
  readonly entry: ManifestEntry;
  readonly from: KnownBackup;
}

/**
 * Takes the joined list key by key, in order, and does with each what is to be done: refer, read and store,
 * keep what vanished, note what cannot be had. Memory: a pack's entries, whatever the source's size.
 */
export class FilesCollector {
  readonly #in: CollectorInput;
  readonly #bytes: StoredBytesWriter;
  readonly #manifest: LineWriter;
  readonly #reader: SourceReader;
  readonly #references: ReferenceChecker;
  readonly #progress: ProgressReporter;
  #skipped: LineWriter | undefined;
  #skippedObjects = 0;
  /** Entries in their order from the first whose bytes are still on their way. */
  readonly #waiting: { readonly entry: ManifestEntry; readonly placement: Placement | undefined }[] = [];
  /** Of new content, since it was last looked which entries have their place. */
  #waitingBytes = 0;
  readonly #unreadable: string[] = [];
  #unreadableObjects = 0;
  #changingObjects = 0;
  /** The folder that could not be listed last: what earlier backups know of it has not vanished. */
  #unlistedFolder: FileKey | undefined;
  readonly #now: SourceTotals = { files: 0, others: 0, bytes: 0 };
  readonly #before: SourceTotals = { files: 0, others: 0, bytes: 0 };
  readonly #counts = {
    objects: 0,
    directories: 0,
    symlinks: 0,
    sourceBytes: 0,
    newObjects: 0,
    unchangedObjects: 0,
    vanishedObjects: 0,
    excludedObjects: 0,
  };

  static async create(input: CollectorInput): Promise<FilesCollector> {
    const { run, backupId, attempt, keys } = input;
    const place = { store: run.store, projectId: run.context.projectId, backupId, key: keys.data };
    const name = `${attemptName(attempt)}/files/manifest`;
    return new FilesCollector(input, await LineWriter.create(place, name));
  }

  constructor(input: CollectorInput, manifest: LineWriter) {
    const { run, backupId, attempt, keys, source } = input;
    this.#in = input;
    this.#manifest = manifest;
    this.#bytes = new StoredBytesWriter(run, backupId, attempt, keys, source.url);
    const rate = new RateLimiter(run.context.maxRateBytesPerSecond, run.signal);
    this.#reader = new SourceReader(source, rate, run.signal);
    this.#references = new ReferenceChecker(run, backupId);
    const last = input.known.previous?.metadata.components.files;
    this.#progress = new ProgressReporter(run, {
      component: "files",
      phase: "reading",
      bytes: 0,
      objects: 0,
      ...(last === undefined ? {} : { totalBytes: last.sourceBytes, totalObjects: last.objects }),
    });
  }

  countExcluded(): void {
    this.#counts.excludedObjects += 1;
  }

  /** One key: what is known of it, what the source says. At least one of both. */
  take(known: KnownFile | undefined, entry: SourceEntry | undefined): Promise<void> | undefined {
    this.#countBefore(known?.previous);
    if (entry === undefined) return known === undefined ? undefined : this.#takeMissing(known);
    switch (entry.kind) {
      case "file":
        return this.#takeFile(known, entry);
      case "directory":
        return this.#takeFolder(entry);
      case "symlink":
        this.#counts.symlinks += 1;
        this.#now.others += 1;
        return this.#write(toManifestEntry(entry, {}));
      case "special":
        return this.#takeProblem(known, entry);
    }
  }

  /** Ends the attempt's files. Rejects, with nothing lost for the next attempt, when the source is not as it should be. */
  async finish(): Promise<{ facts: CollectedFacts; referenceKeys: ReadonlyMap<string, Buffer> }> {
    await this.#bytes.closePack();
    await this.#writeWaiting();
    const problem = this.#unreadableFailure() ?? this.#shrinkFailure();
    if (problem !== undefined) {
      await this.#bytes.writeJournal();
      throw problem;
    }
    await this.#bytes.finish();
    const manifest = await this.#manifest.finish();
    const skipped = await this.#skipped?.finish();
    this.#progress.end();
    this.#warnAtEnd();
    const facts: CollectedFacts = {
      manifest,
      stored: this.#bytes.stored,
      ...this.#counts,
      ...(skipped === undefined ? {} : { skipped: { ...skipped, objects: this.#skippedObjects } }),
    };
    return { facts, referenceKeys: this.#references.keys };
  }

  /** Leaves no unfinished file; what is in the journal stays. Idempotent. */
  async abort(): Promise<void> {
    await this.#bytes.abort();
    await this.#manifest.abort();
    await this.#skipped?.abort();
  }

  #countBefore(previous: ManifestEntry | undefined): void {
    if (previous === undefined || previous.vanished || previous.kind === "directory") return;
    if (!this.#in.filter.includes(previous.key)) return;
    if (previous.kind === "file") this.#before.files += 1;
    else this.#before.others += 1;
    this.#before.bytes += previous.sizeBytes;
  }

  #takeFolder(entry: SourceEntry): Promise<void> | undefined {
    this.#counts.directories += 1;
    if (entry.problem === undefined) return this.#write(toManifestEntry(entry, {}));
    this.#unlistedFolder = entry.key;
    return this.#writeProblemFolder(entry, entry.problem.message);
  }

  async #writeProblemFolder(entry: SourceEntry, message: string): Promise<void> {
    await this.#write(toManifestEntry(entry, {}));
    await this.#skip({ key: entry.key, reason: "unreadable", message, earlierVersionKept: false });
  }

  /** A file: unchanged by its facts, or to be read. */
  async #takeFile(known: KnownFile | undefined, entry: SourceEntry): Promise<void> {
    const candidates = this.#candidates(known);
    for (const candidate of candidates) {
      if (decideFile(candidate.entry, entry) !== "unchanged") continue;
      const { sha256 } = candidate.entry;
      if (entry.sizeBytes === 0) return this.#writeFile(entry, { sha256 }, "unchanged");
      const referred = this.#references.refer(candidate.entry, candidate.from);
      const stored = referred instanceof Promise ? await referred : referred;
      if (stored !== undefined) return this.#writeFile(entry, { sha256, stored }, "unchanged");
    }
    try {
      await (entry.sizeBytes < smallFileBytes
        ? this.#readSmall(entry, candidates)
        : this.#readLarge(entry, candidates));
    } catch (error) {
      await this.#takeReadError(known, entry, error);
    }
  }

  async #readSmall(entry: SourceEntry, candidates: readonly Candidate[]): Promise<void> {
    const read = await this.#reader.readSmall(entry.key, (content) => content);
    // It has grown since it was listed.
    if (read === undefined) return this.#readLarge(entry, candidates);
    if (read.content.length === 0) return this.#writeFile(this.#settle(read), { sha256: emptySha256 }, "new");
    const same = await this.#findSameContent(read, candidates);
    if (same !== undefined)
      return this.#writeFile(this.#settle(read), { sha256: read.sha256, stored: same }, "unchanged");
    const placement = this.#bytes.storeSmall(read.content);
    await this.#writeStored(read, placement);
    await this.#bytes.room();
  }

  async #readLarge(entry: SourceEntry, candidates: readonly Candidate[]): Promise<void> {
    // Only its owner, mode or place changed, it seems: reading it is cheaper than storing it again.
    const likely = candidates.filter(
      ({ entry: { mtimeNs, sizeBytes } }) => mtimeNs === entry.mtimeNs && sizeBytes === entry.sizeBytes,
    );
    if (likely.length > 0) {
      const looked = await this.#reader.readLarge(entry.key, async (pieces) => {
        for await (const piece of pieces) this.#progress.add(piece.length);
      });
      const same = await this.#findSameContent(looked, likely);
      if (same !== undefined) {
        return this.#writeFile(this.#settle(looked), { sha256: looked.sha256, stored: same }, "unchanged", 0);
      }
    }
    if (this.#bytes.isJournalDue(entry.sizeBytes)) await this.#writeJournal();
    const read = await this.#reader.readLarge(entry.key, (pieces) =>
      this.#bytes.storeLarge(this.#countPieces(pieces)),
    );
    if (read.facts.sizeBytes === 0)
      return this.#writeFile(this.#settle(read), { sha256: emptySha256 }, "new");
    await this.#writeStored(read, { stored: read.content }, 0);
    if (this.#bytes.isJournalDue()) await this.#writeJournal();
  }

  /** Makes everything stored so far safe from a kill. */
  async #writeJournal(): Promise<void> {
    await this.#bytes.closePack();
    await this.#writeWaiting();
    await this.#bytes.writeJournal();
  }

  async *#countPieces(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const piece of pieces) {
      this.#progress.add(piece.length);
      yield piece;
    }
  }

  /** Bytes stored before that are this very content; its facts had left a doubt. */
  async #findSameContent(
    { sha256, facts }: ReadFile<unknown>,
    candidates: readonly Candidate[],
  ): Promise<StoredAt | undefined> {
    for (const { entry, from } of candidates) {
      if (entry.sha256 !== sha256 || entry.sizeBytes !== facts.sizeBytes) continue;
      const stored = await this.#references.refer(entry, from);
      if (stored !== undefined) return stored;
    }
    return undefined;
  }

  async #writeStored(read: ReadFile<unknown>, placement: Placement, progressBytes?: number): Promise<void> {
    const facts = this.#settle(read);
    this.#countContent(facts, "new", progressBytes);
    await this.#write(toManifestEntry(facts, { sha256: read.sha256 }), placement);
  }

  /**
   * The facts of what was read. A content that changed just before it was read may change again within the
   * same tick of the file system's clock and keep all its facts; without a version it is read again next time.
   */
  #settle({ facts }: ReadFile<unknown>): SourceEntry {
    const changedAtNs = BigInt(facts.version?.split(":")[0] ?? "0");
    // A file system that keeps whole seconds (FAT: two) has a slower clock.
    const tickMs = changedAtNs % 1_000_000_000n === 0n ? 2500 : 50;
    if (this.#in.run.clock.nowMs() - Number(changedAtNs / 1_000_000n) > tickMs) return facts;
    const { version: _unsettled, ...settled } = facts;
    return settled;
  }

  #candidates(known: KnownFile | undefined): readonly Candidate[] {
    if (known === undefined || this.#in.spec.rehash) return [];
    const { previous } = this.#in.known;
    const isUsable = (entry: ManifestEntry) => entry.kind === "file";
    const attempts = known.attempts.filter(({ entry }) => isUsable(entry));
    if (known.previous === undefined || previous === undefined || !isUsable(known.previous)) return attempts;
    return [{ entry: known.previous, from: previous }, ...attempts];
  }

  async #takeReadError(known: KnownFile | undefined, entry: SourceEntry, error: unknown): Promise<void> {
    if (error instanceof ChangingError) {
      this.#changingObjects += 1;
      const problem = { reason: "changing" as const, message: error.message };
      return this.#takeProblem(known, { ...entry, problem });
    }
    if (!(error instanceof SourceError)) throw error;
    if (error.reason === "gone") return known === undefined ? undefined : this.#takeMissing(known);
    return this.#takeProblem(known, { ...entry, problem: { reason: "unreadable", message: error.message } });
  }

  /** Not to be had as it is now: named, and the version stored before is kept where there is one. */
  async #takeProblem(known: KnownFile | undefined, entry: SourceEntry): Promise<void> {
    const problem = entry.problem ?? { reason: "unreadable" as const, message: "it cannot be read" };
    if (problem.reason !== "special") this.#now.files += 1;
    const kept = problem.reason === "special" ? false : await this.#keepEarlier(known, { stale: true });
    await this.#skip({ key: entry.key, ...problem, earlierVersionKept: kept });
  }

  /** In no listing any more. */
  async #takeMissing(known: KnownFile): Promise<void> {
    const { previous } = known;
    if (previous === undefined || !this.#in.filter.includes(known.key)) return;
    if (this.#unlistedFolder !== undefined && known.key.startsWith(this.#unlistedFolder)) {
      await this.#keepEarlier(known, { stale: true });
      return;
    }
    if (decideFile(previous, undefined) !== "vanished") return;
    // Where something of another kind took its place, both could not be restored side by side.
    if (!(await this.#in.source.hasRoomFor(known.key))) return;
    if (await this.#keepEarlier(known, { vanished: true })) this.#counts.vanishedObjects += 1;
  }

  /** Keeps the version of the last backup by reference, with a mark. False when there is none. */
  async #keepEarlier(
    known: KnownFile | undefined,
    mark: { vanished: true } | { stale: true },
  ): Promise<boolean> {
    const { previous: from } = this.#in.known;
    const earlier = known?.previous;
    if (earlier === undefined || from === undefined) return false;
    const { vanished: _vanished, stale: _stale, stored: _stored, ...facts } = earlier;
    if (earlier.stored === undefined) {
      if (earlier.kind === "directory") this.#counts.directories += 1;
      else if (earlier.kind === "symlink") this.#counts.symlinks += 1;
      else this.#countFile(earlier);
      await this.#write({ ...facts, ...mark });
      return true;
    }
    const stored = await this.#references.refer(earlier, from);
    if (stored === undefined) return false;
    this.#countFile(earlier);
    await this.#write({ ...facts, stored, ...mark });
    return true;
  }

  #writeFile(
    entry: SourceEntry,
    content: { readonly sha256?: string | undefined; readonly stored?: StoredAt },
    kind: "new" | "unchanged",
    progressBytes?: number,
  ): Promise<void> | undefined {
    this.#countContent(entry, kind, progressBytes);
    return this.#write(toManifestEntry(entry, content));
  }

  #countContent(entry: SourceEntry, kind: "new" | "unchanged", progressBytes = entry.sizeBytes): void {
    this.#countFile(entry);
    this.#now.files += 1;
    this.#now.bytes += entry.sizeBytes;
    if (kind === "new") this.#counts.newObjects += 1;
    else this.#counts.unchangedObjects += 1;
    this.#progress.add(progressBytes, 1);
  }

  #countFile(entry: { readonly sizeBytes: number }): void {
    this.#counts.objects += 1;
    this.#counts.sourceBytes += entry.sizeBytes;
  }

  /** An entry in its turn; with a placement its bytes were stored by this attempt, or are on their way. */
  #write(entry: ManifestEntry, placement?: Placement): Promise<void> | undefined {
    if (this.#waiting.length === 0 && placement === undefined) return this.#manifest.add(encodeEntry(entry));
    this.#waiting.push({ entry, placement });
    this.#waitingBytes += placement === undefined ? 0 : entry.sizeBytes;
    // Not for every entry: asking costs more than waiting.
    const isDue = (this.#waiting.length & 127) === 0 || this.#waitingBytes >= waitingBytes;
    return isDue ? this.#writeSomeWaiting() : undefined;
  }

  async #writeSomeWaiting(): Promise<void> {
    await this.#writeWaiting();
    // Behind a small file whose batch is not full, unchanged ones could gather for ever.
    if (this.#waiting.length < waitingEntries) return;
    await this.#bytes.settle();
    await this.#writeWaiting();
  }

  /** Writes what has its place, up to the first that has not. */
  async #writeWaiting(): Promise<void> {
    let written = 0;
    for (const { entry, placement } of this.#waiting) {
      if (placement === undefined) await this.#manifest.add(encodeEntry(entry));
      else {
        if (placement.stored === undefined) break;
        const placed = { ...entry, stored: placement.stored };
        await this.#manifest.add(encodeEntry(placed));
        await this.#bytes.record(placed);
      }
      written += 1;
    }
    this.#waiting.splice(0, written);
    this.#waitingBytes = 0;
    await this.#bytes.journalClosedPack();
  }

  async #skip(skipped: SkippedObject): Promise<void> {
    const { run, backupId, attempt, keys } = this.#in;
    const place = { store: run.store, projectId: run.context.projectId, backupId, key: keys.data };
    this.#skipped ??= await LineWriter.create(place, `${attemptName(attempt)}/files/skipped`);
    this.#skippedObjects += 1;
    if (skipped.reason === "unreadable") {
      this.#unreadableObjects += 1;
      if (this.#unreadable.length < namesShown)
        this.#unreadable.push(`${showKey(skipped.key)} (${skipped.message})`);
    } else if (this.#skippedObjects <= namesShown) {
      this.#warn(`${showKey(skipped.key)} is not in this backup as it is now: ${skipped.message}.`);
    }
    await this.#skipped.add(encodeSkipped(skipped));
  }

  #unreadableFailure(): Failure | undefined {
    if (this.#unreadableObjects === 0 || this.#in.spec.allowUnreadable) return undefined;
    const more = this.#unreadableObjects - this.#unreadable.length;
    return new Failure(
      "files-unreadable",
      `${this.#unreadableObjects} files or folders of ${this.#in.source.url} cannot be read: ` +
        `${this.#unreadable.join(", ")}${more > 0 ? ` and ${more} more` : ""}. Give this user the right to read ` +
        "them, exclude them, or accept a backup without them with --allow-unreadable.",
    );
  }

  #shrinkFailure(): Failure | undefined {
    const last = this.#in.known.previous;
    const component = last?.metadata.components.files;
    // Of a manifest that could not be read to its end only the totals are known.
    const before =
      component !== undefined && this.#in.known.isPreviousDamaged()
        ? { files: component.objects, others: component.symlinks, bytes: component.sourceBytes }
        : this.#before;
    return sourceProblem({
      url: this.#in.source.url,
      now: this.#now,
      before: last === undefined ? undefined : { ...before, backupId: last.backupId },
      maxShrink: this.#in.spec.maxShrink,
    });
  }

  #warnAtEnd(): void {
    if (this.#unreadableObjects > 0) {
      this.#warn(
        `${this.#unreadableObjects} files or folders could not be read and are not in this backup as they are ` +
          `now: ${this.#unreadable.join(", ")}${this.#unreadableObjects > namesShown ? ", …" : ""}.`,
      );
    }
    if (this.#changingObjects > 0) {
      this.#warn(
        `${this.#changingObjects} files changed at every attempt to read them; their names are in the list of skipped files.`,
      );
    }
    if (this.#references.lost > 0) {
      this.#warn(
        `Stored bytes of ${this.#references.lost} files that earlier backups refer to are missing in the repository. ` +
          "What the source still has was read again; run `lc2 repository check`.",
      );
    }
  }

  #warn(message: string): void {
    this.#in.run.report({ type: "log", level: "warn", message });
  }
}

function toManifestEntry(
  entry: SourceEntry,
  content: { readonly sha256?: string | undefined; readonly stored?: StoredAt },
): ManifestEntry {
  return {
    key: entry.key,
    kind: entry.kind as ManifestEntry["kind"],
    sizeBytes: entry.sizeBytes,
    mtimeNs: entry.mtimeNs,
    mode: entry.mode,
    ...(entry.uid === undefined ? undefined : { uid: entry.uid }),
    ...(entry.gid === undefined ? undefined : { gid: entry.gid }),
    ...(entry.version === undefined ? undefined : { version: entry.version }),
    ...(content.sha256 === undefined ? undefined : { sha256: content.sha256 }),
    ...(entry.target === undefined ? undefined : { target: entry.target }),
    ...(content.stored === undefined ? undefined : { stored: content.stored }),
  };
}
