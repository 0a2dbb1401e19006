/**
 * Tink's streaming AEAD `AES256_GCM_HKDF_1MB`, byte for byte, so that a public implementation opens
 * what we store (https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming):
 *
 *   stream   = segment 0 ‖ segment 1 ‖ … ; each 1 MiB of the stream, the last one what is left
 *   segment 0 begins with the header: length (1 byte, 40) ‖ salt (32) ‖ nonce prefix (7)
 *   key      = HKDF-SHA256(main key, salt, info = associated data), 32 bytes
 *   segment  = AES-256-GCM(key, prefix ‖ number (4, big endian) ‖ last (1), no associated data) ‖ tag (16)
 *
 * The `last` byte of the nonce is what makes a cut stream fail, so whether a segment is the last one must
 * be known before it is encrypted: a segment's bytes are held until one more byte, or the end, arrives.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomFillSync } from "node:crypto";

import { Failure } from "../../core/failure.ts";
import { releaseMemory } from "../../core/release-memory.ts";

const segmentBytes = 1 << 20;
const headerBytes = 40;
const tagBytes = 16;
const saltBytes = 32;
const prefixBytes = 7;

/** Length of the encrypted form of `plainBytes` bytes. */
export function encryptedSizeBytes(plainBytes: number): number {
  const perSegment = segmentBytes - tagBytes;
  const segments = Math.max(1, Math.ceil((headerBytes + plainBytes) / perSegment));
  return headerBytes + plainBytes + segments * tagBytes;
}

function deriveKey(key: Uint8Array, salt: Uint8Array, associatedData: string | Uint8Array): Buffer {
  return Buffer.from(hkdfSync("sha256", key, salt, associatedData, 32));
}

/** Random bytes are drawn in pieces of 32 KiB: one system call for 800 small streams. */
const randomPool = Buffer.allocUnsafeSlow(39 * 840);
let randomUsed = randomPool.length;
function drawHeader(target: Buffer): void {
  if (randomUsed === randomPool.length) {
    randomFillSync(randomPool);
    randomUsed = 0;
  }
  target[0] = headerBytes;
  randomPool.copy(target, 1, randomUsed, randomUsed + saltBytes + prefixBytes);
  // What has been used must not be readable later, nor be used again.
  randomPool.fill(0, randomUsed, (randomUsed += saltBytes + prefixBytes));
}

function checkKey(key: Uint8Array): void {
  if (key.length !== 32) throw new RangeError(`a stream key has 32 bytes, not ${key.length}`);
}

const header = {
  salt: (bytes: Uint8Array): Uint8Array => bytes.subarray(1, 1 + saltBytes),
  prefix: (bytes: Uint8Array): Uint8Array => bytes.subarray(1 + saltBytes, headerBytes),
};

function writeNonce(nonce: Buffer, segment: number, last: boolean): void {
  // Tink's own limit; 4 PiB of data at 1 MiB a segment.
  if (segment > 0xffff_ffff) throw new RangeError("a stream has at most 2^32 segments");
  nonce.writeUInt32BE(segment, prefixBytes);
  nonce[prefixBytes + 4] = last ? 1 : 0;
}

/** Encrypts as a stream. Use one per stream; not to be used after `finish`. */
export class StreamEncryptor {
  readonly #key: Buffer;
  readonly #nonce = Buffer.alloc(12);
  readonly #held = Buffer.allocUnsafeSlow(segmentBytes);
  readonly #output = Buffer.allocUnsafeSlow(segmentBytes);
  #heldBytes = 0;
  #segment = 0;
  #capacity = segmentBytes - headerBytes - tagBytes;
  readonly #header = Buffer.alloc(headerBytes);

  constructor(key: Uint8Array, associatedData: string | Uint8Array) {
    checkKey(key);
    drawHeader(this.#header);
    this.#key = deriveKey(key, header.salt(this.#header), associatedData);
    this.#nonce.set(header.prefix(this.#header));
  }

  /**
   * Takes plain bytes and yields the segments that are complete. Run it to its end. A yielded buffer is
   * overwritten by the next one; `plain` is no longer needed when the generator has ended.
   */
  *push(plain: Uint8Array): Generator<Buffer, void, undefined> {
    let from = 0;
    while (this.#heldBytes + plain.length - from > this.#capacity) {
      const take = this.#capacity - this.#heldBytes;
      yield this.#seal(plain.subarray(from, from + take), false);
      from += take;
    }
    this.#held.set(from === 0 ? plain : plain.subarray(from), this.#heldBytes);
    this.#heldBytes += plain.length - from;
  }

  /** The last segment. */
  finish(): Buffer {
    const sealed = this.#seal(new Uint8Array(0), true);
    this.#key.fill(0);
    return sealed;
  }

  #seal(more: Uint8Array, last: boolean): Buffer {
    let at = 0;
    if (this.#segment === 0) at += this.#header.copy(this.#output);
    writeNonce(this.#nonce, this.#segment, last);
    const cipher = createCipheriv("aes-256-gcm", this.#key, this.#nonce);
    for (const plain of [this.#held.subarray(0, this.#heldBytes), more]) {
      if (plain.length === 0) continue;
      const encrypted = cipher.update(plain);
      at += encrypted.copy(this.#output, at);
      releaseMemory(encrypted);
    }
    cipher.final();
    at += cipher.getAuthTag().copy(this.#output, at);
    this.#segment += 1;
    this.#heldBytes = 0;
    this.#capacity = segmentBytes - tagBytes;
    return this.#output.subarray(0, at);
  }
}

/** Decrypts a stream; releases no byte that is not authenticated. Use one per stream. */
class StreamDecryptor {
  readonly #mainKey: Uint8Array;
  readonly #associatedData: string | Uint8Array;
  readonly #what: string;
  readonly #nonce = Buffer.alloc(12);
  readonly #held = Buffer.allocUnsafeSlow(segmentBytes);
  #key: Buffer | undefined;
  #heldBytes = 0;
  #segment = 0;

  /** `what` names the stream in failures, e.g. `a1/database/lportal.dump of backup-…`. */
  constructor(key: Uint8Array, associatedData: string | Uint8Array, what: string) {
    checkKey(key);
    this.#mainKey = key;
    this.#associatedData = associatedData;
    this.#what = what;
  }

  /** Yields the plain bytes that became certain; the buffers are the caller's. Run it to its end. */
  *push(stored: Uint8Array): Generator<Buffer, void, undefined> {
    let from = 0;
    while (this.#heldBytes + stored.length - from > segmentBytes) {
      const take = segmentBytes - this.#heldBytes;
      if (this.#heldBytes === 0) {
        // A whole segment lies in the chunk: no copy.
        yield this.#open(stored.subarray(from, from + take), false);
      } else {
        this.#held.set(stored.subarray(from, from + take), this.#heldBytes);
        yield this.#open(this.#held, false);
      }
      this.#heldBytes = 0;
      from += take;
    }
    this.#held.set(from === 0 ? stored : stored.subarray(from), this.#heldBytes);
    this.#heldBytes += stored.length - from;
  }

  /** The plain bytes of the last segment. Rejects a stream that ends early. */
  finish(): Buffer {
    const plain = this.#open(this.#held.subarray(0, this.#heldBytes), true);
    this.#key?.fill(0);
    return plain;
  }

  #open(segment: Uint8Array, last: boolean): Buffer {
    const start = this.#segment === 0 ? headerBytes : 0;
    if (segment.length < start + tagBytes) {
      throw new Failure("data-damaged", `${this.#what} is cut off in segment ${this.#segment}. ${advice}`);
    }
    if (start > 0) this.#readHeader(segment);
    const body = start === 0 ? segment : segment.subarray(start);
    const plain = this.#tryOpen(body, last);
    if (plain === undefined) throw this.#explain(body, last);
    this.#segment += 1;
    return plain;
  }

  #readHeader(segment: Uint8Array): void {
    if (segment[0] !== headerBytes) {
      throw new Failure(
        "data-damaged",
        `${this.#what} does not begin as an encrypted stream does. ${advice}`,
      );
    }
    this.#key = deriveKey(this.#mainKey, header.salt(segment), this.#associatedData);
    this.#nonce.set(header.prefix(segment));
  }

  #tryOpen(body: Uint8Array, last: boolean): Buffer | undefined {
    writeNonce(this.#nonce, this.#segment, last);
    return openSegment(this.#key as Buffer, this.#nonce, body);
  }

  /** Tells a stream that was cut, or continued, at a segment's end from one with changed bytes. */
  #explain(body: Uint8Array, last: boolean): Failure {
    const otherwise = this.#tryOpen(body, !last) !== undefined;
    const problem = !otherwise
      ? `fails its authentication in segment ${this.#segment}: bytes were changed, moved or belong elsewhere`
      : last
        ? `is cut off after segment ${this.#segment}`
        : `has bytes after its end in segment ${this.#segment}`;
    return new Failure("data-damaged", `${this.#what} ${problem}. ${advice}`);
  }
}

const advice =
  "Use another backup or another copy of the repository; `lc2 repository check` shows what else is damaged.";

function openSegment(key: Uint8Array, nonce: Uint8Array, body: Uint8Array): Buffer | undefined {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
  decipher.setAuthTag(body.subarray(body.length - tagBytes));
  const plain = decipher.update(body.subarray(0, body.length - tagBytes));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}

/** The plain bytes of an encrypted stream, segment by segment. Rejects with `data-damaged`. */
export async function* decryptStream(
  key: Uint8Array,
  associatedData: string | Uint8Array,
  stored: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<Buffer, void, undefined> {
  const decryptor = new StreamDecryptor(key, associatedData, what);
  for await (const chunk of stored) {
    for (const plain of decryptor.push(chunk)) if (plain.length > 0) yield plain;
  }
  const rest = decryptor.finish();
  if (rest.length > 0) yield rest;
}

/**
 * A whole stream of a small piece at once (a pack member), written into `target` from `offset` on; gives its length.
 * Several times cheaper than the streaming form.
 */
export function encryptInto(
  target: Buffer,
  offset: number,
  key: Uint8Array,
  associatedData: string | Uint8Array,
  plain: Uint8Array,
): number {
  checkKey(key);
  const length = encryptedSizeBytes(plain.length);
  if (offset + length > target.length) throw new RangeError("the encrypted form does not fit");
  const stored = target.subarray(offset, offset + length);
  if (length > segmentBytes) encryptSegments(stored, key, associatedData, plain);
  else encryptSegment(stored, key, associatedData, plain);
  return length;
}

function encryptSegment(
  stored: Buffer,
  key: Uint8Array,
  associatedData: string | Uint8Array,
  plain: Uint8Array,
): void {
  drawHeader(stored);
  const nonce = Buffer.alloc(12);
  nonce.set(header.prefix(stored));
  writeNonce(nonce, 0, true);
  const cipher = createCipheriv("aes-256-gcm", deriveKey(key, header.salt(stored), associatedData), nonce);
  if (plain.length > 0) cipher.update(plain).copy(stored, headerBytes);
  cipher.final();
  cipher.getAuthTag().copy(stored, headerBytes + plain.length);
}

function encryptSegments(
  stored: Buffer,
  key: Uint8Array,
  associatedData: string | Uint8Array,
  plain: Uint8Array,
): void {
  const encryptor = new StreamEncryptor(key, associatedData);
  let at = 0;
  for (const segment of encryptor.push(plain)) at += segment.copy(stored, at);
  encryptor.finish().copy(stored, at);
}

/** The plain bytes of a whole stream in memory. `what` names it in the `data-damaged` failure. */
export function decryptBytes(
  key: Uint8Array,
  associatedData: string | Uint8Array,
  stored: Uint8Array,
  what: string,
): Buffer {
  if (stored.length >= headerBytes + tagBytes && stored.length <= segmentBytes && stored[0] === headerBytes) {
    checkKey(key);
    const nonce = Buffer.alloc(12);
    nonce.set(header.prefix(stored));
    writeNonce(nonce, 0, true);
    const derived = deriveKey(key, header.salt(stored), associatedData);
    const plain = openSegment(derived, nonce, stored.subarray(headerBytes));
    if (plain !== undefined) return plain;
  }
  // Long, or damaged: the streaming form, which also finds the words for what is wrong.
  const decryptor = new StreamDecryptor(key, associatedData, what);
  const pieces = [...decryptor.push(stored), decryptor.finish()];
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
}
