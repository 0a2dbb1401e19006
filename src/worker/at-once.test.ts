import { expect, test } from "vitest";
import { forEachAtOnce } from "./at-once.ts";

/** Work that ends when it is told to. */
function heldWork() {
  const begun: number[] = [];
  const ends = new Map<number, () => void>();
  const work = (item: number): Promise<void> => {
    begun.push(item);
    return new Promise((resolve) => ends.set(item, resolve));
  };
  return { begun, work, end: (item: number) => ends.get(item)?.() };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("begins no more than the limit at once, in order, and goes on when one has ended", async () => {
  const { begun, work, end } = heldWork();
  const all = forEachAtOnce([1, 2, 3, 4], 2, work);
  expect(begun).toEqual([1, 2]);
  end(2);
  await settled();
  expect(begun).toEqual([1, 2, 3]);
  end(1);
  end(3);
  await settled();
  end(4);
  await all;
  expect(begun).toEqual([1, 2, 3, 4]);
});

test("begins nothing after a failure, waits for what is under way, and throws the failure", async () => {
  const { begun, work, end } = heldWork();
  let isOver = false;
  const all = forEachAtOnce([1, 2, 3], 2, (item) =>
    item === 2 ? Promise.reject(new Error("broken")) : work(item),
  ).finally(() => (isOver = true));
  all.catch(() => undefined);
  await settled();
  expect({ begun, isOver }).toEqual({ begun: [1], isOver: false });
  end(1);
  await expect(all).rejects.toThrow("broken");
  expect(begun).toEqual([1]);
});

test("takes a stream's items as they come, and ends the stream when work fails", async () => {
  let isEnded = false;
  async function* stream() {
    try {
      for (let item = 1; ; item += 1) yield item;
    } finally {
      isEnded = true;
    }
  }
  const begun: number[] = [];
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    if (item === 3) throw new Error("the third");
    await Promise.resolve();
  };
  await expect(forEachAtOnce(stream(), 2, work)).rejects.toThrow("the third");
  expect(begun.slice(0, 3)).toEqual([1, 2, 3]);
  expect(isEnded).toBe(true);
});

test("fails with what the stream fails with", async () => {
  async function* stream() {
    yield 1;
    throw new Error("the stream");
  }
  await expect(forEachAtOnce(stream(), 2, () => Promise.resolve())).rejects.toThrow("the stream");
});
