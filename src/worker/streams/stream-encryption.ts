/** A stored stream in either mode: as Tink's streaming AEAD, or as it is where the store encrypts. */
import { Failure } from "../../core/failure.ts";
import type { ObjectStore, StoredObject } from "../../core/ports/object-store.ts";
import type { StreamKey } from "./stream-key.ts";
import {
  decryptBytes,
  decryptStream,
  encryptedSizeBytes,
  encryptInto,
  StreamEncryptor,
} from "./streaming-aead.ts";

/** A small piece has at most so many bytes. */
const smallPieceBytes = 1 << 20;

/** See `StreamEncryptor`. */
export interface StreamEncoder {
  push(plain: Uint8Array): Iterable<Uint8Array>;
  finish(): Uint8Array;
}

const asItIs: StreamEncoder = {
  push: (plain) => (plain.length === 0 ? [] : [plain]),
  finish: () => new Uint8Array(),
};

/** Begins a stream. Use one per stream. */
export function startStream(key: StreamKey, associatedData: string): StreamEncoder {
  return key === "by-store" ? asItIs : new StreamEncryptor(key, associatedData);
}

/** The bytes inside a stored stream; the buffers are the caller's. Rejects with `data-damaged`. */
export function openStream(
  key: StreamKey,
  associatedData: string,
  stored: AsyncIterable<Uint8Array>,
  what: string,
): AsyncIterable<Buffer> {
  return key === "by-store" ? copyChunks(stored) : decryptStream(key, associatedData, stored, what);
}

/** A store's chunk is valid until the next one is asked for. */
async function* copyChunks(stored: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of stored) if (chunk.length > 0) yield Buffer.from(chunk);
}

/** A whole stream of a small piece, written into `target` from `offset` on; gives its length. */
export function closeBytesInto(
  target: Buffer,
  offset: number,
  key: StreamKey,
  associatedData: string,
  bytes: Uint8Array,
): number {
  if (key !== "by-store") return encryptInto(target, offset, key, associatedData, bytes);
  target.set(bytes, offset);
  return bytes.length;
}

/** The most that whole streams of so many bytes in so many small pieces take, in either mode. */
export const mostClosedBytes = (bytes: number, pieces: number): number =>
  bytes + pieces * (encryptedSizeBytes(smallPieceBytes) - smallPieceBytes);

/** What is inside a whole stream in memory. */
export function openBytes(key: StreamKey, associatedData: string, stored: Buffer, what: string): Buffer {
  return key === "by-store" ? stored : decryptBytes(key, associatedData, stored, what);
}

/**
 * In server mode: the store has to say that it encrypted. Rejects with `encryption-unproved`; then the object, which
 * lies there for whoever can read, is removed.
 */
export async function assertEncrypted(store: ObjectStore, what: string, object: StoredObject): Promise<void> {
  if (object.encryption !== undefined) return;
  await store.delete(object.name).catch(() => undefined);
  throw new Failure(
    "encryption-unproved",
    `${store.url} took ${what} and does not say that it encrypted it, so it is not left to the store. The object was removed, and nothing was sealed. ` +
      "Check the bucket's settings and run again, or use a repository with encryption by lc2.",
  );
}
