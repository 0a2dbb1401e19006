import type { FileKey } from "../repository/manifest.ts";

/** One key on its way through a merge-join: what each side says of it. At least one side does. */
export interface Joined<L, R> {
  readonly key: FileKey;
  readonly left: L | undefined;
  readonly right: R | undefined;
}

interface Keyed {
  readonly key: FileKey;
}

/**
 * Merges two streams that are in byte order of keys, each key at most once, into one. Both come in batches
 * of any size, so that the work per key is done without waiting; the result comes in batches, too. Memory:
 * one batch of each side.
 */
export async function* mergeJoin<L extends Keyed, R extends Keyed>(
  left: AsyncIterable<readonly L[]>,
  right: AsyncIterable<readonly R[]>,
): AsyncGenerator<Joined<L, R>[], void, undefined> {
  const lefts = new BatchReader(left);
  const rights = new BatchReader(right);
  try {
    for (;;) {
      const hasLeft = await lefts.fill();
      const hasRight = await rights.fill();
      if (!hasLeft && !hasRight) return;
      yield joinBatches(lefts, rights);
    }
  } finally {
    await lefts.close();
    await rights.close();
  }
}

/** Joins until one side's batch is used up (the other side may hold smaller keys in its next batch). */
function joinBatches<L extends Keyed, R extends Keyed>(
  lefts: BatchReader<L>,
  rights: BatchReader<R>,
): Joined<L, R>[] {
  const joined: Joined<L, R>[] = [];
  while ((lefts.current !== undefined || lefts.ended) && (rights.current !== undefined || rights.ended)) {
    const left = lefts.current;
    const right = rights.current;
    if (left === undefined && right === undefined) break;
    if (right === undefined || (left !== undefined && left.key < right.key)) {
      joined.push({ key: (left as L).key, left, right: undefined });
      lefts.next();
    } else if (left === undefined || right.key < left.key) {
      joined.push({ key: right.key, left: undefined, right });
      rights.next();
    } else {
      joined.push({ key: left.key, left, right });
      lefts.next();
      rights.next();
    }
  }
  return joined;
}

class BatchReader<T> {
  readonly #iterator: AsyncIterator<readonly T[]>;
  #batch: readonly T[] = [];
  #index = 0;
  ended = false;

  constructor(source: AsyncIterable<readonly T[]>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  get current(): T | undefined {
    return this.#batch[this.#index];
  }

  next(): void {
    this.#index += 1;
  }

  /** Makes sure that there is a current element; false at the end. */
  async fill(): Promise<boolean> {
    while (this.#index >= this.#batch.length && !this.ended) {
      const next = await this.#iterator.next();
      this.ended = next.done === true;
      this.#batch = next.done === true ? [] : next.value;
      this.#index = 0;
    }
    return !this.ended;
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** Facts by which an object is recognised as unchanged without being read. */
export interface ChangeFacts {
  readonly kind: "file" | "directory" | "symlink" | "special";
  readonly sizeBytes: number;
  readonly mtimeNs: string;
  readonly version?: string;
}

/**
 * Whether an object's content is certainly the one stored before: same kind, size, modification time and
 * version (a folder's inode change time, which no program can set; a bucket's ETag). One doubt, and it is
 * read again.
 */
export function isUnchanged(before: ChangeFacts, now: ChangeFacts): boolean {
  return (
    before.kind === now.kind &&
    before.sizeBytes === now.sizeBytes &&
    before.mtimeNs === now.mtimeNs &&
    before.version !== undefined &&
    before.version === now.version
  );
}

/** What becomes of a key in the next backup. */
export type FileDecision =
  /** In the source only: to be read. */
  | "new"
  /** On both sides, with a doubt: to be read. */
  | "changed"
  /** Kept by reference. */
  | "unchanged"
  /** Not in the source any more, for the first time: kept by reference once more, marked. */
  | "vanished"
  /** Not in the source for the second time: no longer part of the backup. */
  | "dropped";

export function decideFile(
  before: (ChangeFacts & { readonly vanished?: true; readonly stale?: true }) | undefined,
  now: ChangeFacts | undefined,
): FileDecision {
  if (now === undefined) return before === undefined || before.vanished ? "dropped" : "vanished";
  if (before === undefined) return "new";
  return !before.stale && isUnchanged(before, now) ? "unchanged" : "changed";
}
