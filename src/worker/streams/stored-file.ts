/**
 * The way of every stored file: plain bytes → zstd frames → Tink streaming AEAD → SHA-256 → object store,
 * and back. In server mode the store encrypts, and proves it of each file, instead of the streaming AEAD. Memory is the frames in flight and two segments, whatever the file's size.
 */
import { createHash, type Hash } from "node:crypto";

import { Failure } from "../../core/failure.ts";
import { releaseMemory } from "../../core/release-memory.ts";
import type { ObjectStore, ObjectWriter, StoredObject } from "../../core/ports/object-store.ts";
import { associatedData, backupPrefix } from "../../core/repository/layout.ts";
import type { StoredFile } from "../../core/repository/metadata.ts";
import { assertEncrypted, openStream, startStream, type StreamEncoder } from "./stream-encryption.ts";
import type { StreamKey } from "./stream-key.ts";
import {
  FrameSplitter,
  compressFrame,
  decompressFrame,
  frameSlackBytes,
  maximumFramePlainBytes,
} from "./zstd-frames.ts";
import type { Frame } from "./zstd-frames.ts";

/** Where a stored file belongs, for its associated data. */
export interface StoredFilePlace {
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly backupId: string;
  readonly key: StreamKey;
}

export interface StoredFileWriter {
  /**
   * Appends plain bytes. Each call becomes one independent zstd frame (give 1 to 4 MiB at a time; more
   * is cut into frames of 4 MiB), compressed on the thread pool; several calls may be outstanding, their
   * order is kept. Resolves when the bytes have been handed to the store, so the buffer may be reused;
   * back pressure is the caller's to keep by waiting for older calls. A rejection that nobody waits for
   * is not lost: `finish` rejects with it too.
   */
  write(plain: Uint8Array): Promise<void>;
  /** Ends the stream, makes the object durable, compares the store's own size. */
  finish(): Promise<StoredFile>;
  /** Leaves nothing behind. Idempotent. */
  abort(): Promise<void>;
}

/** With the parameters of large frames the smallest that is no slower than level 2. */
const defaultLevel = 3;
const framesInFlight = 2;
const smallFileBytes = 64 << 20;

const objectName = (place: StoredFilePlace, name: string): string =>
  backupPrefix(place.projectId, place.backupId) + name;

export interface StoredFileOptions {
  /** 0: stored as it is. */
  readonly level?: number;
  /** false: nobody asks for the SHA-256 of the stored form, and `finish` states it as "". */
  readonly hashed?: boolean;
}

/** Starts `name` (relative to the backup): zstd, Tink streaming AEAD, SHA-256. */
export async function createStoredFile(
  place: StoredFilePlace,
  name: string,
  options: StoredFileOptions = {},
): Promise<StoredFileWriter> {
  const writer = await place.store.write(objectName(place, name));
  return new EncryptedFileWriter(place, name, options, writer);
}

class EncryptedFileWriter implements StoredFileWriter {
  readonly #place: StoredFilePlace;
  readonly #name: string;
  readonly #level: number;
  readonly #writer: ObjectWriter;
  readonly #encryptor: StreamEncoder;
  readonly #hash: Hash | undefined;
  /** Everything before is stored; rejected for good once something failed. */
  #tail: Promise<void> = Promise.resolve();
  #plainBytes = 0;
  #storedBytes = 0;
  #ended = false;

  constructor(place: StoredFilePlace, name: string, options: StoredFileOptions, writer: ObjectWriter) {
    this.#place = place;
    this.#name = name;
    this.#level = options.level ?? defaultLevel;
    this.#hash = options.hashed === false ? undefined : createHash("sha256");
    this.#writer = writer;
    this.#encryptor = startStream(place.key, associatedData(place.projectId, place.backupId, name));
  }

  write(plain: Uint8Array): Promise<void> {
    if (this.#ended) return Promise.reject(new Error(`${this.#name} has been ended already`));
    let stored = this.#tail;
    for (let from = 0; from < plain.length; from += maximumFramePlainBytes) {
      stored = this.#writeFrame(plain.subarray(from, from + maximumFramePlainBytes));
    }
    return stored;
  }

  async finish(): Promise<StoredFile> {
    // `zstd -d` refuses a file without any frame, so an empty file is one empty frame.
    if (this.#level > 0 && this.#plainBytes === 0) void this.#writeFrame(new Uint8Array(0));
    this.#ended = true;
    await this.#tail;
    await this.#store(this.#encryptor.finish());
    await this.#writer.commit();
    const { storageClass } = await this.#compareWithStore();
    return {
      name: this.#name,
      sizeBytes: this.#storedBytes,
      sha256: this.#hash?.digest("hex") ?? "",
      plainBytes: this.#plainBytes,
      codec: this.#level > 0 ? "zstd" : "none",
      ...(storageClass === undefined ? {} : { storageClass }),
    };
  }

  async abort(): Promise<void> {
    this.#ended = true;
    // A write under way would meet a closed writer; what it says then is of no interest.
    await this.#tail.catch(() => undefined);
    await this.#writer.abort();
  }

  #writeFrame(plain: Uint8Array): Promise<void> {
    this.#plainBytes += plain.length;
    const compressed = this.#level > 0 ? compressFrame(plain, this.#level) : Promise.resolve(plain);
    const before = this.#tail;
    this.#tail = (async () => {
      // Both settle before this does, so a failure leaves no work behind on the caller's buffer.
      const [earlier, frame] = await Promise.allSettled([before, compressed]);
      if (earlier.status === "rejected") throw earlier.reason;
      if (frame.status === "rejected") throw frame.reason;
      for (const segment of this.#encryptor.push(frame.value)) await this.#store(segment);
      if (this.#level > 0) releaseMemory(frame.value, frame.value.buffer.byteLength);
    })();
    // The caller may be waiting for an older call; `finish` reports the failure in any case.
    this.#tail.catch(() => undefined);
    return this.#tail;
  }

  async #store(segment: Uint8Array): Promise<void> {
    if (segment.length === 0) return;
    this.#hash?.update(segment);
    this.#storedBytes += segment.length;
    await this.#writer.write(segment);
  }

  async #compareWithStore(): Promise<StoredObject> {
    const { store, backupId, key } = this.#place;
    const found = await store.head(objectName(this.#place, this.#name));
    if (found?.sizeBytes === this.#storedBytes) {
      if (key === "by-store") await assertEncrypted(store, `${this.#name} of ${backupId}`, found);
      return found;
    }
    throw new Failure(
      "store-failed",
      `${this.#place.store.url} took ${this.#storedBytes} bytes of ${this.#name} of ${this.#place.backupId} but ` +
        `now has ${found === undefined ? "no such object" : `${found.sizeBytes} bytes`}. ` +
        "Check the store's own logs and its free space, then run the backup again.",
    );
  }
}

export interface ReadOptions {
  /** Compares the SHA-256 of the stored form at the end, too. */
  readonly verifyChecksum?: boolean;
  readonly onStoredBytes?: (bytes: number) => void;
  /**
   * A piece is valid until the next one is asked for, then it is empty: halves the memory of whoever passes
   * pieces on. Without it the pieces are the caller's to keep.
   */
  readonly releasePieces?: boolean;
}

/**
 * The plain bytes of a stored file, authenticated segment by segment. Rejects with `backup-incomplete`
 * when it is missing or short, `data-damaged` when a tag, a frame or the plain length is wrong. The
 * end of the iteration is part of the evidence: who stops early has not verified the file.
 */
export async function* readStoredFile(
  place: StoredFilePlace,
  file: StoredFile,
  options: ReadOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const what = `${file.name} of ${place.backupId}`;
  await checkSize(place, file, what);
  // Without our own encryption nothing else authenticates what comes.
  const isChecked = options.verifyChecksum === true || (place.key === "by-store" && file.sha256 !== "");
  const hash = isChecked ? createHash("sha256") : undefined;
  const stored = observeBytes(place.store.read(objectName(place, file.name)), (chunk) => {
    hash?.update(chunk);
    options.onStoredBytes?.(chunk.length);
  });
  const data = associatedData(place.projectId, place.backupId, file.name);
  const decrypted = openStream(place.key, data, stored, what);
  let plainBytes = 0;
  for await (const plain of file.codec === "zstd" ? decompress(decrypted, what) : decrypted) {
    plainBytes += plain.length;
    if (plainBytes > file.plainBytes) break;
    yield plain;
    if (options.releasePieces === true) releaseMemory(plain, frameSlackBytes);
  }
  if (plainBytes !== file.plainBytes) {
    throw damaged(
      `${what} holds ${plainBytes > file.plainBytes ? "more" : "less"} than the ` +
        `${file.plainBytes} plain bytes that metadata.json states`,
    );
  }
  if (hash !== undefined && hash.digest("hex") !== file.sha256) {
    throw damaged(`${what} has another SHA-256 than metadata.json states`);
  }
}

async function checkSize(place: StoredFilePlace, file: StoredFile, what: string): Promise<void> {
  const found = await place.store.head(objectName(place, file.name));
  if (found?.sizeBytes === file.sizeBytes) return;
  throw new Failure(
    "backup-incomplete",
    (found === undefined
      ? `${what} is missing in ${place.store.url}`
      : `${what} has ${found.sizeBytes} bytes in ${place.store.url}; metadata.json states ${file.sizeBytes}`) +
      ". It was deleted, cut off or not copied whole. " +
      advice,
  );
}

async function* observeBytes(
  source: AsyncIterable<Uint8Array>,
  observe: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    observe(chunk);
    yield chunk;
  }
}

/** Decompresses on the thread pool, some frames ahead of the reader, in order. */
async function* decompress(
  compressed: AsyncIterable<Buffer>,
  what: string,
): AsyncGenerator<Buffer, void, undefined> {
  const splitter = new FrameSplitter(what);
  const ahead: Promise<Buffer>[] = [];
  const start = (frame: Frame): void => {
    const plain = decompressFrame(frame, what).finally(() => releaseMemory(frame.bytes));
    // Reported when its turn comes; the reader may have gone by then.
    plain.catch(() => undefined);
    ahead.push(plain);
  };
  for await (const bytes of compressed) {
    for (const frame of splitter.push(bytes)) {
      start(frame);
      if (ahead.length >= framesInFlight) yield await (ahead.shift() as Promise<Buffer>);
    }
    releaseMemory(bytes, frameSlackBytes);
  }
  for (const plain of ahead) yield await plain;
  splitter.finish();
}

const advice =
  "Use another backup or another copy of the repository; `lc2 repository check` shows what else is damaged.";

const damaged = (problem: string): Failure => new Failure("data-damaged", `${problem}. ${advice}`);

/** Small files (JSON, SQL) in one piece; at most 64 MiB. */
export async function writeSmallFile(
  place: StoredFilePlace,
  name: string,
  plain: Uint8Array,
): Promise<StoredFile> {
  if (plain.length > smallFileBytes) throw new RangeError(`${name} is too large to be written in one piece`);
  const writer = await createStoredFile(place, name);
  try {
    await writer.write(plain);
    return await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** The plain bytes of a small file. Failures as `readStoredFile`. */
export async function readSmallFile(place: StoredFilePlace, file: StoredFile): Promise<Buffer> {
  if (file.plainBytes > smallFileBytes) {
    throw damaged(
      `${file.name} of ${place.backupId} is stated to have ${file.plainBytes} bytes, too many for its kind`,
    );
  }
  const pieces: Buffer[] = [];
  for await (const piece of readStoredFile(place, file)) pieces.push(piece);
  return Buffer.concat(pieces);
}
