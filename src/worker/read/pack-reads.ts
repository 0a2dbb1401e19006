import { Failure } from "../../core/failure.ts";
import type { ObjectStore } from "../../core/ports/object-store.ts";

/** Encrypted bytes of one file in a pack. */
export interface Member {
  /** Of the pack, whole. */
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

/** So much is fetched together, and two of them are in memory: one being used, one on its way. */
const chunkBytes = 8 << 20;
const chunksAhead = 2;
/** Bytes that nobody asked for are fetched where that spares a request. */
const largestGap = 64 << 10;
/** Longer stretches are fetched in several requests at once. */
const longestRange = 4 << 20;

interface Expected {
  readonly member: Member;
  isTaken: boolean;
  source: { readonly range: Range; readonly chunk: Chunk } | undefined;
}

interface Range {
  readonly offset: number;
  readonly bytes: Promise<Buffer>;
}

/** Its members that are still to be taken. */
interface Chunk {
  left: number;
}

/**
 * Reads members of packs. Of those that it is told to expect it reads neighbours together and ahead of time; any
 * other is one read of exactly its bytes. Members may be taken in any order and at once. Memory: some 20 MiB.
 */
export class PackReads {
  readonly #store: ObjectStore;
  #expected = new Map<string, Expected>();
  #queue: Expected[] = [];
  #chunks = new Set<Chunk>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** These will be taken next, in about this order. What was expected before is forgotten. */
  expect(members: Iterable<Member>): void {
    this.#expected = new Map();
    for (const member of members) {
      const id = idOf(member);
      if (!this.#expected.has(id)) this.#expected.set(id, { member, isTaken: false, source: undefined });
    }
    this.#queue = [...this.#expected.values()].reverse();
    this.#chunks = new Set();
    this.#readAhead();
  }

  /** The bytes are the caller's to keep. Rejects as the store's `read`. */
  async take(member: Member): Promise<Buffer> {
    const expected = this.#expected.get(idOf(member));
    if (expected === undefined || expected.isTaken) return this.#read(member);
    expected.isTaken = true;
    const { source } = expected;
    if (source === undefined) return this.#read(member);
    const { range, chunk } = source;
    try {
      const bytes = await range.bytes;
      const from = member.offset - range.offset;
      return bytes.subarray(from, from + member.length);
    } catch (error) {
      // Perhaps only its neighbours are missing.
      if (error instanceof Failure && error.kind === "integrity") return await this.#read(member);
      throw error;
    } finally {
      expected.source = undefined;
      chunk.left -= 1;
      if (chunk.left === 0 && this.#chunks.delete(chunk)) this.#readAhead();
    }
  }

  #readAhead(): void {
    while (this.#chunks.size < chunksAhead && this.#queue.length > 0) {
      const chosen = this.#nextChunk();
      if (chosen.length === 0) return;
      const chunk: Chunk = { left: chosen.length };
      this.#chunks.add(chunk);
      for (const together of neighbours(chosen)) {
        const range = this.#readRange(together);
        for (const expected of together) expected.source = { range, chunk };
      }
    }
  }

  #nextChunk(): Expected[] {
    const chosen: Expected[] = [];
    let bytes = 0;
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      if (next.isTaken) continue;
      chosen.push(next);
      bytes += next.member.length;
      if (bytes >= chunkBytes) break;
    }
    return chosen;
  }

  #readRange(together: readonly Expected[]): Range {
    const first = (together[0] as Expected).member;
    const last = (together.at(-1) as Expected).member;
    const length = last.offset + last.length - first.offset;
    const bytes = this.#read({ name: first.name, offset: first.offset, length });
    // Whoever takes a member of it is told.
    bytes.catch(() => undefined);
    return { offset: first.offset, bytes };
  }

  async #read({ name, offset, length }: Member): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    let at = 0;
    for await (const chunk of this.#store.read(name, { offset, length })) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }
}

const idOf = ({ name, offset, length }: Member): string => `${name}@${offset}+${length}`;

/** Cuts members into groups that are read together. */
function neighbours(chosen: readonly Expected[]): Expected[][] {
  const sorted = [...chosen].sort(({ member: a }, { member: b }) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : a.offset - b.offset,
  );
  const groups: Expected[][] = [];
  let start = 0;
  let end = 0;
  for (const expected of sorted) {
    const { name, offset, length } = expected.member;
    const group = groups.at(-1);
    const isNear = offset >= end && offset - end <= largestGap && offset + length - start <= longestRange;
    if (group !== undefined && group[0]?.member.name === name && isNear) group.push(expected);
    else {
      groups.push([expected]);
      start = offset;
    }
    end = offset + length;
  }
  return groups;
}
