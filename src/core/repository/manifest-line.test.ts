import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeEntry, type ManifestEntry } from "./manifest.ts";
import { ManifestLine } from "./manifest-line.ts";

const stored = { file: "a1/files/pack-000001", offset: 5, length: 72, codec: "none" as const };
const entry: ManifestEntry = {
  key: "20097/a.pdf",
  kind: "file",
  sizeBytes: 5,
  mtimeNs: "1762732800000000001",
  mode: 0o644,
  uid: 1000,
  gid: 1000,
  version: "1762732800000000002:77",
  sha256: "ab".repeat(32),
  stored,
};
const backup = "backup-20251110-020000-3f9c2a";

describe("a manifest's line", () => {
  test("says as much as its decoded entry, whatever the key", () => {
    const keys = fc.oneof(
      fc.string({
        unit: fc.constantFrom("a", '"', "\\", "/", ",", ":", "stored", "{", "\u00c3\u00a9", "\u00ff"),
        minLength: 1,
      }),
      fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => String.fromCharCode(...bytes)),
    );
    fc.assert(
      fc.property(keys, fc.boolean(), (anyKey, isReferred) => {
        const key = anyKey.endsWith("/") ? `${anyKey}x` : anyKey;
        const place = isReferred ? { backup, ...stored } : stored;
        const whole = { ...entry, key, stored: place };
        const line = new ManifestLine(encodeEntry(whole));
        expect(line.key).toBe(key);
        expect(line.unchangedContent(whole)).toEqual(place);
        const other = { backup, file: "a2/files/file-000009", offset: 0, length: 1, codec: "zstd" as const };
        expect(line.withStored(other)).toBe(encodeEntry({ ...whole, stored: other }));
        expect(line.entry).toEqual(whole);
      }),
    );
  });

  test.each<[string, Partial<ManifestEntry>, Partial<ManifestEntry>]>([
    ["another size", {}, { sizeBytes: 50 }],
    ["another time", {}, { mtimeNs: "1762732800000000009" }],
    ["another mode", {}, { mode: 0o600 }],
    ["another owner", {}, { uid: 100 }],
    ["another version", {}, { version: "1762732800000000002:7" }],
    ["a longer key", {}, { key: "20097/a.pdf2" }],
    ["a mark that it vanished", { vanished: true }, {}],
    ["a mark that it is stale", { stale: true }, {}],
  ])("gives no content away for %s", (_name, before, now) => {
    const line = new ManifestLine(encodeEntry({ ...entry, ...before }));
    expect(line.unchangedContent({ ...entry, ...now })).toBeUndefined();
  });

  test("gives no content away without a version", () => {
    const { version: _version, ...bare } = entry;
    expect(new ManifestLine(encodeEntry(bare)).unchangedContent(bare)).toBeUndefined();
  });

  test("that is damaged is refused when it is decoded", () => {
    expect(() => new ManifestLine("{}")).toThrow("damaged");
    const line = new ManifestLine('{"key":"a","kind":"file"}');
    expect(() => line.entry).toThrow("damaged");
  });
});
