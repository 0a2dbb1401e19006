import type { FileSource, SourceContent, SourceEntry } from "../../core/ports/file-source.ts";
import type { FileKey } from "../../core/repository/manifest.ts";
import { BufferPool } from "./buffer-pool.ts";

/** Bytes of contents that are there, or on their way, before their turn. */
const windowBytes = 8 << 20;
/** Contents that wait to be asked for; more would not make it faster. */
const waitingContents = 512;
/** Batches that wait for their turn while nothing in them is to be read. */
const waitingBatches = 8;

export interface ReadAheadLimits {
  /** Contents being fetched at once. */
  readonly requests: number;
  /** Larger ones are not fetched ahead: they come in many pieces, and keep the source busy by themselves. */
  readonly contentBytes: number;
  readonly windowBytes?: number;
}

/** A content that is going to be opened, and what has become of it so far. */
interface Expected {
  readonly key: FileKey;
  readonly sizeBytes: number;
  content: Promise<SourceContent> | undefined;
}

/**
 * Fetches small contents of a source that takes its time before their turn, many at once, while whoever reads them
 * goes on one after the other. A content that was foreseen and is not asked for in its turn is dropped; one that
 * was not foreseen is opened then. Memory: the window.
 */
export class ReadAhead {
  readonly #source: Pick<FileSource, "open">;
  readonly #limits: ReadAheadLimits;
  /** In order of keys; those being fetched are in front. */
  readonly #expected: Expected[] = [];
  readonly #buffers = new BufferPool();
  #fetching = 0;
  #heldBytes = 0;
  #onRoom: (() => void) | undefined;

  constructor(source: Pick<FileSource, "open">, limits: ReadAheadLimits) {
    this.#source = source;
    this.#limits = limits;
  }

  /** Hands batches on in their order, and looks into some that are still to come for what will be opened. */
  async *lookAhead<T>(
    batches: AsyncIterable<readonly T[]>,
    foresee: (item: T) => SourceEntry | undefined,
  ): AsyncGenerator<readonly T[], void, undefined> {
    const takeNotice = (batch: readonly T[]): void => {
      for (const item of batch) {
        const entry = foresee(item);
        if (entry !== undefined) this.#expect(entry);
      }
    };
    const queue = new BatchQueue(batches, takeNotice, () => this.#expected.length < waitingContents);
    this.#onRoom = () => queue.fill();
    try {
      for (let batch = await queue.shift(); batch !== undefined; batch = await queue.shift()) yield batch;
    } finally {
      this.#onRoom = undefined;
      this.#dropBefore(undefined);
      await queue.close();
    }
  }

  /** As the source's; with what was fetched ahead where it was foreseen. */
  async open(key: FileKey, sizeBytes?: number): Promise<SourceContent> {
    this.#dropBefore(key);
    const [first] = this.#expected;
    if (first?.key !== key) return this.#source.open(key, sizeBytes);
    this.#expected.shift();
    try {
      return await (first.content ?? this.#fetch(first));
    } catch (error) {
      this.#release(first);
      throw error;
    } finally {
      this.#onRoom?.();
    }
  }

  #expect({ key, sizeBytes }: SourceEntry): void {
    if (sizeBytes >= this.#limits.contentBytes) return;
    this.#expected.push({ key, sizeBytes, content: undefined });
    this.#fetchMore();
  }

  #fetchMore(): void {
    const most = this.#limits.windowBytes ?? windowBytes;
    for (const next of this.#expected) {
      if (this.#fetching >= this.#limits.requests) return;
      if (next.content !== undefined) continue;
      if (this.#heldBytes > 0 && this.#heldBytes + next.sizeBytes > most) return;
      void this.#fetch(next);
    }
  }

  #fetch(expected: Expected): Promise<SourceContent> {
    this.#fetching += 1;
    this.#heldBytes += expected.sizeBytes;
    const content = this.#open(expected).finally(() => {
      this.#fetching -= 1;
      this.#fetchMore();
    });
    // Whoever asks for it gets the error; perhaps nobody does.
    content.catch(() => undefined);
    return (expected.content = content);
  }

  async #open(expected: Expected): Promise<SourceContent> {
    const content = await this.#source.open(expected.key, expected.sizeBytes);
    // It may have grown since it was listed.
    if (content.facts.sizeBytes >= this.#limits.contentBytes)
      return new HeldContent(content, undefined, () => this.#release(expected));
    // One byte more, to see that there is no more.
    const buffer = this.#buffers.take(content.facts.sizeBytes + 1);
    try {
      const bytes = await readWhole(content, buffer);
      return new HeldContent(content, bytes, () => {
        this.#buffers.giveBack(buffer);
        this.#release(expected);
      });
    } catch (error) {
      this.#buffers.giveBack(buffer);
      throw error;
    }
  }

  #dropBefore(key: FileKey | undefined): void {
    for (let first = this.#expected[0]; first !== undefined; first = this.#expected[0]) {
      if (key !== undefined && first.key >= key) return;
      this.#expected.shift();
      if (first.content === undefined) continue;
      const dropped = first;
      void first.content.then((content) => content.close()).catch(() => this.#release(dropped));
    }
  }

  #release({ sizeBytes }: Expected): void {
    this.#heldBytes -= sizeBytes;
    this.#fetchMore();
    this.#onRoom?.();
  }
}

/** All of a content, and one byte more where there is more than it should have. */
async function readWhole(content: SourceContent, buffer: Uint8Array): Promise<Uint8Array> {
  const bytes = buffer.subarray(0, content.facts.sizeBytes + 1);
  let length = 0;
  try {
    while (length < bytes.length) {
      const read = await content.read(bytes.subarray(length));
      if (read === 0) break;
      length += read;
    }
  } catch (error) {
    await content.close();
    throw error;
  }
  return bytes.subarray(0, length);
}

/** A content that takes up room until it is closed. */
class HeldContent implements SourceContent {
  readonly facts: SourceEntry;
  readonly openedAtMs?: number;
  readonly #inner: SourceContent;
  #bytes: Uint8Array | undefined;
  #release: (() => void) | undefined;

  constructor(inner: SourceContent, bytes: Uint8Array | undefined, release: () => void) {
    this.facts = inner.facts;
    if (inner.openedAtMs !== undefined) this.openedAtMs = inner.openedAtMs;
    this.#inner = inner;
    this.#bytes = bytes;
    this.#release = release;
  }

  read(into: Uint8Array): number | Promise<number> {
    if (this.#bytes === undefined) return this.#inner.read(into);
    const taken = this.#bytes.subarray(0, into.length);
    into.set(taken);
    this.#bytes = this.#bytes.subarray(taken.length);
    return taken.length;
  }

  factsNow(): SourceEntry | Promise<SourceEntry> {
    return this.#inner.factsNow();
  }

  async close(): Promise<void> {
    this.#release?.();
    this.#release = undefined;
    await this.#inner.close();
  }
}

/** Batches that were taken from a stream before they are asked for. */
class BatchQueue<T> {
  readonly #iterator: AsyncIterator<readonly T[]>;
  readonly #onBatch: (batch: readonly T[]) => void;
  readonly #wantsMore: () => boolean;
  readonly #batches: (readonly T[])[] = [];
  #taking: Promise<void> | undefined;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    batches: AsyncIterable<readonly T[]>,
    onBatch: (batch: readonly T[]) => void,
    wantsMore: () => boolean,
  ) {
    this.#iterator = batches[Symbol.asyncIterator]();
    this.#onBatch = onBatch;
    this.#wantsMore = wantsMore;
  }

  /** Begins to take one more where that is wanted. */
  fill(): void {
    if (this.#batches.length < waitingBatches && this.#wantsMore()) void this.#take();
  }

  /** The next batch; undefined at the end. What came before a failure is handed out before it. */
  async shift(): Promise<readonly T[] | undefined> {
    while (this.#batches.length === 0) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return undefined;
      await this.#take();
    }
    const batch = this.#batches.shift();
    this.fill();
    return batch;
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#taking;
    await this.#iterator.return?.();
  }

  #take(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return (this.#taking ??= this.#takeOne());
  }

  async #takeOne(): Promise<void> {
    try {
      const next = await this.#iterator.next();
      if (next.done === true) this.#ended = true;
      else {
        this.#batches.push(next.value);
        this.#onBatch(next.value);
      }
    } catch (error) {
      this.#failure = { error };
      this.#ended = true;
    } finally {
      this.#taking = undefined;
    }
    this.fill();
  }
}
