import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFileSource } from "../../src/worker/open-files.ts";
import type { TaskRun } from "../../src/worker/task.ts";
import {
  backUpFolder,
  openFilesPlace,
  planTo,
  restoreTo,
  undoTo,
  type FilesPlace,
} from "../support/files-run.ts";
import { useS3Server, type S3Server, type TestBucket } from "../support/s3-servers.ts";

/** What S3 allows and hardly a folder does. Of the servers at hand moto alone holds them all. */
const oddKeys = [
  "../up",
  "./here",
  "/leading",
  "a",
  "a//b",
  "a/b",
  "data/",
  "é-composed",
  "e\u0301-decomposed",
  "marker/",
  "percent%2Fplus+space ",
  "😀/\uffee",
  "n".repeat(1024),
];

let server: S3Server;
let source: TestBucket;
let place: FilesPlace;
let run: TaskRun;
let backupId: string;

beforeEach(async () => {
  server = await useS3Server("moto");
  source = await server.freshBucket();
  place = openFilesPlace();
  run = { ...place.run, env: server.environment };
  for (const key of oddKeys) await source.put(key, key === "marker/" ? "" : `content of ${key}`);
  const files = await openFileSource(source.url, run);
  const spec = { url: source.url };
  backupId = (await backUpFolder(place, "/unused", { number: 1, source: files, run, spec })).backupId;
});
afterEach(() => place.close());

test("every key that S3 allows comes back in another bucket, is mirrored, and undone", async () => {
  const target = await server.freshBucket();
  const { plan, blockers } = await planTo(place, target.url, backupId, { run });
  expect(blockers).toEqual([]);
  expect(plan.add).toBe(oddKeys.length);
  await restoreTo(place, target.url, backupId, { run, plan });
  expect(await target.keys()).toEqual(await source.keys());
  for (const key of oddKeys) expect(await target.get(key)).toBe(key === "marker/" ? "" : `content of ${key}`);
  for (const key of oddKeys) await target.put(key, "changed");
  await target.put("a//", "surplus");
  await restoreTo(place, target.url, backupId, { run, restore: 2, mode: "mirror" });
  expect(await target.keys()).toEqual(await source.keys());
  await undoTo(place, target.url, { run, restore: 2 });
  for (const key of [...oddKeys, "a//"])
    expect(await target.get(key)).toBe(key === "a//" ? "surplus" : "changed");
});

test("a folder's plan names what no folder can hold, and takes the rest", async () => {
  const folder = join(place.folder, "target");
  const { blockers } = await planTo(place, folder, backupId, { run });
  expect(blockers).toMatchObject([{ code: "path-not-restorable" }]);
  const message = blockers[0]?.message ?? "";
  expect(message).toContain("7 files cannot be restored to a folder");
  expect(message).toContain("../up");
  expect(message).toContain("and 2 more");
  const include = ["/e*", "/marker/", "/percent*"];
  const chosen = await planTo(place, folder, backupId, { run, include });
  expect(chosen.blockers).toEqual([]);
  await restoreTo(place, folder, backupId, { run, include, plan: chosen.plan });
});

test("a key that is too long below the target's prefix is named", async () => {
  const url = source.urlOf({ prefix: "deep/" });
  const { blockers } = await planTo(place, url, backupId, { run });
  expect(blockers).toMatchObject([{ code: "path-not-restorable" }]);
  expect(blockers[0]?.message).toContain("1029 bytes");
});
