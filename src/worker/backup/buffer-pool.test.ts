import { expect, test } from "vitest";
import { BufferPool } from "./buffer-pool.ts";

test("a buffer that was given back is taken again for another size of its class", () => {
  const pool = new BufferPool();
  const first = pool.take(5_000);
  expect(first.length).toBe(8_192);
  pool.giveBack(first);
  expect(pool.take(8_192)).toBe(first);
});

test("a buffer that is in use is never taken by another", () => {
  const pool = new BufferPool();
  const [first, second] = [pool.take(100), pool.take(100)];
  expect(second).not.toBe(first);
  expect(first.buffer).not.toBe(second.buffer);
});

test("a larger buffer is made where only smaller ones are free", () => {
  const pool = new BufferPool();
  pool.giveBack(pool.take(10_000));
  expect(pool.take(20_000).length).toBeGreaterThanOrEqual(20_000);
});
