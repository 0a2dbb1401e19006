import { describe, expect, test } from "vitest";
import { encodeKey, type ManifestEntry } from "../repository/manifest.ts";
import { RestorableEntries } from "./restorable-entries.ts";

const entry = (key: string, more: Partial<ManifestEntry> = {}): ManifestEntry => ({
  key,
  kind: key.endsWith("/") ? "directory" : "file",
  sizeBytes: 0,
  mtimeNs: "0",
  mode: 0o644,
  object: {},
  ...more,
});

/** What cannot be restored, by key. */
function refused(form: { folders: boolean; prefixBytes?: number }, entries: readonly ManifestEntry[]) {
  const rules = new RestorableEntries({ prefixBytes: 0, ...form });
  return Object.fromEntries(
    entries.flatMap((one) => {
      const why = rules.whyNot(one);
      return why === undefined ? [] : [[one.key, why]];
    }),
  );
}

describe("to a folder", () => {
  const folder = { folders: true };

  test("usual keys can be restored", () => {
    const keys = ["a", "a-b", "a.txt", "b/", "b/c", "b/c.d/", "b/c.d/e"];
    expect(
      refused(
        folder,
        keys.map((key) => entry(key)),
      ),
    ).toEqual({});
  });

  test("an object cannot stand beside what is below its name, with other keys between them or not", () => {
    const keys = ["a", "a-b", "a.txt/c", "a/", "a/b", "a/b/c", "ab", "ab/c"];
    const why = "there is an object of the name of the folder that it would be in";
    expect(
      refused(
        folder,
        keys.map((key) => entry(key)),
      ),
    ).toEqual({
      "a/": why,
      "a/b": why,
      "a/b/c": why,
      "ab/c": why,
    });
  });

  test("empty names, dots, and content under a folder's name are refused", () => {
    const entries = [entry("../x"), entry("/x"), entry("a//b"), entry("b/", { kind: "file", sizeBytes: 3 })];
    expect(Object.keys(refused(folder, entries))).toEqual(["../x", "/x", "a//b", "b/"]);
    expect(Object.values(refused(folder, entries)).at(-1)).toContain("a name that only a folder can have");
  });
});

describe("to a bucket", () => {
  const bucket = { folders: false, prefixBytes: 5 };

  test("any key of another bucket can be restored", () => {
    const keys = ["../x", "/x", "a", "a//b", "a/b", encodeKey("ä/ö"), "new\nline"];
    expect(
      refused(
        bucket,
        keys.map((key) => entry(key)),
      ),
    ).toEqual({});
  });

  test("a key that becomes too long with the prefix is refused, to the byte", () => {
    const [fits, long] = ["n".repeat(1019), "n".repeat(1020)];
    expect(Object.keys(refused(bucket, [entry(fits), entry(long)]))).toEqual([long]);
  });

  test("a file's name that is not UTF-8 is refused", () => {
    expect(refused(bucket, [entry("caf\xe9")])).toEqual({
      "caf\xe9": "its name is not UTF-8, which the keys of a bucket are",
    });
  });

  test("folders and symlinks are not asked for at all", () => {
    const { object: _none, ...folder } = entry(`${"n".repeat(1030)}/`);
    const link = { ...entry("caf\xe9"), kind: "symlink" as const, target: "x" };
    expect(refused(bucket, [folder, link])).toEqual({});
  });
});
