import { describe, expect, test } from "vitest";
import { ConcurrencyLimiter } from "./concurrency-limiter.ts";
import { classifyError, Patience, sendPatiently, type RetryHost, type RetryPolicy } from "./s3-retry.ts";

const policy: RetryPolicy = {
  totalMs: 10_000,
  firstContactMs: 50,
  refusedMs: 20,
  baseMs: 1,
  longestPauseMs: 4,
};

function answer(status: number, name = "UnknownError", more: object = {}): Error {
  return Object.assign(new Error(name), { name, $metadata: { httpStatusCode: status }, ...more });
}

function makeHost(more: Partial<RetryHost> = {}) {
  let answers = 0;
  const host: RetryHost = {
    policy,
    limiter: new ConcurrencyLimiter(8),
    hasAnswered: () => true,
    noteAnswer: () => void (answers += 1),
    refreshCredentials: () => Promise.resolve(false),
    ...more,
  };
  return { host, answers: () => answers };
}

/** Fails with each of the errors in turn, then succeeds. */
function failing(...errors: readonly Error[]) {
  let calls = 0;
  const send = async (): Promise<string> => {
    calls += 1;
    const error = errors[calls - 1];
    if (error !== undefined) throw error;
    return "done";
  };
  return { send, calls: () => calls };
}

describe("an error", () => {
  test.each([
    ["throttled", answer(503)],
    ["throttled", answer(503, "SlowDown")],
    ["throttled", answer(429)],
    ["transient", answer(500, "InternalError")],
    ["transient", answer(409, "ConditionalRequestConflict")],
    ["transient", Object.assign(new Error("connect"), { code: "ECONNREFUSED" })],
    ["transient", new AggregateError([Object.assign(new Error("a"), { code: "ECONNREFUSED" })])],
    ["transient", new Error("socket hang up")],
    ["permanent", answer(501, "NotImplemented")],
    ["permanent", answer(403, "AccessDenied")],
    ["permanent", answer(404, "NoSuchKey")],
    ["permanent", new TypeError("a defect of ours")],
    ["permanent", "no error at all"],
  ])("is %s: %s", (expected, error) => {
    expect(classifyError(error)).toBe(expected);
  });
});

describe("a request", () => {
  test("is sent again as long as it fails for a passing reason", async () => {
    const { host } = makeHost();
    const { send, calls } = failing(answer(503, "SlowDown"), answer(500), new Error("socket hang up"));
    expect(await sendPatiently(host, undefined, send)).toBe("done");
    expect(calls()).toBe(4);
    expect(host.limiter.limit).toBe(4);
  });

  test("that fails for good is not sent again", async () => {
    const { host } = makeHost();
    const { send, calls } = failing(answer(403, "AccessDenied"));
    await expect(sendPatiently(host, undefined, send)).rejects.toMatchObject({
      name: "AccessDenied",
      attempts: 1,
    });
    expect(calls()).toBe(1);
  });

  test("is given up when the store asks to wait longer than its time", async () => {
    const { host } = makeHost();
    const slow = answer(503, "SlowDown", { $response: { headers: { "retry-after": "60" } } });
    const { send, calls } = failing(slow);
    await expect(sendPatiently(host, undefined, send)).rejects.toBe(slow);
    expect(calls()).toBe(1);
  });

  test("is sent again at once with newer credentials, and not when there are none", async () => {
    const expired = answer(400, "ExpiredToken");
    const refreshing = makeHost({ refreshCredentials: () => Promise.resolve(true) }).host;
    expect(await sendPatiently(refreshing, undefined, failing(expired).send)).toBe("done");
    const { send, calls } = failing(expired, expired, expired, expired);
    await expect(sendPatiently(refreshing, undefined, send)).rejects.toBe(expired);
    expect(calls()).toBe(3);
    await expect(sendPatiently(makeHost().host, undefined, failing(expired).send)).rejects.toBe(expired);
  });

  test("is sent again when the client has learnt the store's time", async () => {
    const skewed = Object.assign(new Error("skewed"), {
      name: "RequestTimeTooSkewed",
      $metadata: { httpStatusCode: 403, clockSkewCorrected: true },
    });
    expect(await sendPatiently(makeHost().host, undefined, failing(skewed).send)).toBe("done");
  });

  test("ends with its signal, also between two tries", async () => {
    const stopped = new AbortController();
    const patient = makeHost({ policy: { ...policy, baseMs: 5_000, longestPauseMs: 5_000 } }).host;
    const refused = answer(500);
    const sent = sendPatiently(patient, stopped.signal, () => {
      setImmediate(() => stopped.abort(new Error("stopped")));
      return Promise.reject(refused);
    });
    await expect(sent).rejects.toBe(refused);
  });

  test("notes that the store has answered, also with a refusal", async () => {
    const { host, answers } = makeHost();
    await expect(sendPatiently(host, undefined, failing(answer(403, "AccessDenied")).send)).rejects.toThrow(
      "AccessDenied",
    );
    expect(answers()).toBe(1);
    const unheard = Object.assign(new Error("connect"), { code: "ENOENT" });
    await expect(sendPatiently(host, undefined, failing(unheard).send)).rejects.toThrow("connect");
    expect(answers()).toBe(1);
  });
});

describe("patience", () => {
  test("is short with a store that never answered, and long with one that has", () => {
    const wait = 200;
    expect(new Patience(policy, () => false).next({ retryAfterMs: wait })).toBeUndefined();
    expect(new Patience(policy, () => true).next({ retryAfterMs: wait })).toBe(wait);
  });

  test("is shortest where nothing listens, unless something has answered there before", () => {
    const refused = { retryAfterMs: 30, systemCode: "ECONNREFUSED" };
    expect(new Patience(policy, () => false).next({ retryAfterMs: 30 })).toBe(30);
    expect(new Patience(policy, () => false).next(refused)).toBeUndefined();
    expect(new Patience(policy, () => true).next(refused)).toBe(30);
  });

  test("begins anew when something came", () => {
    const patience = new Patience(policy, () => true);
    patience.next({});
    patience.next({});
    expect(patience.failures).toBe(2);
    patience.progressed();
    expect(patience.failures).toBe(0);
  });
});
