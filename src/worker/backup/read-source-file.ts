import { createHash, hash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { isUnchanged } from "../../core/files/merge-join.ts";
import {
  SourceError,
  type FileSource,
  type SourceContent,
  type SourceEntry,
} from "../../core/ports/file-source.ts";
import type { RateLimiter } from "../rate-limiter.ts";

/** Files below this size are read whole. */
export const smallFileBytes = 1 << 20;
const pieceBytes = 2 << 20;
/** A piece's buffer is used again when the third one after it is asked for. */
const piecesInUse = 4;
/** Pauses before an object that changed is read again. */
export const changingPausesMs = [20, 100, 500] as const;
const attempts = changingPausesMs.length + 1;

/** The content changed while it was read, at every attempt. */
export class ChangingError extends Error {
  constructor() {
    super(`its content changed while it was read, ${attempts} times`);
    this.name = "ChangingError";
  }
}

/** What is known of a file before it is opened. */
type ReadableFile = Pick<SourceEntry, "key" | "sizeBytes">;

/** What was read, with the facts of exactly this content. */
export interface ReadFile<T> {
  readonly facts: SourceEntry;
  /** As `SourceContent.openedAtMs`. */
  readonly openedAtMs: number | undefined;
  readonly sha256: string;
  readonly content: T;
}

/**
 * Reads files of a source so that what was read is one version of the content: the facts before and after
 * are the same, and so many bytes came as they say. Tries several times, then rejects with `ChangingError`;
 * with a `SourceError` where the file is gone or cannot be read. Calls must not overlap.
 */
export class SourceReader {
  readonly #source: Pick<FileSource, "open">;
  readonly #rate: RateLimiter;
  readonly #signal: AbortSignal;
  readonly #small = Buffer.allocUnsafeSlow(smallFileBytes + 1);
  #pieces: Buffer[] = [];

  constructor(source: Pick<FileSource, "open">, rate: RateLimiter, signal: AbortSignal) {
    this.#source = source;
    this.#rate = rate;
    this.#signal = signal;
  }

  /**
   * Gives a small file's content to `take`; it is valid until that has resolved. Undefined, and `take` not
   * called, when the file is not small (any more).
   */
  async readSmall<T>(
    file: ReadableFile,
    take: (content: Buffer, facts: SourceEntry, sha256: string) => T | Promise<T>,
  ): Promise<ReadFile<T> | undefined> {
    const read = await this.#readWhole(file);
    if (read === undefined) return undefined;
    return { ...read, content: await take(read.content, read.facts, read.sha256) };
  }

  #readWhole(file: ReadableFile): Promise<ReadFile<Buffer> | undefined> {
    return this.#retry(file, async (content) => {
      if (content.facts.sizeBytes >= smallFileBytes) return undefined;
      await this.#rate.take(content.facts.sizeBytes);
      // One byte more than there should be, to see that there is no more; asking for a MiB costs time.
      const wanted = content.facts.sizeBytes + 1;
      let length = 0;
      while (length < wanted - 1) {
        const read = await content.read(this.#small.subarray(length, wanted));
        if (read === 0) break;
        length += read;
      }
      await assertSame(content, length);
      const bytes = this.#small.subarray(0, length);
      const { facts, openedAtMs } = content;
      return { facts, openedAtMs, sha256: hash("sha256", bytes), content: bytes };
    });
  }

  /**
   * Gives a file's content to `take` in pieces of up to 2 MiB. When the content turns out to have changed,
   * the iteration throws inside `take`, which must undo what it did and rethrow; it is then called again.
   */
  readLarge<T>(
    file: ReadableFile,
    take: (pieces: AsyncIterable<Buffer>, facts: SourceEntry) => Promise<T>,
  ): Promise<ReadFile<T>> {
    return this.#retry(file, async (content) => {
      const sha256 = createHash("sha256");
      const result = await take(this.#readPieces(content, sha256), content.facts);
      const { facts, openedAtMs } = content;
      return { facts, openedAtMs, sha256: sha256.digest("hex"), content: result };
    });
  }

  async *#readPieces(
    content: SourceContent,
    sha256: { update(bytes: Buffer): unknown },
  ): AsyncGenerator<Buffer> {
    let total = 0;
    for (let index = 0; ; index += 1) {
      this.#signal.throwIfAborted();
      const buffer = (this.#pieces[index % piecesInUse] ??= Buffer.allocUnsafeSlow(pieceBytes));
      await this.#rate.take(Math.min(pieceBytes, Math.max(0, content.facts.sizeBytes - total)));
      const length = await readFull(content, buffer);
      total += length;
      if (length === 0 || total > content.facts.sizeBytes) break;
      const piece = buffer.subarray(0, length);
      sha256.update(piece);
      yield piece;
    }
    await assertSame(content, total);
  }

  async #retry<T>(
    { key, sizeBytes }: ReadableFile,
    read: (content: SourceContent) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const content = await this.#source.open(key, sizeBytes);
      try {
        return await read(content);
      } catch (error) {
        if (!isChanging(error)) throw error;
      } finally {
        await content.close();
      }
      if (attempt === attempts) throw new ChangingError();
      await delay(changingPausesMs[attempt - 1], undefined, { signal: this.#signal });
    }
  }
}

const isChanging = (error: unknown): boolean =>
  error instanceof ChangingError || (error instanceof SourceError && error.reason === "changed");

/** Throws unless so many bytes are the whole content and it is the one that was opened. */
async function assertSame(content: SourceContent, length: number): Promise<void> {
  if (length !== content.facts.sizeBytes || !isUnchanged(content.facts, await content.factsNow())) {
    throw new ChangingError();
  }
}

/** Fills the buffer as far as the content goes. */
async function readFull(content: SourceContent, buffer: Buffer): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const read = await content.read(buffer.subarray(length));
    if (read === 0) break;
    length += read;
  }
  return length;
}
