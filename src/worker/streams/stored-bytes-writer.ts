import { isPackName, type StoredAt } from "../../core/repository/manifest.ts";
import { attemptName } from "../../core/repository/layout.ts";
import type { StoredObject } from "../../core/ports/object-store.ts";
import type { FilesComponent } from "../../core/repository/metadata.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { choosesCompression } from "../backup/compress-member.ts";
import { journalPartName, writeJournalPart } from "../backup/files-journal.ts";
import { MemberEncoder } from "../backup/member-encoder.ts";
import { PackWriter } from "../backup/pack-writer.ts";
import { createStoredFile } from "./stored-file.ts";
import { mostClosedBytes } from "./stream-encryption.ts";
import type { TaskRun } from "../task.ts";

/** A pack is closed when it has about so many bytes, or so many members. */
const packBytes = 32 << 20;
const packMembers = 10_000;
/** Contents encoded together. A file below a MiB fits. */
const batchBytes = 1 << 20;
const batchMembers = 256;
/** Batches on their way at once. */
const batchesInFlight = 2;
/** At most so much of large files, stored but in no journal part yet, is read again after a kill. */
const unjournalledBytes = 64 << 20;

/** A copy by the store counts as so many bytes read. */
const copyWorth = 1 << 20;

/** Where a small content will be; known once its batch has been written. */
export interface Placement {
  stored: StoredAt | undefined;
}

type StoredAmount = Pick<StoredObject, "sizeBytes" | "storageClass">;

/** A batch's memory, which the encoding thread shares, so that nothing is copied and no garbage is made. */
interface BatchMemory {
  readonly plain: Buffer;
  readonly encoded: Buffer;
}

interface Batch {
  readonly memory: BatchMemory;
  length: number;
  readonly lengths: number[];
  readonly placements: Placement[];
}

const newBatchMemory = (): BatchMemory => ({
  plain: Buffer.from(new SharedArrayBuffer(batchBytes)),
  encoded: Buffer.from(new SharedArrayBuffer(mostClosedBytes(batchBytes, batchMembers))),
});

/**
 * Stores the contents of files for one attempt: small ones in packs, large ones in files of their own, and
 * writes after each pack what is safe into the attempt's journal. Small contents are encoded and written in
 * batches, in the order they came, while the caller goes on. Calls must not overlap.
 */
export class StoredBytesWriter {
  readonly #run: TaskRun;
  readonly #backupId: string;
  readonly #keys: BackupKeys;
  readonly #source: string;
  /** `a1/files/` */
  readonly #folder: string;
  readonly #encoder: MemberEncoder;
  readonly #named = { pack: 0, file: 0 };
  #nextPart = 1;
  #batch: Batch | undefined;
  readonly #spare: BatchMemory[] = [];
  #pack: PackWriter | undefined;
  /** Everything handed over before has been written; rejected for good once something failed. */
  #tail: Promise<void> = Promise.resolve();
  readonly #inFlight: Promise<void>[] = [];
  /** Lines of entries. */
  #pending: string[] = [];
  #pendingPack: string | undefined;
  /** The pack closed last. */
  #closedPack: string | undefined;
  #pendingLargeBytes = 0;
  #files = 0;
  #sizeBytes = 0;
  readonly #classes = new Map<string, number>();

  constructor(run: TaskRun, backupId: string, attempt: number, keys: BackupKeys, source: string) {
    this.#run = run;
    this.#backupId = backupId;
    this.#keys = keys;
    this.#source = source;
    this.#folder = `${attemptName(attempt)}/files/`;
    this.#encoder = new MemberEncoder({ projectId: run.context.projectId, backupId, key: keys.files });
  }

  /** Whole files written, and their bytes. */
  get stored(): FilesComponent["stored"] {
    const classes = [...this.#classes].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      files: this.#files,
      sizeBytes: this.#sizeBytes,
      ...(classes.length === 0 ? {} : { storageClasses: Object.fromEntries(classes) }),
    };
  }

  /** Takes a content below a MiB, not empty; it is copied. Wait for `room` before the next one. */
  storeSmall(plain: Uint8Array): Placement {
    const full = this.#batch !== undefined && this.#batch.length + plain.length > batchBytes;
    if (full || this.#batch?.lengths.length === batchMembers) this.#submit();
    const batch = (this.#batch ??= {
      memory: this.#spare.pop() ?? newBatchMemory(),
      length: 0,
      lengths: [],
      placements: [],
    });
    batch.memory.plain.set(plain, batch.length);
    batch.length += plain.length;
    batch.lengths.push(plain.length);
    const placement: Placement = { stored: undefined };
    batch.placements.push(placement);
    return placement;
  }

  /** Resolves when not too much is on its way; undefined: at once. Rejects when something could not be written. */
  room(): Promise<void> | undefined {
    return this.#inFlight.length > batchesInFlight ? this.#inFlight[0] : undefined;
  }

  /** Everything taken so far is placed when it resolves. */
  async settle(): Promise<void> {
    this.#submit();
    await this.#tail;
  }

  /** Ends the pack at hand: what was taken so far is durable when it resolves. */
  async closePack(): Promise<void> {
    this.#submit();
    this.#endPack();
    await this.#tail;
  }

  /**
   * A content of any size, in pieces of up to 4 MiB; a piece's buffer may be reused when the third one
   * after it is asked for. When `pieces` throws, nothing of it is kept.
   */
  async storeLarge(pieces: AsyncIterable<Uint8Array>): Promise<StoredAt> {
    const name = this.#nameNext("file");
    const iterator = pieces[Symbol.asyncIterator]();
    const first = await iterator.next();
    const level = first.done !== true && choosesCompression(first.value) ? {} : { level: 0 };
    // The manifest states the SHA-256 of what is inside.
    const options = { ...level, hashed: false };
    const place = {
      store: this.#run.store,
      projectId: this.#run.context.projectId,
      backupId: this.#backupId,
    };
    const writer = await createStoredFile({ ...place, key: this.#keys.files }, name, options);
    try {
      const outstanding: Promise<void>[] = [];
      for (let piece = first; piece.done !== true; piece = await iterator.next()) {
        this.#pendingLargeBytes += piece.value.length;
        outstanding.push(writer.write(piece.value));
        if (outstanding.length > 2) await outstanding.shift();
      }
      const file = await writer.finish();
      this.#count(file);
      return { file: name, offset: 0, length: file.sizeBytes, codec: file.codec };
    } catch (error) {
      await writer.abort();
      throw error;
    } finally {
      await iterator.return?.();
    }
  }

  /** A name for a large content that the store is going to copy. */
  nameLarge(): string {
    return this.#nameNext("file");
  }

  /** Counts what the store copied: a file that costs less to copy again than to read again. */
  countCopied(object: StoredAmount): void {
    this.#count(object);
    this.#pendingLargeBytes += copyWorth;
  }

  /** Whether a journal part should be written before so many bytes more are read for one file. */
  isJournalDue(nextBytes = 0): boolean {
    return this.#pendingLargeBytes + nextBytes >= unjournalledBytes;
  }

  /**
   * Notes the line of an entry whose bytes are stored in `file`, for the journal; in order of keys. The first entry of
   * a new pack says that all packs before it are closed: then what was noted before becomes a journal part.
   */
  record(line: string, file: string): Promise<void> | undefined {
    const isMember = isPackName(file);
    const endsPack = isMember && this.#pendingPack !== undefined && this.#pendingPack !== file;
    // What was noted so far is taken at once.
    const written = endsPack ? this.writeJournal() : undefined;
    if (isMember) this.#pendingPack = file;
    this.#pending.push(line);
    return written;
  }

  /** When all that is placed has been recorded: writes the journal part of a pack that is closed by now. */
  async journalClosedPack(): Promise<void> {
    if (this.#pendingPack !== undefined && this.#pendingPack === this.#closedPack) await this.writeJournal();
  }

  /** What was recorded becomes a journal part; its packs must be closed. */
  async writeJournal(): Promise<void> {
    const lines = this.#pending;
    this.#forgetPending();
    if (lines.length === 0) return;
    const place = {
      store: this.#run.store,
      projectId: this.#run.context.projectId,
      backupId: this.#backupId,
    };
    const name = journalPartName(this.#folder, this.#nextPart++);
    await writeJournalPart({ ...place, key: this.#keys.journal }, name, this.#source, lines);
  }

  /** Closes the last pack; no journal part, as the manifest is about to say the same. */
  async finish(): Promise<void> {
    await this.closePack();
    this.#forgetPending();
    await this.#encoder.close();
  }

  /** Leaves no unfinished pack. What was closed before stays for the next attempt. */
  async abort(): Promise<void> {
    await this.#encoder.close();
    await this.#tail.catch(() => undefined);
    await this.#pack?.abort();
    this.#pack = undefined;
  }

  #forgetPending(): void {
    this.#pending = [];
    this.#pendingPack = undefined;
    this.#pendingLargeBytes = 0;
  }

  #submit(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    const isFirst = this.#pack === undefined;
    const pack = (this.#pack ??= new PackWriter(
      this.#run,
      this.#backupId,
      this.#nameNext("pack"),
      this.#keys.files,
    ));
    pack.expect(batch.length, batch.lengths.length);
    const { plain, encoded } = batch.memory;
    const contents = {
      pack: pack.name,
      plain: plain.subarray(0, batch.length),
      lengths: batch.lengths,
      encoded,
    };
    const encoding = this.#encoder.encode(contents, isFirst);
    this.#then(async () => {
      const { lengthBytes, places } = await encoding;
      await pack.append(encoded.subarray(0, lengthBytes), batch.length, places[0]?.offset ?? -1);
      this.#spare.push(batch.memory);
      batch.placements.forEach((placement, index) => (placement.stored = places[index]));
    }, encoding);
    if (pack.expectedBytes >= packBytes || pack.members >= packMembers) this.#endPack();
  }

  #endPack(): void {
    const pack = this.#pack;
    if (pack === undefined) return;
    this.#pack = undefined;
    this.#then(async () => {
      this.#count(await pack.close());
      this.#closedPack = pack.name;
    });
  }

  /** Does a step after all steps before it, unless one of them failed. */
  #then(step: () => Promise<void>, early?: Promise<unknown>): void {
    // It may fail before its turn comes.
    early?.catch(() => undefined);
    const done = this.#tail.then(step);
    done.catch(() => undefined);
    this.#tail = done;
    this.#inFlight.push(done);
    void done.finally(() => this.#inFlight.splice(this.#inFlight.indexOf(done), 1)).catch(() => undefined);
  }

  #count({ sizeBytes, storageClass }: StoredAmount): void {
    this.#files += 1;
    this.#sizeBytes += sizeBytes;
    if (storageClass !== undefined)
      this.#classes.set(storageClass, (this.#classes.get(storageClass) ?? 0) + sizeBytes);
  }

  #nameNext(kind: "pack" | "file"): string {
    return `${this.#folder}${kind}-${String((this.#named[kind] += 1)).padStart(6, "0")}`;
  }
}
