import { describe, expect, it } from "vitest";
import type { AccessRecords, ApiKeyRecord } from "../../src/core/ports/access-records.ts";

function apiKey(change: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  return {
    id: "key-1",
    name: "nightly",
    role: "operator",
    projects: ["retail"],
    secretHash: "aa",
    createdAtMs: 1_000,
    ...change,
  };
}

const request = {
  keyId: "key-1",
  idempotencyKey: "once",
  fingerprint: "f",
  operationId: "backup-20260101-000000-000001",
  createdAtMs: 1_000,
};

/** What every catalog must do with API keys and repeated requests. */
export function describeAccessRecords(records: () => AccessRecords): void {
  describe("API keys", () => {
    it("are found by the hash of their secret, whole, and by nothing else", async () => {
      const forAll: ApiKeyRecord = {
        id: "key-2",
        name: "x",
        role: "admin",
        secretHash: "bb",
        createdAtMs: 2,
      };
      expect(await records().addApiKey(apiKey())).toBe(true);
      expect(await records().addApiKey(forAll)).toBe(true);
      expect(await records().findApiKey("aa")).toEqual(apiKey());
      expect(await records().findApiKey("bb")).toEqual(forAll);
      expect(await records().findApiKey("AA")).toBeUndefined();
      expect((await records().listApiKeys()).map(({ id }) => id)).toEqual(["key-2", "key-1"]);
    });

    it("are kept when another one of the same id or secret comes", async () => {
      await records().addApiKey(apiKey());
      expect(await records().addApiKey(apiKey({ secretHash: "cc" }))).toBe(false);
      expect(await records().addApiKey(apiKey({ id: "key-9" }))).toBe(false);
      expect(await records().listApiKeys()).toEqual([apiKey()]);
    });

    it("are changed in what is said and in nothing else", async () => {
      await records().addApiKey(apiKey());
      expect(await records().changeApiKey("key-1", { expiresAtMs: 5_000 })).toBe(true);
      expect(await records().changeApiKey("key-1", { revokedAtMs: 4_000 })).toBe(true);
      expect(await records().findApiKey("aa")).toEqual(apiKey({ expiresAtMs: 5_000, revokedAtMs: 4_000 }));
      expect(await records().changeApiKey("key-none", { revokedAtMs: 1 })).toBe(false);
    });
  });

  describe("requests that may be repeated", () => {
    it("are the first one's for whoever comes, and each caller has words of its own", async () => {
      expect(await records().claimRequestKey(request)).toEqual(request);
      const second = { ...request, operationId: "backup-20260101-000000-000002", fingerprint: "g" };
      expect(await records().claimRequestKey(second)).toEqual(request);
      expect(await records().claimRequestKey({ ...second, keyId: "key-2" })).toEqual({
        ...second,
        keyId: "key-2",
      });
    });

    it("go to one of many that come at once", async () => {
      const claims = Array.from({ length: 8 }, (_, index) =>
        records().claimRequestKey({ ...request, operationId: `backup-20260101-000000-00000${index}` }),
      );
      expect(new Set((await Promise.all(claims)).map(({ operationId }) => operationId)).size).toBe(1);
    });

    it("are forgotten when they are old", async () => {
      await records().claimRequestKey(request);
      await records().forgetRequestKeys(1_000);
      const later = { ...request, operationId: "backup-20260102-000000-000001", createdAtMs: 2_000 };
      expect(await records().claimRequestKey(later)).toEqual(request);
      await records().forgetRequestKeys(1_001);
      expect(await records().claimRequestKey(later)).toEqual(later);
    });
  });
}
