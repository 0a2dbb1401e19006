import { describe, expect, it, test } from "vitest";
import { forEachAtOnce, mapAtOnce } from "./at-once.ts";

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

describe("results in their items' order", () => {
  async function* count(to: number): AsyncGenerator<number> {
    for (let index = 0; index < to; index += 1) yield index;
  }
  const collect = async (results: AsyncIterable<number>, into: number[] = []): Promise<number[]> => {
    for await (const result of results) into.push(result);
    return into;
  };

  it("come whichever is ready first, and no more are on their way than the limit", async () => {
    let under = 0;
    let most = 0;
    const work = async (item: number): Promise<number> => {
      most = Math.max(most, (under += 1));
      for (let turns = 9 - item; turns > 0; turns -= 1) await Promise.resolve();
      under -= 1;
      return item * 2;
    };
    expect(await collect(mapAtOnce(count(10), 3, work))).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
    expect(most).toBe(3);
  });

  it("end with the first failure, in its turn, and with nothing left on its way", async () => {
    const begun: number[] = [];
    const got: number[] = [];
    const work = (item: number): Promise<number> => {
      begun.push(item);
      return item === 4 ? Promise.reject(new Error("the fourth")) : Promise.resolve(item);
    };
    await expect(collect(mapAtOnce(count(100), 3, work), got)).rejects.toThrow("the fourth");
    expect(got).toEqual([0, 1, 2, 3]);
    expect(begun.length).toBeLessThan(9);
  });
});
