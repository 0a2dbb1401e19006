import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compileCacheVariables } from "./compile-cache.ts";

const folder = mkdtempSync(join(tmpdir(), "lc2-compile-cache-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the cache of compiled modules", () => {
  it("is in the data directory, which is not made for it", () => {
    expect(compileCacheVariables(folder)).toEqual({ NODE_COMPILE_CACHE: join(folder, "cache") });
    expect(compileCacheVariables(join(folder, "none"))).toEqual({});
  });

  it("is left out where it cannot be", () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(compileCacheVariables(file)).toEqual({});
  });
});
