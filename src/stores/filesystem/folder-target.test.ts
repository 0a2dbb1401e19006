import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chmodWithoutFollowing } from "./folder-target.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "lc2-target-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test("a mode is set even where the file cannot be read", () => {
  const path = join(folder, "closed");
  writeFileSync(path, "x", { mode: 0o000 });
  chmodWithoutFollowing(path, 0o640);
  expect(statSync(path).mode & 0o777).toBe(0o640);
});

test("a mode is never set through a symlink that was put in the object's place", () => {
  const outside = join(folder, "outside");
  writeFileSync(outside, "x");
  chmodSync(outside, 0o600);
  symlinkSync("outside", join(folder, "inside"));
  expect(() => chmodWithoutFollowing(join(folder, "inside"), 0o666)).toThrow("ENOTSUP");
  expect(statSync(outside).mode & 0o777).toBe(0o600);
});
