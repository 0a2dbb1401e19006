import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  besideName,
  loadingName,
  longestNameBytes,
  retiredName,
  undoneName,
  utf8Bytes,
} from "./restore-names.ts";

const restoreId = "restore-20251110-020000-3f9c2a";

test("names are made of the target's and the restore's id", () => {
  expect(loadingName("lportal", restoreId)).toBe("lportal_loading_20251110_020000_3f9c2a");
  expect(retiredName("lportal", restoreId)).toBe("lportal_before_20251110_020000_3f9c2a");
  expect(undoneName("lportal", restoreId)).toBe("lportal_undone_20251110_020000_3f9c2a");
  expect(besideName("lportal", restoreId)).toBe("lportal_20251110_020000_3f9c2a");
});

describe("any name of a database", () => {
  const anyName = fc.string({ unit: "binary", minLength: 1 });

  test("gives names that fit, end with the whole suffix, and are different from each other", () => {
    fc.assert(
      fc.property(anyName, (target) => {
        const names = [loadingName, retiredName, undoneName, besideName].map((make) =>
          make(target, restoreId),
        );
        for (const name of names) {
          expect(utf8Bytes(name)).toBeLessThanOrEqual(longestNameBytes);
          expect(name.endsWith("_20251110_020000_3f9c2a")).toBe(true);
        }
        expect(new Set(names).size).toBe(names.length);
      }),
    );
  });

  test("is cut between characters, never inside one", () => {
    const cut = loadingName("ü".repeat(40), restoreId);
    expect(cut.startsWith("ü")).toBe(true);
    expect(cut).not.toContain("\ufffd");
    expect(utf8Bytes(cut)).toBeGreaterThanOrEqual(longestNameBytes - 1);
  });
});
