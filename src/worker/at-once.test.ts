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
