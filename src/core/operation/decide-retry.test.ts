import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { Failure, type FailureCode, type FailureRecord } from "../failure.ts";
import {
  classifyFailure,
  countDeaths,
  countSpentAttempts,
  decideRetry,
  pauseMs,
  type RetryBudget,
  isAhead,
} from "./decide-retry.ts";
import type { OperationTask } from "./operation.ts";

const dayMs = 24 * 3_600_000;
const failure = (code: FailureCode, retry: FailureRecord["retry"] = "backoff"): FailureRecord => ({
  code,
  message: "It broke.",
  retry,
});
const budget = (change: Partial<RetryBudget> = {}): RetryBudget => ({
  operationId: "backup-20260101-000000-abcdef",
  attempt: 1,
  spentAttempts: 0,
  createdAtMs: 1_000,
  nowMs: 2_000,
  isQueued: true,
  ...change,
});
const task = (attempt: number, code?: FailureCode): OperationTask => ({
  operationId: "o",
  attempt,
  name: "files",
  state: "failed",
  startedAtMs: 0,
  ...(code === undefined ? {} : { failure: failure(code) }),
});

describe("a failure", () => {
  it.each<[FailureCode, FailureRecord["retry"], string]>([
    ["store-throttled", "backoff", "throttled"],
    ["store-unreachable", "backoff", "away"],
    ["database-unreachable", "backoff", "away"],
    ["repository-busy", "backoff", "conflict"],
    ["worker-died", "backoff", "transient"],
    ["store-unreachable", "never", "permanent"],
    ["disk-full", "never", "permanent"],
  ])("%s that says %s is %s", (code, retry, kind) => {
    expect(classifyFailure(failure(code, retry))).toBe(kind);
  });

  it("that will not pass ends the operation at once", () => {
    expect(decideRetry(failure("disk-full", "never"), budget())).toMatchObject({ type: "fail" });
  });

  it("that may be its own is tried three times in all", () => {
    const died = failure("worker-died");
    expect(decideRetry(died, budget())).toMatchObject({ type: "retry", failure: died });
    expect(decideRetry(died, budget({ attempt: 2, spentAttempts: 1 })).type).toBe("retry");
    expect(decideRetry(died, budget({ attempt: 3, spentAttempts: 2 }))).toEqual({
      type: "fail",
      failure: died,
    });
  });

  it("of a store that is away is waited for as long as a day, however often it was tried", () => {
    const away = failure("store-unreachable");
    expect(decideRetry(away, budget({ attempt: 200, nowMs: dayMs })).type).toBe("retry");
    const late = decideRetry(away, budget({ attempt: 200, nowMs: 1_000 + dayMs }));
    expect(late).toMatchObject({ type: "fail", failure: { message: "It broke. It was tried for a day." } });
  });

  it("of a store that is away does not use up what the operation has for its own faults", () => {
    const tasks = [task(1, "store-unreachable"), task(2, "worker-died"), task(3, "store-throttled"), task(4)];
    expect(countSpentAttempts(5, tasks)).toBe(1);
    const after = budget({ attempt: 5, spentAttempts: 1 });
    expect(decideRetry(failure("worker-died"), after).type).toBe("retry");
  });

  it("does not count where the process that made the attempt died, which is counted by itself", () => {
    const { failure: _none, ...silent }: OperationTask = { ...task(1), state: "lost" };
    expect(countSpentAttempts(2, [task(1, "cancelled"), silent])).toBe(0);
    expect(countSpentAttempts(3, [silent])).toBe(0);
    expect(countSpentAttempts(2, [task(1, "worker-died"), silent])).toBe(1);
    expect(countDeaths(2, [task(1, "cancelled"), silent])).toBe(1);
    expect(countDeaths(3, [silent]), "nothing had begun the second time").toBe(2);
    expect(countDeaths(3, [task(1, "cancelled"), task(2, "worker-died")])).toBe(0);
  });

  it("in front of a person is tried three times, whatever it is", () => {
    const waited = (attempt: number) => budget({ attempt, isQueued: false });
    expect(decideRetry(failure("store-unreachable"), waited(2)).type).toBe("retry");
    expect(decideRetry(failure("store-unreachable"), waited(3)).type).toBe("fail");
  });

  it("that says how long to wait is believed", () => {
    const record = new Failure("store-throttled", "Slow down.", { retry: "backoff", retryAfterMs: 90_000 });
    expect(decideRetry(record.toRecord(), budget())).toMatchObject({ type: "retry", afterMs: 90_000 });
  });
});

describe("a pause", () => {
  it("grows to a longest one and is a part of that, another one for each operation", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.string(), fc.boolean(), (tries, seed, isPassing) => {
        const pause = pauseMs(tries, seed, isPassing);
        const longest = isPassing
          ? Math.min(300_000, 5_000 * 2 ** (tries - 1))
          : Math.min(60_000, 4_000 * 2 ** (tries - 1));
        expect(pause).toBeGreaterThanOrEqual(0);
        expect(pause).toBeLessThanOrEqual(longest);
      }),
    );
    const many = Array.from({ length: 200 }, (_, index) => pauseMs(7, `backup-${index} 7`, true));
    expect(new Set(many).size).toBeGreaterThan(150);
    expect(Math.min(...many)).toBeLessThan(60_000);
    expect(Math.max(...many)).toBeGreaterThan(240_000);
  });
});

it("takes an instant that lies farther ahead than anything is waited for as a wrong clock's", () => {
  const dayMs = 24 * 3_600_000;
  expect([0, 1, dayMs, dayMs + 1].map((ms) => isAhead(5_000 + ms, 5_000))).toEqual([
    false,
    true,
    true,
    false,
  ]);
});
