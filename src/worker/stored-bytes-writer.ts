import { Failure } from "../core/failure.ts";
import type { ObjectWriter } from "../core/ports/object-store.ts";
import { associatedData, attemptName, backupPrefix } from "../core/repository/layout.ts";
import { isPackName, type ManifestEntry, type StoredAt } from "../core/repository/manifest.ts";
import type { BackupKeys } from "./backup-keys.ts";
import { choosesCompression, compressMember } from "./compress-member.ts";
import { journalPartName, writeJournalPart } from "./files-journal.ts";
import { createStoredFile } from "./stored-file.ts";
import { encryptBytes } from "./streaming-aead.ts";
import type { TaskRun } from "./task.ts";

/** A pack is closed when it has so many bytes, or so many members. */
const packBytes = 32 << 20;
const packMembers = 10_000;
/** At most so much, stored but in no journal part yet, is read again after a kill. */
const unjournalledBytes = 64 << 20;
const writeBytes = 1 << 20;

/**
 * Stores the contents of files for one attempt: small ones in packs, large ones in files of their own, and
 * writes after each pack what is safe into the attempt's journal. Calls must not overlap.
 */
export class StoredBytesWriter {
  readonly #run: TaskRun;
  readonly #backupId: string;
  readonly #keys: BackupKeys;
  readonly #source: string;
  /** `a1/files/` */
  readonly #folder: string;
  #nextFile = 1;
  #nextPart = 1;
  #pack: Pack | undefined;
  #pending: ManifestEntry[] = [];
  #pendingBytes = 0;
  #files = 0;
  #sizeBytes = 0;

  constructor(run: TaskRun, backupId: string, attempt: number, keys: BackupKeys, source: string) {
    this.#run = run;
    this.#backupId = backupId;
    this.#keys = keys;
    this.#source = source;
    this.#folder = `${attemptName(attempt)}/files/`;
  }

  /** Whole files written, and their bytes. */
  get stored(): { files: number; sizeBytes: number } {
    return { files: this.#files, sizeBytes: this.#sizeBytes };
  }

  /** A content below a MiB, which is no longer needed when the promise has resolved. Not empty. */
  async storeSmall(plain: Uint8Array): Promise<StoredAt> {
    this.#pack ??= await Pack.open(this.#run, this.#backupId, this.#nameNext("pack"), this.#keys.files);
    return this.#pack.add(plain);
  }

  /**
   * A content of any size, in pieces of up to 4 MiB; a piece's buffer may be reused when the third one
   * after it is asked for. When `pieces` throws, nothing of it is kept. `sizeBytes` is what it will have
   * about: before a very large one, what was stored so far is put into the journal.
   */
  async storeLarge(pieces: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<StoredAt> {
    if (this.#pendingBytes > 0 && this.#pendingBytes + sizeBytes > unjournalledBytes) await this.flush();
    const name = this.#nameNext("file");
    const iterator = pieces[Symbol.asyncIterator]();
    const first = await iterator.next();
    const level = first.done !== true && choosesCompression(first.value) ? {} : { level: 0 };
    const place = {
      store: this.#run.store,
      projectId: this.#run.context.projectId,
      backupId: this.#backupId,
    };
    const writer = await createStoredFile({ ...place, key: this.#keys.files }, name, level);
    try {
      const outstanding: Promise<void>[] = [];
      for (let piece = first; piece.done !== true; piece = await iterator.next()) {
        outstanding.push(writer.write(piece.value));
        if (outstanding.length > 2) await outstanding.shift();
      }
      const file = await writer.finish();
      this.#count(file.sizeBytes);
      return { file: name, offset: 0, length: file.sizeBytes, codec: file.codec };
    } catch (error) {
      await writer.abort();
      throw error;
    } finally {
      await iterator.return?.();
    }
  }

  /** Notes an entry whose bytes were just stored, for the journal. In order of keys. */
  async record(entry: ManifestEntry): Promise<void> {
    this.#pending.push(entry);
    // A large file is read at the source's size, however small it is stored.
    const isInPack = entry.stored !== undefined && isPackName(entry.stored.file);
    this.#pendingBytes += isInPack ? (entry.stored?.length ?? 0) : entry.sizeBytes;
    const packIsFull =
      this.#pack !== undefined && (this.#pack.sizeBytes >= packBytes || this.#pack.members >= packMembers);
    if (packIsFull || this.#pendingBytes >= unjournalledBytes) await this.flush();
  }

  /** Closes the pack and writes what was recorded since into the journal. */
  async flush(): Promise<void> {
    await this.#closePack();
    if (this.#pending.length === 0) return;
    const place = {
      store: this.#run.store,
      projectId: this.#run.context.projectId,
      backupId: this.#backupId,
    };
    const name = journalPartName(this.#folder, this.#nextPart);
    await writeJournalPart({ ...place, key: this.#keys.data }, name, this.#source, this.#pending);
    this.#nextPart += 1;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Closes the last pack; no journal part, as the manifest is about to say the same. */
  async finish(): Promise<void> {
    await this.#closePack();
    this.#pending = [];
  }

  /** Leaves no unfinished pack. What was closed before stays for the next attempt. */
  async abort(): Promise<void> {
    await this.#pack?.abort();
    this.#pack = undefined;
  }

  async #closePack(): Promise<void> {
    if (this.#pack === undefined) return;
    this.#count(await this.#pack.close());
    this.#pack = undefined;
  }

  #count(sizeBytes: number): void {
    this.#files += 1;
    this.#sizeBytes += sizeBytes;
  }

  #nameNext(kind: "pack" | "file"): string {
    return `${this.#folder}${kind}-${String(this.#nextFile++).padStart(6, "0")}`;
  }
}

/** One pack that is being written: encrypted members one after the other. */
class Pack {
  readonly #run: TaskRun;
  readonly #backupId: string;
  readonly #name: string;
  readonly #key: Uint8Array;
  readonly #writer: ObjectWriter;
  /** One is filled while the other is being written. */
  #filling = Buffer.allocUnsafeSlow(writeBytes);
  #resting = Buffer.allocUnsafeSlow(writeBytes);
  #filled = 0;
  #writing: Promise<void> | undefined;
  sizeBytes = 0;
  members = 0;

  static async open(run: TaskRun, backupId: string, name: string, key: Uint8Array): Promise<Pack> {
    const writer = await run.store.write(backupPrefix(run.context.projectId, backupId) + name);
    return new Pack(run, backupId, name, key, writer);
  }

  constructor(run: TaskRun, backupId: string, name: string, key: Uint8Array, writer: ObjectWriter) {
    this.#run = run;
    this.#backupId = backupId;
    this.#name = name;
    this.#key = key;
    this.#writer = writer;
  }

  async add(plain: Uint8Array): Promise<StoredAt> {
    const { codec, bytes } = compressMember(plain);
    const offset = this.sizeBytes;
    const data = associatedData(this.#run.context.projectId, this.#backupId, this.#name, offset);
    const member = encryptBytes(this.#key, data, bytes);
    this.sizeBytes += member.length;
    this.members += 1;
    for (let from = 0; from < member.length;) {
      if (this.#filled === writeBytes) await this.#write();
      const copied = member.copy(this.#filling, this.#filled, from);
      this.#filled += copied;
      from += copied;
    }
    return { file: this.#name, offset, length: member.length, codec };
  }

  /** Makes the pack durable and compares what the store says it has. */
  async close(): Promise<number> {
    await this.#write();
    await this.#writing;
    const object = await this.#writer.commit();
    if (object.sizeBytes !== this.sizeBytes) {
      throw new Failure(
        "store-failed",
        `${this.#run.store.url} took ${this.sizeBytes} bytes of ${this.#name} of ${this.#backupId} but now has ` +
          `${object.sizeBytes}. Check the store's free space and its own logs, then run the backup again.`,
      );
    }
    return this.sizeBytes;
  }

  async abort(): Promise<void> {
    await this.#writing?.catch(() => undefined);
    await this.#writer.abort();
  }

  async #write(): Promise<void> {
    await this.#writing;
    const full = this.#filling.subarray(0, this.#filled);
    this.#writing = this.#writer.write(full);
    // Waited for before the next one; until then nobody else would see it fail.
    this.#writing.catch(() => undefined);
    [this.#filling, this.#resting] = [this.#resting, this.#filling];
    this.#filled = 0;
  }
}
