import { describe, expect, test } from "vitest";
import { until } from "../../../test/support/until.ts";
import { SourceError, type SourceContent, type SourceEntry } from "../../core/ports/file-source.ts";
import type { FileKey } from "../../core/repository/manifest.ts";
import { ReadAhead, type ReadAheadLimits } from "./read-ahead.ts";

const entryOf = (key: FileKey, sizeBytes = 10): SourceEntry => ({
  key,
  kind: "file",
  sizeBytes,
  mtimeNs: "0",
  mode: 0o644,
  version: "v",
});

/** A source whose objects come only when the test lets them. */
class SlowSource {
  readonly opened: FileKey[] = [];
  readonly closed: FileKey[] = [];
  atOnce = 0;
  mostAtOnce = 0;
  readonly #gates = new Map<FileKey, () => void>();
  #isOpen = false;

  async open(key: FileKey, sizeBytes = 10): Promise<SourceContent> {
    this.opened.push(key);
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    if (!this.#isOpen) await new Promise<void>((resolve) => this.#gates.set(key, resolve));
    this.atOnce -= 1;
    if (key.startsWith("gone")) throw new SourceError("gone", "it is not there any more");
    let left = sizeBytes;
    const read = (into: Uint8Array): number => {
      const length = Math.min(left, into.length, 4);
      into.fill(key.charCodeAt(0), 0, length);
      left -= length;
      return length;
    };
    const facts = entryOf(key, sizeBytes);
    return { facts, read, factsNow: () => facts, close: () => void this.closed.push(key) };
  }

  let(key: FileKey): void {
    this.#gates.get(key)?.();
  }

  letAll(): void {
    this.#isOpen = true;
    for (const release of this.#gates.values()) release();
  }
}

const limits: ReadAheadLimits = { requests: 3, contentBytes: 100 };

async function* batchesOf(...batches: FileKey[][]): AsyncGenerator<readonly SourceEntry[]> {
  for (const batch of batches) yield await Promise.resolve(batch.map((key) => entryOf(key)));
}

/** Reads all that comes, as a collector does: one after the other. */
async function readAll(
  ahead: ReadAhead,
  batches: AsyncIterable<readonly SourceEntry[]>,
  skips: (key: FileKey) => boolean = () => false,
): Promise<string[]> {
  const read: string[] = [];
  for await (const batch of ahead.lookAhead(batches, (entry) => entry)) {
    for (const { key, sizeBytes } of batch) {
      if (skips(key)) continue;
      const content = await ahead.open(key, sizeBytes).catch((error: unknown) => error as Error);
      if (content instanceof Error) {
        read.push(`${key}: ${content.message}`);
        continue;
      }
      const bytes = Buffer.alloc(content.facts.sizeBytes + 1);
      let length = 0;
      for (let n = await content.read(bytes); n > 0; n = await content.read(bytes.subarray(length)))
        length += n;
      await content.close();
      read.push(`${key}: ${bytes.toString("latin1", 0, length)}`);
    }
  }
  return read;
}

describe("reading ahead", () => {
  test("fetches as many at once as may be, and gives each in its turn", async () => {
    const source = new SlowSource();
    const ahead = new ReadAhead(source, limits);
    const reading = readAll(ahead, batchesOf(["a", "b"], ["c", "d", "e"]));
    await until("three are being fetched", () => source.opened.length === 3);
    source.let("c");
    source.let("b");
    source.letAll();
    expect(await reading).toEqual(["a", "b", "c", "d", "e"].map((key) => `${key}: ${key.repeat(10)}`));
    expect(source.mostAtOnce).toBe(3);
    expect(source.opened).toEqual(["a", "b", "c", "d", "e"]);
    expect(source.closed.length).toBe(5);
  });

  test("holds no more bytes than its window has, but always the next one", async () => {
    const source = new SlowSource();
    source.letAll();
    const ahead = new ReadAhead(source, { ...limits, windowBytes: 25 });
    const batches = ahead.lookAhead(batchesOf(["a", "b", "c", "d"]), (entry) => entry);
    await batches.next();
    await until("two have come", () => source.atOnce === 0 && source.opened.length === 2);
    const first = await ahead.open("a", 10);
    expect(source.opened).toEqual(["a", "b"]);
    await first.close();
    await until("there is room for one more", () => source.opened.length === 3);
    const narrow = new ReadAhead(source, { ...limits, windowBytes: 5 });
    expect((await readAll(narrow, batchesOf(["x", "y"]))).length).toBe(2);
    await batches.return();
  });

  test("says in its turn what is wrong with one, and goes on", async () => {
    const source = new SlowSource();
    source.letAll();
    const ahead = new ReadAhead(source, limits);
    expect(await readAll(ahead, batchesOf(["a", "gone1", "gone2", "gone3", "gone4", "z"]))).toEqual([
      `a: ${"a".repeat(10)}`,
      ...[1, 2, 3, 4].map((n) => `gone${n}: it is not there any more`),
      `z: ${"z".repeat(10)}`,
    ]);
  });

  test("drops what nobody asks for in its turn", async () => {
    const source = new SlowSource();
    source.letAll();
    const ahead = new ReadAhead(source, { ...limits, windowBytes: 30 });
    const keys = Array.from({ length: 26 }, (_, i) => String.fromCharCode(97 + i));
    const read = await readAll(ahead, batchesOf(keys), (key) => key !== "m" && key !== "z");
    expect(read.map((line) => line[0])).toEqual(["m", "z"]);
    await until("every one that came is closed", () => source.closed.length === source.opened.length);
  });

  test("leaves large ones, and what was not foreseen, to be opened when asked for", async () => {
    const source = new SlowSource();
    source.letAll();
    const ahead = new ReadAhead(source, limits);
    const entries = [[entryOf("a", 1000), entryOf("b")]];
    const read = await readAll(
      ahead,
      (async function* list() {
        yield* await Promise.resolve(entries);
      })(),
    );
    expect(read.map((line) => line.length)).toEqual([1003, 13]);
    const unforeseen = await ahead.open("q", 10);
    expect(unforeseen.facts.key).toBe("q");
  });

  test("hands on a failure of the list after what came before it", async () => {
    const source = new SlowSource();
    source.letAll();
    const ahead = new ReadAhead(source, limits);
    const seen: FileKey[] = [];
    const failing = async function* list(): AsyncGenerator<readonly SourceEntry[]> {
      yield* batchesOf(["a"], ["b"]);
      throw new Error("the bucket went away");
    };
    const reading = (async () => {
      for await (const batch of ahead.lookAhead(failing(), (entry) => entry))
        seen.push(...batch.map(({ key }) => key));
    })();
    await expect(reading).rejects.toThrow("the bucket went away");
    expect(seen).toEqual(["a", "b"]);
  });

  test("looks only so far ahead as there is something to gain", async () => {
    const source = new SlowSource();
    let asked = 0;
    const endless = async function* list(): AsyncGenerator<readonly SourceEntry[]> {
      for (;;) {
        asked += 1;
        yield await Promise.resolve([entryOf(`k${String(asked).padStart(9, "0")}`)]);
      }
    };
    const ahead = new ReadAhead(source, limits);
    const batches = ahead.lookAhead(endless(), () => undefined);
    for (let i = 0; i < 5; i += 1) await batches.next();
    await until("it looks ahead", () => asked > 8);
    expect(asked).toBeLessThan(20);
    await batches.return();
  });
});
