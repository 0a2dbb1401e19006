import { describe, expect, test } from "vitest";
import { RateLimiter, type RateClock } from "./rate-limiter.ts";

describe("a rate limiter", () => {
  test("without a limit makes nobody wait", () => {
    expect(new RateLimiter(undefined, new AbortController().signal).take(1 << 30)).toBeUndefined();
  });

  test("lets a quarter of a second's worth pass at once", async () => {
    const passed = new RateLimiter(1000, new AbortController().signal).take(250);
    await expect(Promise.resolve(passed)).resolves.toBeUndefined();
  });

  test("keeps the rate, and wakes a reader only for half a second's worth", async () => {
    let [nowMs, waits] = [0, 0];
    const clock: RateClock = {
      nowMs: () => nowMs,
      wait: async (ms) => {
        nowMs += ms;
        waits += 1;
      },
    };
    const limiter = new RateLimiter(1000, new AbortController().signal, clock);
    for (let taken = 10; taken <= 10_000; taken += 10) {
      await limiter.take(10);
      expect(taken, `after ${nowMs} ms`).toBeLessThanOrEqual(250 + nowMs);
    }
    expect(nowMs, "the rate is used").toBeLessThan(10_500);
    expect(waits, "bursts").toBeLessThanOrEqual(20);
  });

  test("makes a reader wait that took more, until it is aborted", async () => {
    const controller = new AbortController();
    const limiter = new RateLimiter(1, controller.signal);
    const waiting = limiter.take(1_000_000);
    controller.abort(new Error("cancelled"));
    await expect(waiting).rejects.toThrow("aborted");
  });
});
