import { describe, expect, it } from "vitest";
import { nextStoreWait, storeAccountOf } from "./store-wait.ts";

describe("a store that is away", () => {
  const met = { store: "http://minio:9000", kind: "away", nowMs: 10_000 } as const;

  it("is named by its endpoint, at AWS by its bucket, and is no folder", () => {
    expect(storeAccountOf("s3://shop/a?endpoint=http://minio:9000")).toBe("http://minio:9000");
    expect(storeAccountOf("s3://blog/b?endpoint=http://minio:9000")).toBe("http://minio:9000");
    expect(storeAccountOf("s3://shop/a/b?region=eu-central-1")).toBe("s3://shop");
    expect(storeAccountOf("file:///srv/backups")).toBeUndefined();
    expect(storeAccountOf("s3://")).toBeUndefined();
  });

  it("is left alone for a while, the longer the oftener it was tried", () => {
    const first = nextStoreWait(undefined, met);
    expect(first).toMatchObject({ store: met.store, kind: "away", sinceMs: 10_000, tries: 1 });
    expect(first.untilMs).toBeLessThanOrEqual(15_000);
    const again = nextStoreWait(first, { ...met, nowMs: first.untilMs });
    expect(again).toMatchObject({ sinceMs: 10_000, tries: 2 });
  });

  it("is not tried less often because many met it at once", () => {
    const known = { store: met.store, kind: "away", sinceMs: 1, untilMs: 12_000, tries: 3 } as const;
    expect(nextStoreWait(known, met)).toBe(known);
  });

  it("that says how long it wants to be left alone is believed", () => {
    const known = { store: met.store, kind: "throttled", sinceMs: 1, untilMs: 12_000, tries: 3 } as const;
    expect(nextStoreWait(known, { ...met, kind: "throttled", retryAfterMs: 60_000 })).toMatchObject({
      untilMs: 70_000,
      tries: 3,
    });
  });
});
