import { beforeEach, expect, test } from "vitest";
import type { ByteRange, ObjectStore } from "../../core/ports/object-store.ts";
import { MemoryStore } from "../../stores/memory/memory-store.ts";
import { PackReads, type Member } from "./pack-reads.ts";

let store: ObjectStore;
let reads: { name: string; range: ByteRange | undefined }[];
const pack = Buffer.from(Array.from({ length: 12_000_000 }, (_, index) => index % 251));

beforeEach(async () => {
  reads = [];
  const inner = new MemoryStore();
  for (const name of ["p/pack-1", "p/pack-2"]) await inner.createIfAbsent(name, pack);
  store = new Proxy(inner, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member);
      if (member !== "read") return typeof value === "function" ? (value.bind(target) as unknown) : value;
      return (name: string, range?: ByteRange) => {
        reads.push({ name, range });
        return target.read(name, range);
      };
    },
  });
});

const members = (name: string, count: number, length: number, gap = 0): Member[] =>
  Array.from({ length: count }, (_, index) => ({ name, offset: index * (length + gap), length }));

async function takeAll(packs: PackReads, wanted: readonly Member[]): Promise<void> {
  for (const member of wanted) {
    const bytes = await packs.take(member);
    expect(bytes.equals(pack.subarray(member.offset, member.offset + member.length))).toBe(true);
  }
}

test("a member that was not announced is one read of exactly its bytes", async () => {
  await takeAll(new PackReads(store), [{ name: "p/pack-1", offset: 500, length: 70 }]);
  expect(reads).toEqual([{ name: "p/pack-1", range: { offset: 500, length: 70 } }]);
});

test("neighbours are read together, over small gaps, in the order of the packs", async () => {
  const wanted = [...members("p/pack-1", 100, 1000, 10), ...members("p/pack-2", 100, 1000)];
  const mixed = wanted.map((_, index) => wanted[(index * 7) % wanted.length] as Member);
  const packs = new PackReads(store);
  packs.expect(mixed);
  await takeAll(packs, mixed);
  expect(reads.length).toBe(2);
});

test("no more than two chunks are read ahead of what is taken", async () => {
  const wanted = members("p/pack-1", 11, 1_000_000);
  const more = members("p/pack-2", 11, 1_000_000);
  const packs = new PackReads(store);
  packs.expect([...wanted, ...more]);
  const asked = () => reads.reduce((sum, { range }) => sum + (range?.length ?? 0), 0);
  expect(asked()).toBe(18_000_000);
  await takeAll(packs, wanted.slice(0, 8));
  expect(asked()).toBe(18_000_000);
  await takeAll(packs, [...wanted.slice(8), ...more]);
  expect(asked()).toBe(22_000_000);
});

test("members may be taken before their turn, twice, and not at all", async () => {
  const wanted = members("p/pack-1", 11, 1_000_000);
  const more = members("p/pack-2", 11, 1_000_000);
  const packs = new PackReads(store);
  packs.expect([...wanted, ...more]);
  await takeAll(packs, [...more.slice(8), ...wanted, ...wanted.slice(0, 2), ...more]);
  packs.expect(wanted);
  packs.expect(more.slice(0, 2));
  await takeAll(packs, more.slice(0, 2));
  const before = reads.length;
  await takeAll(packs, more.slice(0, 2));
  expect(reads.length).toBe(before + 2);
});

test("bytes that are missing are missed by those alone who want them", async () => {
  const packs = new PackReads(store);
  const whole = members("p/pack-1", 1, 1000);
  const cut = { name: "p/pack-1", offset: 1000, length: pack.length };
  packs.expect([...whole, { ...cut, length: 900 }, { name: "p/none", offset: 0, length: 5 }]);
  await takeAll(packs, whole);
  packs.expect([
    { name: "p/pack-2", offset: 11_999_000, length: 500 },
    { name: "p/pack-2", offset: 11_999_500, length: 900 },
  ]);
  await takeAll(packs, [{ name: "p/pack-2", offset: 11_999_000, length: 500 }]);
  const missing = packs.take({ name: "p/pack-2", offset: 11_999_500, length: 900 });
  await expect(missing).rejects.toMatchObject({ code: "backup-incomplete" });
});
