import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { watchDependencies } from "./check-dependencies.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lc2-dependencies-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const fine = async (): Promise<void> => await Promise.resolve();
const broken = async (): Promise<void> => await Promise.reject(new Error("away"));
const watch = (options: Partial<Parameters<typeof watchDependencies>[0]>) =>
  watchDependencies({
    checkCatalog: fine,
    repository: "s3://backups/lc2",
    checkBucket: fine,
    nowMs: () => 0,
    ...options,
  });
const answers = (catalog: string, repository: string) => [
  { name: "catalog", status: catalog },
  { name: "repository", status: repository },
];

describe("what a server depends on", () => {
  test("is down without the catalog, and degraded without the repository", async () => {
    expect(await watch({})()).toEqual(answers("ok", "ok"));
    expect(await watch({ checkCatalog: broken })()).toEqual(answers("down", "ok"));
    expect(await watch({ checkBucket: broken })()).toEqual(answers("ok", "degraded"));
  });

  test("may be a folder that is made later, and not one below a file", async () => {
    const later = pathToFileURL(join(folder, "not/yet/there")).href;
    expect(await watch({ repository: later, checkBucket: broken })()).toEqual(answers("ok", "ok"));
    const below = pathToFileURL(join(process.execPath, "below")).href;
    expect(await watch({ repository: below })()).toEqual(answers("ok", "degraded"));
  });

  test("asks a bucket once a minute, however often it is asked", async () => {
    let now = 0;
    let asked = 0;
    let check = broken;
    const look = watch({
      nowMs: () => now,
      checkBucket: async () => {
        asked += 1;
        await check();
      },
    });
    expect(await look()).toEqual(answers("ok", "degraded"));
    now = 59_999;
    check = fine;
    expect(await look()).toEqual(answers("ok", "degraded"));
    expect(asked).toBe(1);
    now = 60_000;
    // Meanwhile the last answer counts.
    expect(await look()).toEqual(answers("ok", "degraded"));
    expect(asked).toBe(2);
    expect(await look()).toEqual(answers("ok", "ok"));
    expect(asked).toBe(2);
  });
});
