import { describe, expect, test } from "vitest";
import { ConcurrencyLimiter } from "./concurrency-limiter.ts";

/** Lets everything that can run now run. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

async function start(limiter: ConcurrencyLimiter, count: number): Promise<{ started: () => number }> {
  let started = 0;
  for (let index = 0; index < count; index += 1) void limiter.acquire().then(() => (started += 1));
  await settle();
  return { started: () => started };
}

describe("a limiter", () => {
  test("lets as many start as its ceiling says, and the next one when one is through", async () => {
    const limiter = new ConcurrencyLimiter(3);
    const { started } = await start(limiter, 5);
    expect(started()).toBe(3);
    limiter.release();
    await settle();
    expect(started()).toBe(4);
    expect(limiter.running).toBe(3);
  });

  test("halves when the store asks to slow down, once for requests that were sent together", () => {
    let nowMs = 0;
    const limiter = new ConcurrencyLimiter(16, () => nowMs);
    for (let index = 0; index < 10; index += 1) limiter.noteThrottled();
    expect(limiter.limit).toBe(8);
    nowMs += 1_500;
    limiter.noteThrottled();
    expect(limiter.limit).toBe(4);
  });

  test("never goes below one request, and grows again to its ceiling and no further", () => {
    let nowMs = 0;
    const limiter = new ConcurrencyLimiter(4, () => nowMs);
    for (let index = 0; index < 10; index += 1) {
      nowMs += 2_000;
      limiter.noteThrottled();
    }
    expect(limiter.limit).toBe(1);
    limiter.noteAnswer();
    expect(limiter.limit).toBe(1);
    for (let index = 0; index < 500; index += 1) limiter.noteAnswer();
    expect(limiter.limit).toBe(4);
  });

  test("starts those who wait when it grows", async () => {
    const limiter = new ConcurrencyLimiter(1);
    const { started } = await start(limiter, 3);
    expect(started()).toBe(1);
    limiter.setCeiling(3);
    await settle();
    expect(started()).toBe(3);
  });

  test("stays slowed when its ceiling is raised meanwhile", () => {
    const limiter = new ConcurrencyLimiter(8);
    limiter.noteThrottled();
    limiter.setCeiling(32);
    expect(limiter.limit).toBe(4);
    limiter.setCeiling(2);
    expect(limiter.limit).toBe(2);
  });

  test("forgets who gave up waiting", async () => {
    const limiter = new ConcurrencyLimiter(1);
    await limiter.acquire();
    const given = new AbortController();
    const waiting = limiter.acquire(given.signal);
    const { started } = await start(limiter, 1);
    given.abort(new Error("no longer wanted"));
    await expect(waiting).rejects.toThrow("no longer wanted");
    limiter.release();
    await settle();
    expect(started()).toBe(1);
    await expect(limiter.acquire(given.signal)).rejects.toThrow("no longer wanted");
  });
});
