import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ManifestEntry } from "./manifest.ts";
import { ManifestLine } from "./manifest-line.ts";
import { assertOrder, decodeEntry, decodeKey, encodeEntry, encodeKey, showKey } from "./manifest.ts";

const file: ManifestEntry = {
  key: "20097/a.pdf",
  kind: "file",
  sizeBytes: 5,
  mtimeNs: "1762732800000000001",
  mode: 0o644,
  uid: 1000,
  gid: 1000,
  version: "1762732800000000002:77",
  sha256: "ab".repeat(32),
  stored: {
    backup: "backup-20251110-020000-3f9c2a",
    file: "a1/files/pack-000001",
    offset: 0,
    length: 72,
    codec: "none",
  },
};

const bytesKey = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => {
  const key = String.fromCharCode(...bytes);
  return key.endsWith("/") ? `${key}x` : key;
});

describe("an entry's line", () => {
  test("has readable members in a fixed order", () => {
    expect(encodeEntry(file)).toBe(
      `{"key":"20097/a.pdf","kind":"file","sizeBytes":5,"mtimeNs":"1762732800000000001","mode":420,` +
        `"uid":1000,"gid":1000,"version":"1762732800000000002:77","sha256":"${"ab".repeat(32)}",` +
        `"stored":{"backup":"backup-20251110-020000-3f9c2a","file":"a1/files/pack-000001","offset":0,` +
        `"length":72,"codec":"none"}}`,
    );
  });

  test("comes back as the same entry for any key of any bytes", () => {
    fc.assert(
      fc.property(bytesKey, bytesKey, fc.boolean(), (key, target, vanished) => {
        const mark = vanished ? { vanished: true as const } : {};
        const entry: ManifestEntry = { ...file, key, ...mark };
        expect(decodeEntry(encodeEntry(entry))).toEqual(entry);
        const link: ManifestEntry = {
          key,
          kind: "symlink",
          sizeBytes: 0,
          mtimeNs: "-1",
          mode: 0o777,
          target,
        };
        expect(decodeEntry(encodeEntry(link))).toEqual(link);
        expect(encodeEntry(entry)).not.toContain("\n");
      }),
    );
  });

  test("writes a key that is not UTF-8 as hex", () => {
    expect(encodeEntry({ ...file, key: "caf\xe9" })).toContain(`{"keyHex":"636166e9",`);
  });

  test("keeps unicode forms apart", () => {
    expect(encodeKey("\u00e9")).not.toBe(encodeKey("e\u0301"));
  });

  test.each<[string, object]>([
    ["an unknown kind", { kind: "socket" }],
    ["a file without its hash", { sha256: undefined }],
    ["a hash in capitals", { sha256: "AB".repeat(32) }],
    ["a proof of another kind", { proof: "hearsay" }],
    ["content without a place", { stored: undefined }],
    ["a place without content", { sizeBytes: 0 }],
    ["a place outside its backup", { stored: { ...file.stored, file: "../x/a1/files/pack-000001" } }],
    ["a place in another folder of the backup", { stored: { ...file.stored, file: "a1/database/x.dump" } }],
    ["an earlier backup that is no id", { stored: { ...file.stored, backup: "../.." } }],
    ["a negative offset", { stored: { ...file.stored, offset: -1 } }],
    ["a size that is no whole number", { sizeBytes: 1.5 }],
    ["a time that is no digits", { mtimeNs: "yesterday" }],
    ["mode bits that say more than permissions", { mode: 0o100644 }],
    ["a directory's key for a file", { key: "a/" }],
    ["an empty key", { key: "" }],
    ["a target of a file", { target: "x" }],
    ["a key of half a character", { key: "\ud800" }],
  ])("is refused for %s", (_name, change) => {
    const line = JSON.stringify({ ...file, ...change });
    expect(() => decodeEntry(line)).toThrowError(
      expect.objectContaining({ code: "manifest-damaged" }) as Error,
    );
  });

  test.each(["", "null", "[]", "{", `"x"`])("is refused for the line %j", (line) => {
    expect(() => decodeEntry(line)).toThrowError(
      expect.objectContaining({ code: "manifest-damaged" }) as Error,
    );
  });
});

describe("keys", () => {
  test("any bytes: a text form exists exactly where the bytes are valid UTF-8", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const key = String.fromCharCode(...bytes);
        const text = decodeKey(key);
        const buffer = Buffer.from(bytes);
        const isUtf8 = Buffer.from(buffer.toString("utf8"), "utf8").equals(buffer);
        expect(text !== undefined).toBe(isUtf8);
        expect(text === undefined ? key : encodeKey(text)).toBe(key);
      }),
    );
  });

  test("order is that of the bytes, not that of JavaScript's strings", () => {
    const low = encodeKey("\ue000");
    const high = encodeKey("\u{10000}");
    expect(["\u{10000}", "\ue000"].toSorted()).toEqual(["\u{10000}", "\ue000"]);
    expect(() => assertOrder(low, high)).not.toThrow();
    expect(() => assertOrder(high, low)).toThrow("byte order");
    expect(() => assertOrder(low, low)).toThrow("byte order");
  });

  test("that are not UTF-8 are shown with their bytes", () => {
    expect(showKey("caf\xe9")).toBe("caf\\xe9");
  });
});

describe("an object of a bucket", () => {
  const object = { contentType: "text/plain", metadata: { a: "b", stored: "x" }, tags: { keep: "yes" } };
  const stored = { file: "a1/files/pack-000001", offset: 0, length: 72, codec: "none" } as const;
  const entry: ManifestEntry = {
    key: "dir/",
    kind: "file",
    sizeBytes: 5,
    mtimeNs: "1762732800000000000",
    mode: 0o644,
    version: '"etag"',
    sha256: "a".repeat(64),
    object,
    stored,
  };

  test("keeps what the bucket kept of it, and its key may end with a slash", () => {
    expect(decodeEntry(encodeEntry(entry))).toEqual(entry);
    expect(() => decodeEntry(encodeEntry(entry).replace(/"object":\{.*?\}\},/, ""))).toThrow(
      "ends with a slash",
    );
    expect(() => decodeEntry(encodeEntry(entry).replace('"yes"', "1"))).toThrow("not text");
    expect(() => decodeEntry(encodeEntry(entry).replace(/"object":\{.*?\}\}/, '"object":1'))).toThrow(
      "not text",
    );
    expect(() => decodeEntry(encodeEntry(entry).replace('"text/plain"', "null"))).toThrow("not text");
    expect(() => decodeEntry(encodeEntry(entry).replace(/"tags":\{.*?\}/, '"tags":"x"'))).toThrow("not text");
  });

  test("is recognised as unchanged, whatever its metadata are called", () => {
    const line = new ManifestLine(encodeEntry(entry));
    const { sha256: _sha256, object: _object, stored: _stored, ...facts } = entry;
    expect(line.unchangedContent(facts)).toEqual(stored);
    const moved = { ...stored, backup: "backup-20261110-020000-3f9c2a" };
    expect(decodeEntry(line.withStored(moved))).toEqual({ ...entry, stored: moved });
    const { stored: _none, ...empty } = { ...entry, sizeBytes: 0, object: { contentType: "x" } };
    expect(new ManifestLine(encodeEntry(empty)).unchangedContent({ ...facts, sizeBytes: 0 })).toBeUndefined();
  });
});
