import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeKey, encodeKey, type FileKey } from "../../core/repository/manifest.ts";
import type { KeyedObject, ListPage, PageRequest } from "./list-page.ts";
import { listInOrder } from "./split-list.ts";

const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

interface Item {
  readonly name: FileKey;
  readonly isPrefix: boolean;
}

/** A bucket in memory that lists as S3 does, so many keys a page. */
class MadeUpBucket {
  readonly requests: PageRequest[] = [];
  atOnce = 0;
  mostAtOnce = 0;
  readonly keys: readonly FileKey[];
  readonly #pageKeys: number;

  constructor(keys: readonly string[], pageKeys: number) {
    this.keys = [...new Set(keys.map(encodeKey))].sort(byBytes);
    this.#pageKeys = pageKeys;
  }

  #itemsOf(prefix: FileKey, after: FileKey, delimiter: string | undefined): Item[] {
    const items: Item[] = [];
    for (const key of this.keys) {
      if (!key.startsWith(prefix) || key <= after) continue;
      const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      const name = cut < 0 ? key : key.slice(0, cut + 1);
      const isOfAfter = cut >= 0 && name <= after && after.startsWith(name);
      if (items.at(-1)?.name !== name && !isOfAfter) items.push({ name, isPrefix: cut >= 0 });
    }
    return items;
  }

  readonly ask = async (request: PageRequest): Promise<ListPage> => {
    this.requests.push(request);
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    this.atOnce -= 1;
    const prefix = encodeKey(request.Prefix ?? "");
    const after = encodeKey(request.ContinuationToken ?? request.StartAfter ?? "");
    const items = this.#itemsOf(prefix, after, request.Delimiter);
    const shown = items.slice(0, this.#pageKeys);
    const last = shown.at(-1);
    return {
      objects: shown.filter(({ isPrefix }) => !isPrefix).map(({ name }) => objectOf(name)),
      prefixes: shown.filter(({ isPrefix }) => isPrefix).map(({ name }) => name),
      // After a folder's name come the keys behind all that is in it.
      token:
        last === undefined || shown.length === items.length
          ? undefined
          : (decodeKey(last.name) ?? "") + (last.isPrefix ? "\u{10FFFF}" : ""),
    };
  };
}

const objectOf = (key: FileKey): KeyedObject => ({ key, object: { Size: 1 } });

async function listAll(
  ask: (request: PageRequest) => Promise<ListPage>,
  options: { readonly prefix?: string; readonly listsAtOnce: number },
): Promise<FileKey[]> {
  const found: FileKey[] = [];
  for await (const page of listInOrder(ask, { prefix: "", slowPageMs: -1, ...options }))
    found.push(...page.map(({ key }) => key));
  return found;
}

const anyKey = fc
  .array(fc.constantFrom("a", "b", "/", "/", ".", "é", "\u{10000}"), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join(""));

const folders = (count: number, each: number): string[] =>
  Array.from({ length: count }, (_, folder) =>
    Array.from({ length: each }, (_unused, file) => `top/${String(folder).padStart(5, "0")}/${file}`),
  ).flat();

describe("a list in parts", () => {
  test("has every key once, in order, however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyKey, { maxLength: 60 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom("", "a/", "a/b/"),
        async (keys, pageKeys, listsAtOnce, prefix) => {
          const bucket = new MadeUpBucket(keys, pageKeys);
          const wanted = bucket.keys.filter((key) => key.startsWith(prefix));
          expect(await listAll(bucket.ask, { prefix, listsAtOnce })).toEqual(wanted);
        },
      ),
    );
  });

  test("is asked for several at once, below the only folder, and with few more requests", async () => {
    const bucket = new MadeUpBucket(folders(400, 5), 50);
    expect(await listAll(bucket.ask, { listsAtOnce: 4 })).toEqual(bucket.keys);
    expect(bucket.mostAtOnce).toBeGreaterThan(3);
    // Forty pages are the least; names of folders come fifty a page.
    expect(bucket.requests.length).toBeLessThan(110);
  });

  test("of many small folders comes in parts of more and more of them", async () => {
    const bucket = new MadeUpBucket(folders(3000, 1), 100);
    expect(await listAll(bucket.ask, { listsAtOnce: 4 })).toEqual(bucket.keys);
    const parts = bucket.requests.filter(
      (one) => one.StartAfter !== undefined && one.Delimiter === undefined,
    );
    expect(parts.length).toBeLessThan(40);
  });

  test("is not cut where there are no folders, nor where the store is quick", async () => {
    const flat = new MadeUpBucket(
      Array.from({ length: 500 }, (_, i) => `k${1000 + i}`),
      50,
    );
    expect(await listAll(flat.ask, { listsAtOnce: 4 })).toEqual(flat.keys);
    expect(flat.requests.length).toBeLessThan(14);
    const quick = new MadeUpBucket(folders(100, 5), 50);
    const found: FileKey[] = [];
    for await (const page of listInOrder(quick.ask, { prefix: "", listsAtOnce: 4, slowPageMs: 60_000 }))
      found.push(...page.map(({ key }) => key));
    expect(found).toEqual(quick.keys);
    expect(quick.requests.length).toBe(10);
    expect(quick.mostAtOnce).toBe(1);
  });

  test("is whole where the store does not name folders, or names them wrongly", async () => {
    const bucket = new MadeUpBucket(folders(100, 5), 20);
    const refusing = (request: PageRequest): Promise<ListPage> =>
      request.Delimiter === undefined ? bucket.ask(request) : Promise.reject(new Error("AccessDenied"));
    expect(await listAll(refusing, { listsAtOnce: 4 })).toEqual(bucket.keys);
    const lying = async (request: PageRequest): Promise<ListPage> => {
      const page = await bucket.ask(request);
      return { ...page, prefixes: [...page.prefixes].reverse() };
    };
    expect(await listAll(lying, { listsAtOnce: 4 })).toEqual(bucket.keys);
  });

  test("is whole where the store does not know where to start", async () => {
    const bucket = new MadeUpBucket(folders(100, 5), 20);
    const simple = ({ StartAfter: _ignored, ...request }: PageRequest): Promise<ListPage> =>
      bucket.ask(request);
    expect(await listAll(simple, { listsAtOnce: 4 })).toEqual(bucket.keys);
  });

  test("fails with the store's own error, after what came before it", async () => {
    const bucket = new MadeUpBucket(folders(100, 5), 20);
    let calls = 0;
    const failing = (request: PageRequest): Promise<ListPage> => {
      calls += 1;
      return calls > 12 ? Promise.reject(new Error("the bucket went away")) : bucket.ask(request);
    };
    const found: FileKey[] = [];
    const listing = (async () => {
      for await (const page of listInOrder(failing, { prefix: "", listsAtOnce: 3, slowPageMs: -1 }))
        found.push(...page.map(({ key }) => key));
    })();
    await expect(listing).rejects.toThrow("the bucket went away");
    expect(found).toEqual(bucket.keys.slice(0, found.length));
  });

  test("stops asking when nobody takes it any more", async () => {
    const bucket = new MadeUpBucket(folders(400, 5), 20);
    for await (const page of listInOrder(bucket.ask, { prefix: "", listsAtOnce: 4, slowPageMs: -1 }))
      if (page.some(({ key }) => key.startsWith("top/00030/"))) break;
    const asked = bucket.requests.length;
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(bucket.requests.length).toBe(asked);
  });
});
