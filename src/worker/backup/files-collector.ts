import { hash } from "node:crypto";
import type { FilesSourceSpec } from "../../core/backup/backup.ts";
import { decideFile } from "../../core/files/merge-join.ts";
import type { FileFilter } from "../../core/files/filter.ts";
import { SourceError, type FileSource, type SourceEntry } from "../../core/ports/file-source.ts";
import { attemptName } from "../../core/repository/layout.ts";
import { type FileKey, type ManifestEntry, type StoredAt } from "../../core/repository/manifest.ts";
import type { FilesComponent } from "../../core/repository/metadata.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import type { OpenedKey } from "../keys/keyring-entries.ts";
import { OrderedManifest } from "./ordered-manifest.ts";
import type { KnownBackup, KnownFile, PreviousFiles } from "./previous-files.ts";
import type { ManifestLine } from "../../core/repository/manifest-line.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { ChangingError, smallFileBytes, SourceReader, type ReadFile } from "./read-source-file.ts";
import { ReferenceChecker } from "../repository/reference-checker.ts";
import { ProgressReporter } from "../report-progress.ts";
import { SkippedList } from "./skipped-list.ts";
import { SourceCounts } from "./source-counts.ts";
import { StoreCopies } from "./store-copies.ts";
import { toManifestEntry, type EntryContent } from "./to-manifest-entry.ts";
import { StoredBytesWriter, type Placement } from "../streams/stored-bytes-writer.ts";
import type { TaskRun } from "../task.ts";

const emptySha256 = hash("sha256", "");

export interface CollectorInput {
  readonly source: FileSource;
  /** Where contents are opened: the source, or what reads ahead of us there. */
  readonly content: Pick<FileSource, "open">;
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
  readonly #manifest: OrderedManifest;
  readonly #skipped: SkippedList;
  readonly #reader: SourceReader;
  readonly #references: ReferenceChecker;
  readonly #copies: StoreCopies | undefined;
  readonly #copied = { files: 0, sizeBytes: 0, hashedByStore: 0 };
  readonly #progress: ProgressReporter;
  /** The folder that could not be listed last: what earlier backups know of it has not vanished. */
  #unlistedFolder: FileKey | undefined;
  readonly #counts: SourceCounts;

  static async create(input: CollectorInput): Promise<FilesCollector> {
    const { run, backupId, attempt, keys } = input;
    const place = { store: run.store, projectId: run.context.projectId, backupId, key: keys.data };
    const folder = `${attemptName(attempt)}/files/`;
    const bytes = new StoredBytesWriter(run, backupId, attempt, keys, input.source.url);
    const warn = (message: string) => run.report({ type: "log", level: "warn", message });
    const skipped = new SkippedList(place, `${folder}skipped`, warn);
    return new FilesCollector(
      input,
      bytes,
      await OrderedManifest.create(place, `${folder}manifest`, bytes),
      skipped,
    );
  }

  constructor(
    input: CollectorInput,
    bytes: StoredBytesWriter,
    manifest: OrderedManifest,
    skipped: SkippedList,
  ) {
    const { run, backupId, content } = input;
    this.#in = input;
    this.#counts = new SourceCounts(input.filter);
    this.#bytes = bytes;
    this.#manifest = manifest;
    this.#skipped = skipped;
    const rate = new RateLimiter(run.context.maxRateBytesPerSecond, run.signal);
    this.#reader = new SourceReader(content, rate, run.signal);
    this.#references = new ReferenceChecker(run, backupId);
    const last = input.known.previous?.metadata.components.files;
    this.#progress = new ProgressReporter(run, {
      component: "files",
      phase: "reading",
      bytes: 0,
      objects: 0,
      ...(last === undefined ? {} : { totalBytes: last.sourceBytes, totalObjects: last.objects }),
    });
    const { source, keys } = input;
    const onActivity = this.noteActivity.bind(this);
    this.#copies = StoreCopies.open({ source, run, backupId, keys, bytes, rate, onActivity });
  }

  /** Something goes on that is no part of what was read. */
  noteActivity(amount: number): void {
    this.#progress.addActivity(amount);
  }

  countExcluded(): void {
    this.#counts.excluded();
  }

  /**
   * The object that `take` is going to open, as far as that can be seen before; what the store is going to copy is
   * begun here.
   */
  foresee(known: KnownFile | undefined, entry: SourceEntry | undefined): SourceEntry | undefined {
    if (entry === undefined || !this.#foreseesReading(known, entry)) return undefined;
    if (this.#copies?.wants(entry) !== true) return entry;
    this.#copies.expect(entry);
    return undefined;
  }

  #foreseesReading(known: KnownFile | undefined, entry: SourceEntry): boolean {
    if (entry.problem !== undefined) return false;
    const isMarker = entry.kind === "directory" && entry.object !== undefined;
    if (entry.kind !== "file" && !isMarker) return false;
    if (this.#in.spec.rehash === true || known === undefined) return true;
    if (known.previous?.unchangedContent(entry) !== undefined) return false;
    const before = isMarker ? [known.previous] : this.#candidates(known);
    return before.every((one) => one === undefined || decideFile(one.entry, entry) !== "unchanged");
  }

  /** One key: what is known of it, what the source says. At least one of both. */
  take(known: KnownFile | undefined, entry: SourceEntry | undefined): Promise<void> | undefined {
    if (known?.previous !== undefined && entry?.kind === "file") {
      const done = this.#takeUnchanged(known.previous, entry);
      if (done !== undefined) return done === true ? undefined : done;
    }
    this.#counts.before(known?.previous);
    if (entry === undefined) return known === undefined ? undefined : this.#takeMissing(known);
    switch (entry.kind) {
      case "file":
        return this.#takeFile(known, entry);
      case "directory":
        return entry.object === undefined ? this.#takeFolder(entry) : this.#takeMarker(known, entry);
      case "symlink":
        this.#counts.symlink();
        return this.#manifest.add(toManifestEntry(entry, {}));
      case "special":
        return this.#takeProblem(known, entry);
    }
  }

  /** Ends the attempt's files. Rejects, with nothing lost for the next attempt, when the source is not as it should be. */
  async finish(): Promise<{ facts: CollectedFacts; referenceKeys: ReadonlyMap<string, OpenedKey> }> {
    const { known, source, spec } = this.#in;
    const unreadable = spec.allowUnreadable
      ? undefined
      : this.#skipped.unreadableFailure(source.url, this.#counts.stated.objects);
    const problem = unreadable ?? this.#counts.refusal(source.url, known, spec.maxShrink);
    if (problem !== undefined) {
      await this.#manifest.writeJournal();
      throw problem;
    }
    const manifest = await this.#manifest.finish();
    await this.#bytes.finish();
    const skipped = await this.#skipped.finish();
    this.#progress.end();
    this.#warnOfLost();
    const facts: CollectedFacts = {
      manifest,
      stored: this.#bytes.stored,
      ...this.#counts.stated,
      ...(this.#copied.files === 0 ? {} : { copied: this.#copied }),
      ...(skipped === undefined ? {} : { skipped }),
    };
    return { facts, referenceKeys: this.#references.keys };
  }

  /** Leaves no unfinished file; what is in the journal stays. Idempotent. */
  async abort(): Promise<void> {
    await this.#copies?.settle();
    await this.#bytes.abort();
    await this.#manifest.abort();
    await this.#skipped.abort();
  }

  /**
   * The quick way of nearly every file: the line of the last manifest begins as that of the file now. True, or a
   * promise, when that was all.
   */
  #takeUnchanged(line: ManifestLine, entry: SourceEntry): true | Promise<void> | undefined {
    const { previous } = this.#in.known;
    if (previous === undefined || this.#in.spec.rehash || entry.problem !== undefined) return undefined;
    const content = line.unchangedContent(entry);
    if (content === undefined) return undefined;
    const stored = this.#references.refer(content, previous);
    if (stored instanceof Promise) return stored.then((found) => this.#refer(line, entry, found));
    return stored === undefined ? undefined : (this.#refer(line, entry, stored) ?? true);
  }

  #refer(line: ManifestLine, entry: SourceEntry, stored: StoredAt | undefined): Promise<void> | undefined {
    this.#counts.unchangedBefore(entry);
    if (stored === undefined) return this.#takeFile(undefined, entry);
    this.#countContent(entry, "unchanged");
    return this.#manifest.addLine(line.withStored(stored));
  }

  #takeFolder(entry: SourceEntry): Promise<void> | undefined {
    this.#counts.directory();
    if (entry.problem === undefined) return this.#manifest.add(toManifestEntry(entry, {}));
    this.#unlistedFolder = entry.key;
    return this.#writeProblemFolder(entry, entry.problem.message);
  }

  async #writeProblemFolder(entry: SourceEntry, message: string): Promise<void> {
    await this.#manifest.add(toManifestEntry(entry, {}));
    await this.#skipped.add({ key: entry.key, reason: "unreadable", message, earlierVersionKept: false });
  }

  /** A bucket's folder marker: an object without content, but with facts that only opening it shows. */
  async #takeMarker(known: KnownFile | undefined, entry: SourceEntry): Promise<void> {
    const before = known?.previous?.entry;
    const isKnown = before !== undefined && decideFile(before, entry) === "unchanged";
    if (isKnown && this.#in.spec.rehash !== true) return this.#writeMarker(before);
    let facts: SourceEntry;
    try {
      const content = await this.#in.content.open(entry.key, entry.sizeBytes);
      facts = this.#settle({ facts: content.facts, openedAtMs: content.openedAtMs });
      await content.close();
    } catch (error) {
      return this.#takeReadError(known, entry, error);
    }
    // It has got a content since it was listed.
    return facts.kind === "file" ? this.#takeFile(known, facts) : this.#writeMarker(facts);
  }

  #writeMarker(facts: SourceEntry | ManifestEntry): Promise<void> | undefined {
    this.#counts.directory();
    return this.#manifest.add(toManifestEntry(facts, {}));
  }

  /** A file: unchanged by its facts, or to be read. */
  async #takeFile(known: KnownFile | undefined, entry: SourceEntry): Promise<void> {
    const candidates = this.#candidates(known);
    for (const candidate of candidates) {
      if (decideFile(candidate.entry, entry) !== "unchanged") continue;
      const { sha256, proof } = candidate.entry;
      if (entry.sizeBytes === 0) return this.#writeFile(entry, { sha256 }, "unchanged");
      const referred = this.#references.refer(candidate.entry.stored, candidate.from);
      const stored = referred instanceof Promise ? await referred : referred;
      if (stored !== undefined) return this.#writeFile(entry, { sha256, proof, stored }, "unchanged");
    }
    try {
      if (this.#copies?.wants(entry) === true && (await this.#copyLarge(this.#copies, entry))) return;
      await (entry.sizeBytes < smallFileBytes
        ? this.#readSmall(entry, candidates)
        : this.#readLarge(entry, candidates));
    } catch (error) {
      await this.#takeReadError(known, entry, error);
    }
  }

  async #readSmall(entry: SourceEntry, candidates: readonly Candidate[]): Promise<void> {
    const read = await this.#reader.readSmall(entry, (content) => content);
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

  /** False where the store does not copy it. */
  async #copyLarge(copies: StoreCopies, entry: SourceEntry): Promise<boolean> {
    if (this.#bytes.isJournalDue()) await this.#manifest.writeJournal();
    const copied = await copies.take(entry);
    if (copied === undefined) return false;
    const { content: stored, object, proof, sha256 } = copied;
    const facts = this.#settle(copied);
    if (stored === undefined || object === undefined) {
      await this.#writeFile(facts, { sha256 }, "new");
      return true;
    }
    this.#bytes.countCopied(object);
    this.#copied.files += 1;
    this.#copied.sizeBytes += stored.length;
    if (proof === "store") this.#copied.hashedByStore += 1;
    this.#countContent(facts, "new");
    await this.#manifest.add(toManifestEntry(facts, { sha256, proof }), { stored });
    return true;
  }

  async #readLarge(entry: SourceEntry, candidates: readonly Candidate[]): Promise<void> {
    // Only its owner, mode or place changed, it seems: reading it is cheaper than storing it again.
    const likely = candidates.filter(
      ({ entry: { mtimeNs, sizeBytes } }) => mtimeNs === entry.mtimeNs && sizeBytes === entry.sizeBytes,
    );
    if (likely.length > 0) {
      const looked = await this.#reader.readLarge(entry, async (pieces) => {
        for await (const piece of pieces) this.#progress.add(piece.length);
      });
      const same = await this.#findSameContent(looked, likely);
      if (same !== undefined) {
        return this.#writeFile(this.#settle(looked), { sha256: looked.sha256, stored: same }, "unchanged", 0);
      }
    }
    if (this.#bytes.isJournalDue(entry.sizeBytes)) await this.#manifest.writeJournal();
    const read = await this.#reader.readLarge(entry, (pieces) =>
      this.#bytes.storeLarge(this.#countPieces(pieces)),
    );
    if (read.facts.sizeBytes === 0)
      return this.#writeFile(this.#settle(read), { sha256: emptySha256 }, "new");
    await this.#writeStored(read, { stored: read.content }, 0);
    if (this.#bytes.isJournalDue()) await this.#manifest.writeJournal();
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
      const stored = await this.#references.refer(entry.stored, from);
      if (stored !== undefined) return stored;
    }
    return undefined;
  }

  async #writeStored(read: ReadFile<unknown>, placement: Placement, progressBytes?: number): Promise<void> {
    const facts = this.#settle(read);
    this.#countContent(facts, "new", progressBytes);
    await this.#manifest.add(toManifestEntry(facts, { sha256: read.sha256 }), placement);
  }

  /**
   * The facts of what was read. A content that changed just before it was read may change again within the
   * same tick of the source's clock and keep all its facts (of a bucket's object its metadata may); without a
   * version it is read again next time.
   */
  #settle({ facts, openedAtMs }: Pick<ReadFile<unknown>, "facts" | "openedAtMs">): SourceEntry {
    const changedAt = facts.object === undefined ? facts.version?.split(":")[0] : facts.mtimeNs;
    const changedAtNs = BigInt(changedAt ?? "0");
    // A file system that keeps whole seconds (FAT: two) has a slower clock, and so has a bucket.
    const tickMs = changedAtNs % 1_000_000_000n === 0n ? 2500 : 50;
    const nowMs = openedAtMs ?? this.#in.run.clock.nowMs();
    if (nowMs - Number(changedAtNs / 1_000_000n) > tickMs) return facts;
    const { version: _unsettled, ...settled } = facts;
    return settled;
  }

  #candidates(known: KnownFile | undefined): readonly Candidate[] {
    if (known === undefined || this.#in.spec.rehash) return [];
    const { previous } = this.#in.known;
    const isUsable = (entry: ManifestEntry) => entry.kind === "file";
    const attempts = known.attempts.filter(({ entry }) => isUsable(entry));
    const last = known.previous?.entry;
    if (last === undefined || previous === undefined || !isUsable(last)) return attempts;
    return [{ entry: last, from: previous }, ...attempts];
  }

  async #takeReadError(known: KnownFile | undefined, entry: SourceEntry, error: unknown): Promise<void> {
    if (error instanceof ChangingError) {
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
    if (problem.reason !== "special") this.#counts.problem();
    const kept = problem.reason === "special" ? false : await this.#keepEarlier(known, { stale: true });
    await this.#skipped.add({ key: entry.key, ...problem, earlierVersionKept: kept });
  }

  /** In no listing any more. */
  async #takeMissing(known: KnownFile): Promise<void> {
    const { previous } = known;
    if (previous === undefined || !this.#in.filter.includes(known.key)) return;
    if (this.#unlistedFolder !== undefined && known.key.startsWith(this.#unlistedFolder)) {
      await this.#keepEarlier(known, { stale: true });
      return;
    }
    if (decideFile(previous.entry, undefined) !== "vanished") return;
    // Where something of another kind took its place, both could not be restored side by side.
    if (!(await this.#in.source.hasRoomFor(known.key))) return;
    if (await this.#keepEarlier(known, { vanished: true })) this.#counts.vanished();
  }

  /** Keeps the version of the last backup by reference, with a mark. False when there is none. */
  async #keepEarlier(
    known: KnownFile | undefined,
    mark: { vanished: true } | { stale: true },
  ): Promise<boolean> {
    const { previous: from } = this.#in.known;
    const earlier = known?.previous?.entry;
    if (earlier === undefined || from === undefined) return false;
    const { vanished: _vanished, stale: _stale, stored: _stored, ...facts } = earlier;
    if (earlier.stored === undefined) {
      this.#counts.kept(earlier);
      await this.#manifest.add({ ...facts, ...mark });
      return true;
    }
    const stored = await this.#references.refer(earlier.stored, from);
    if (stored === undefined) return false;
    this.#counts.kept(earlier);
    await this.#manifest.add({ ...facts, stored, ...mark });
    return true;
  }

  #writeFile(
    entry: SourceEntry,
    content: EntryContent,
    kind: "new" | "unchanged",
    progressBytes?: number,
  ): Promise<void> | undefined {
    this.#countContent(entry, kind, progressBytes);
    return this.#manifest.add(toManifestEntry(entry, content));
  }

  #countContent(entry: SourceEntry, kind: "new" | "unchanged", progressBytes = entry.sizeBytes): void {
    this.#counts.file(entry, kind);
    this.#progress.add(progressBytes, 1);
  }

  #warnOfLost(): void {
    if (this.#references.lost === 0) return;
    const message =
      `Stored bytes of ${this.#references.lost} files that earlier backups refer to are missing in the repository. ` +
      "What the source still has was read again; run `lc2 repository check`.";
    this.#in.run.report({ type: "log", level: "warn", message });
  }
}
