import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import { RateLimiter } from "./rate-limiter.ts";

vi.mock("node:timers/promises", { spy: true });
afterEach(() => {
  vi.mocked(delay).mockReset();
  vi.restoreAllMocks();
});

describe("a rate limiter", () => {
  test("without a limit makes nobody wait", () => {
    expect(new RateLimiter(undefined, new AbortController().signal).take(1 << 30)).toBeUndefined();
  });

  test("lets a quarter of a second's worth pass at once", async () => {
    const passed = new RateLimiter(1000, new AbortController().signal).take(250);
    await expect(Promise.resolve(passed)).resolves.toBeUndefined();
  });

  test("keeps the rate, and wakes a reader only for half a second's worth", async () => {
    let nowMs = 0;
    vi.spyOn(performance, "now").mockImplementation(() => nowMs);
    vi.mocked(delay).mockImplementation(async (ms = 0) => void (nowMs += ms));
    const limiter = new RateLimiter(1000, new AbortController().signal);
    for (let taken = 10; taken <= 10_000; taken += 10) {
      await limiter.take(10);
      expect(taken, `after ${nowMs} ms`).toBeLessThanOrEqual(250 + nowMs);
    }
    expect(nowMs, "the rate is used").toBeLessThan(10_500);
    expect(vi.mocked(delay).mock.calls.length, "bursts").toBeLessThanOrEqual(20);
  });

  test("makes a reader wait that took more, until it is aborted", async () => {
    const controller = new AbortController();
    const limiter = new RateLimiter(1, controller.signal);
    const waiting = limiter.take(1_000_000);
    controller.abort(new Error("cancelled"));
    await expect(waiting).rejects.toThrow("aborted");
  });
});
