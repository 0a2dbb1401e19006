/**
 * zstd as we store it: independent frames of at most 4 MiB of plain bytes, each with its content size in
 * the header and a checksum at the end, one after the other. The whole is an ordinary `.zst` file.
 *
 * Independent frames can be compressed and decompressed on the thread pool side by side. They are cut
 * apart here by walking the block headers (RFC 8878, 3.1.1), because the sizes in a header bound the
 * memory before anything is decompressed.
 */
import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress } from "node:zlib";

import { Failure } from "../../core/failure.ts";

export const maximumFramePlainBytes = 4 << 20;
/** ZSTD_compressBound(4 MiB), header and checksum, rounded up: no frame of ours is longer. */
const maximumFrameBytes = maximumFramePlainBytes + (maximumFramePlainBytes >> 7) + 1024;

/** Room beyond a frame's plain bytes in its buffer, so that zlib sees at once that there is no more. */
export const frameSlackBytes = 64;

const compressOnPool = promisify(zstdCompress);
const decompressOnPool = promisify(zstdDecompress);

/** One frame of at most 4 MiB plain bytes. `plain` must not change until the promise is settled. */
export function compressFrame(plain: Uint8Array, level: number): Promise<Buffer> {
  if (plain.length > maximumFramePlainBytes) throw new RangeError("a frame holds at most 4 MiB");
  return compressOnPool(plain, {
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_checksumFlag]: 1,
      ...(plain.length < largeFrameBytes ? {} : largeFrameParameters),
    },
    pledgedSrcSize: plain.length,
    // Room for all of it: then zstd works from buffer to buffer, without a window of its own to copy into.
    chunkSize: plain.length + (plain.length >> 7) + 1024,
  });
}

const largeFrameBytes = 256 << 10;
/**
 * Matches from the whole frame, only long ones, found through tables that fit a core's own cache. Measured on a
 * database dump (text in versions, JSON, small rows): level 3 becomes a third faster and no larger, as fast as
 * level 2 and 7 % smaller.
 */
const largeFrameParameters = {
  [constants.ZSTD_c_windowLog]: 22,
  [constants.ZSTD_c_minMatch]: 7,
  [constants.ZSTD_c_hashLog]: 16,
  [constants.ZSTD_c_chainLog]: 14,
};

export interface Frame {
  readonly bytes: Buffer;
  readonly plainBytes: number;
}

/** The plain bytes of one frame; `what` names its place in the `data-damaged` failure. */
export async function decompressFrame(frame: Frame, what: string): Promise<Buffer> {
  let plain: Buffer;
  try {
    plain = await decompressOnPool(frame.bytes, {
      maxOutputLength: frame.plainBytes + 1,
      chunkSize: frame.plainBytes + frameSlackBytes,
    });
  } catch (cause) {
    throw new Failure("data-damaged", `${what} holds a zstd frame that does not decompress. ${advice}`, {
      cause,
    });
  }
  if (plain.length !== frame.plainBytes) {
    throw new Failure(
      "data-damaged",
      `${what} holds a zstd frame of another length than it states. ${advice}`,
    );
  }
  return plain;
}

const advice = "Use another backup or another copy of the repository.";

/** Cuts a stream of bytes into frames. Memory: one frame and one chunk. */
export class FrameSplitter {
  readonly #what: string;
  #held = Buffer.allocUnsafeSlow(256 << 10);
  #heldBytes = 0;
  /** Where the next block header of the frame at hand is; 0: the frame's own header comes first. */
  #nextBlock = 0;
  #plainBytes = 0;
  #hasChecksum = false;

  constructor(what: string) {
    this.#what = what;
  }

  /** Yields the frames that are complete; their buffers are the caller's. Run it to its end. */
  *push(bytes: Uint8Array): Generator<Frame, void, undefined> {
    this.#append(bytes);
    let start = 0;
    for (;;) {
      const length = this.#frameLength(this.#held.subarray(start, this.#heldBytes));
      if (length === undefined) break;
      yield { bytes: Buffer.from(this.#held.subarray(start, start + length)), plainBytes: this.#plainBytes };
      start += length;
      this.#nextBlock = 0;
    }
    this.#held.copyWithin(0, start, this.#heldBytes);
    this.#heldBytes -= start;
  }

  /** Rejects when the stream ended inside a frame. */
  finish(): void {
    if (this.#heldBytes > 0) throw this.#damaged("ends inside a zstd frame");
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#heldBytes + bytes.length;
    if (needed > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#held.length));
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    this.#held.set(bytes, this.#heldBytes);
    this.#heldBytes = needed;
  }

  /** Length of the frame that `bytes` begins with, or undefined when its end is not there yet. */
  #frameLength(bytes: Buffer): number | undefined {
    if (this.#nextBlock === 0 && !this.#readFrameHeader(bytes)) return undefined;
    while (this.#nextBlock + 3 <= bytes.length) {
      const header = bytes.readUIntLE(this.#nextBlock, 3);
      const type = (header >> 1) & 3;
      if (type === 3) throw this.#damaged("holds a zstd block of no known type");
      const end = this.#nextBlock + 3 + (type === 1 ? 1 : header >> 3);
      if (end > maximumFrameBytes) throw this.#damaged("holds a zstd frame that is too long");
      if ((header & 1) === 1) {
        const length = end + (this.#hasChecksum ? 4 : 0);
        return length <= bytes.length ? length : undefined;
      }
      this.#nextBlock = end;
    }
    return undefined;
  }

  /** False when there are not enough bytes yet. */
  #readFrameHeader(bytes: Buffer): boolean {
    if (bytes.length < 5) return false;
    if (bytes.readUInt32LE(0) !== 0xfd2fb528) throw this.#damaged("holds something that is not a zstd frame");
    const descriptor = bytes[4] as number;
    const single = (descriptor & 0x20) !== 0;
    if ((descriptor & 0x03) !== 0) throw this.#damaged("holds a zstd frame that needs a dictionary");
    const sizeField = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
    const at = 5 + (single ? 0 : 1);
    if (bytes.length < at + sizeField) return false;
    if (sizeField === 0) throw this.#damaged("holds a zstd frame that does not state its length");
    this.#plainBytes = readContentSize(bytes, at, sizeField);
    if (this.#plainBytes > maximumFramePlainBytes)
      throw this.#damaged("holds a zstd frame of more than 4 MiB");
    this.#hasChecksum = (descriptor & 0x04) !== 0;
    this.#nextBlock = at + sizeField;
    return true;
  }

  #damaged(problem: string): Failure {
    return new Failure("data-damaged", `${this.#what} ${problem}. ${advice}`);
  }
}

function readContentSize(bytes: Buffer, at: number, sizeField: number): number {
  if (sizeField === 8) return Number(bytes.readBigUInt64LE(at));
  return bytes.readUIntLE(at, sizeField) + (sizeField === 2 ? 256 : 0);
}
