import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideFile, mergeJoin, type ChangeFacts } from "./merge-join.ts";

interface Item {
  readonly key: string;
  readonly facts: ChangeFacts;
}

async function* batches<T>(items: readonly T[], sizes: readonly number[]): AsyncGenerator<readonly T[]> {
  let index = 0;
  for (let i = 0; index < items.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield items.slice(index, index + size);
    index += size;
  }
}

const sorted = (keys: Iterable<string>, version: (key: string) => string): Item[] =>
  [...new Set(keys)]
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((key) => ({ key, facts: { kind: "file", sizeBytes: 1, mtimeNs: "1", version: version(key) } }));

const keys = fc.array(
  fc.string({ unit: fc.constantFrom("a", "b", "/", "\xff"), minLength: 1, maxLength: 4 }),
);
const batchSizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 });

describe("the merge-join of two listings", () => {
  test("decides what the naive set difference decides, however the listings are cut into batches", async () => {
    await fc.assert(
      fc.asyncProperty(
        keys,
        keys,
        keys,
        batchSizes,
        batchSizes,
        async (before, now, touched, cutsA, cutsB) => {
          const changed = new Set(touched);
          const left = sorted(before, () => "v1");
          const right = sorted(now, (key) => (changed.has(key) ? "v2" : "v1"));
          const decided: [string, string][] = [];
          for await (const batch of mergeJoin(batches(left, cutsA), batches(right, cutsB))) {
            for (const { key, left: l, right: r } of batch)
              decided.push([key, decideFile(l?.facts, r?.facts)]);
          }

          const beforeSet = new Set(before);
          const nowSet = new Set(now);
          const naive = [...beforeSet.union(nowSet)]
            .toSorted((a, b) => (a < b ? -1 : 1))
            .map((key): [string, string] => {
              if (!nowSet.has(key)) return [key, "vanished"];
              if (!beforeSet.has(key)) return [key, "new"];
              return [key, changed.has(key) ? "changed" : "unchanged"];
            });
          expect(decided).toEqual(naive);
        },
      ),
    );
  });

  test("ends its sources when its reader stops early", async () => {
    let closed = 0;
    async function* source(): AsyncGenerator<readonly Item[]> {
      try {
        for (let i = 0; ; i++) yield sorted([String(i)], () => "");
      } finally {
        closed += 1;
      }
    }
    for await (const batch of mergeJoin(source(), source())) if (batch.length > 0) break;
    expect(closed).toBe(2);
  });
});

describe("what becomes of an object", () => {
  const facts: ChangeFacts = { kind: "file", sizeBytes: 1, mtimeNs: "1", version: "v" };
  test("one doubt, and it is read again", () => {
    expect(decideFile(facts, facts)).toBe("unchanged");
    expect(decideFile(facts, { ...facts, sizeBytes: 2 })).toBe("changed");
    expect(decideFile(facts, { ...facts, mtimeNs: "2" })).toBe("changed");
    expect(decideFile(facts, { ...facts, version: "w" })).toBe("changed");
    expect(decideFile(facts, { ...facts, kind: "symlink" })).toBe("changed");
  });

  test("without a version nothing is unchanged", () => {
    const { version: _version, ...bare } = facts;
    expect(decideFile(bare, bare)).toBe("changed");
  });

  test("a version that was kept because the object kept changing is never taken for the current one", () => {
    expect(decideFile({ ...facts, stale: true }, facts)).toBe("changed");
  });

  test("what vanished is kept for one more backup, and only one", () => {
    expect(decideFile(facts, undefined)).toBe("vanished");
    expect(decideFile({ ...facts, vanished: true }, undefined)).toBe("dropped");
  });
});
