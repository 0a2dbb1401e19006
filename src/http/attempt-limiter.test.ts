import { expect, test } from "vitest";
import { AttemptLimiter } from "./attempt-limiter.ts";

test("attempts of an address are counted for a minute, and those of others apart", () => {
  let nowMs = 1_000;
  const limiter = new AttemptLimiter(() => nowMs);
  expect(limiter.note("a")).toEqual({ count: 1, waitSeconds: 60 });
  nowMs += 30_000;
  expect(limiter.note("a")).toEqual({ count: 2, waitSeconds: 30 });
  expect(limiter.note("b").count).toBe(1);
  nowMs += 30_000;
  expect(limiter.note("a").count).toBe(1);
});

test("whoever has more addresses than anybody does not fill the memory, and what is recent is kept", () => {
  const limiter = new AttemptLimiter(() => 0);
  limiter.note("quiet");
  limiter.note("busy");
  for (let index = 0; index < 9_999; index += 1) limiter.note(`address ${index}`);
  expect(limiter.note("busy").count).toBe(2);
  expect(limiter.note("quiet").count).toBe(1);
});
