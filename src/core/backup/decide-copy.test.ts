import { describe, expect, test } from "vitest";
import type { FailureRecord } from "../failure.ts";
import type { RetryBudget } from "../operation/decide-retry.ts";
import { decideCopy, type CopyObservation } from "./decide-copy.ts";

const backupId = "backup-20261124-020000-3f9c2a";
const budget = (attempt: number): RetryBudget => ({
  operationId: "copy-1",
  attempt,
  spentAttempts: attempt - 1,
  createdAtMs: 0,
  nowMs: 1_000,
  isQueued: false,
});
const seen = (changes: Partial<CopyObservation> = {}): CopyObservation => ({
  backupId,
  budget: budget(1),
  cancelRequested: false,
  ownerDied: false,
  tasks: {},
  ...changes,
});
const failure = (code: FailureRecord["code"], retry: FailureRecord["retry"] = "never"): FailureRecord => ({
  code,
  message: "It says why.",
  retry,
});
const start = (task: "copy" | "look") => ({ type: "act", action: { do: "start", task } });
const fail = (code: string) => ({ type: "fail", failure: { code } });

describe("a copy", () => {
  test("starts, waits for its worker and completes", () => {
    expect(decideCopy(seen())).toEqual(start("copy"));
    expect(decideCopy(seen({ tasks: { copy: { state: "running" } } }))).toEqual({ type: "wait" });
    expect(decideCopy(seen({ tasks: { copy: { state: "done" } } }))).toEqual({ type: "complete" });
  });

  test("is complete once it is, whatever else happens", () => {
    const tasks = { copy: { state: "done" } } as const;
    expect(decideCopy(seen({ tasks, cancelRequested: true, ownerDied: true }))).toEqual({ type: "complete" });
  });

  test("starts again only when its time has come", () => {
    expect(decideCopy(seen({ notBeforeMs: 1_001 }))).toEqual({ type: "wait", untilMs: 1_001 });
    expect(decideCopy(seen({ notBeforeMs: 1_000 }))).toEqual(start("copy"));
  });

  test("that was not begun is cancelled, or ends with its process", () => {
    expect(decideCopy(seen({ cancelRequested: true }))).toMatchObject({ type: "cancel" });
    expect(decideCopy(seen({ ownerDied: true }))).toMatchObject(fail("interrupted"));
  });

  test("that is cancelled stops its worker first", () => {
    const tasks = { copy: { state: "running" } } as const;
    expect(decideCopy(seen({ tasks, cancelRequested: true }))).toEqual({
      type: "act",
      action: { do: "stop" },
    });
  });
});

describe("a copy whose worker said why it failed", () => {
  const broken = (record: FailureRecord, changes: Partial<CopyObservation> = {}) =>
    decideCopy(seen({ tasks: { copy: { state: "failed", failure: record } }, ...changes }));

  test("fails for good, without a look", () => {
    expect(broken(failure("copy-differs"))).toMatchObject(fail("copy-differs"));
  });

  test("is tried three times, later each time, when the reason may pass", () => {
    const busy = failure("repository-busy", "backoff");
    expect(broken(busy)).toMatchObject({ type: "retry" });
    expect(broken(busy, { budget: budget(2) })).toMatchObject({ type: "retry" });
    expect(broken(busy, { budget: budget(3) })).toMatchObject(fail("repository-busy"));
  });

  test("is not tried again for nobody", () => {
    const busy = failure("repository-busy", "backoff");
    expect(broken(busy, { cancelRequested: true })).toMatchObject({ type: "cancel" });
    expect(broken(busy, { ownerDied: true })).toMatchObject(fail("repository-busy"));
  });
});

describe.each([
  ["was stopped", { state: "failed", failure: failure("cancelled") }],
  ["lost its parent", { state: "failed", failure: failure("interrupted") }],
  ["ended without a word", { state: "lost" }],
  ["was killed", { state: "lost", failure: failure("worker-died", "backoff") }],
] as const)("a copy whose worker %s", (_what, copy) => {
  const after = (changes: Partial<CopyObservation>, look: CopyObservation["tasks"][string]) =>
    decideCopy(seen({ tasks: { copy, look }, ...changes }));

  test("looks whether the destination has the backup", () => {
    expect(after({}, undefined)).toEqual(start("look"));
    expect(after({}, { state: "running" })).toEqual({ type: "wait" });
  });

  test("is complete when it has, even when it was to be cancelled", () => {
    const done = { state: "done" } as const;
    expect(after({ isThere: true, cancelRequested: true, ownerDied: true }, done)).toEqual({
      type: "complete",
    });
  });

  test("is cancelled, or interrupted, when it has not", () => {
    const done = { state: "done" } as const;
    expect(after({ isThere: false, cancelRequested: true }, done)).toMatchObject({ type: "cancel" });
    expect(after({ isThere: false, ownerDied: true }, done)).toMatchObject(fail("interrupted"));
  });

  test("says that it does not know when the destination cannot be read", () => {
    const refused = after({}, { state: "failed", failure: failure("store-failed") });
    expect(refused).toMatchObject(fail("store-failed"));
    const message = `It is not known whether ${backupId} was copied whole, because the destination could not be read: the worker that looked died. Run the command again: it will say so or go on.`;
    expect(after({}, { state: "lost" })).toMatchObject({ failure: { code: "worker-died", message } });
  });
});

test("a copy that ended without a word, and is not there, is tried again", () => {
  const tasks = { copy: { state: "lost" }, look: { state: "done" } } as const;
  expect(decideCopy(seen({ tasks, isThere: false }))).toMatchObject({
    type: "retry",
    failure: { code: "worker-died" },
  });
});
