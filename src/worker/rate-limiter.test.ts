import { describe, expect, test } from "vitest";
import { RateLimiter } from "./rate-limiter.ts";

describe("a rate limiter", () => {
  test("without a limit makes nobody wait", () => {
    expect(new RateLimiter(undefined, new AbortController().signal).take(1 << 30)).toBeUndefined();
  });

  test("lets a quarter of a second's worth pass at once", async () => {
    const passed = new RateLimiter(1000, new AbortController().signal).take(250);
    await expect(Promise.resolve(passed)).resolves.toBeUndefined();
  });

  test("makes a reader wait that took more, until it is aborted", async () => {
    const controller = new AbortController();
    const limiter = new RateLimiter(1, controller.signal);
    const waiting = limiter.take(1_000_000);
    controller.abort(new Error("cancelled"));
    await expect(waiting).rejects.toThrow("aborted");
  });
});
