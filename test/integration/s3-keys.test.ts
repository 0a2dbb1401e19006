/**
 * Keys that are legal and odd, through backup and restore from bucket to bucket. Which server can hold which is in
 * docs/reference/s3-stores.md; what a server does with those that it cannot hold must not pass in silence.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openBucketSource } from "../../src/stores/s3/bucket-source.ts";
import { openFileSource } from "../../src/worker/open-files.ts";
import type { TaskRun } from "../../src/worker/task.ts";
import { failureOf } from "../support/backup-run.ts";
import { backUpFolder, openFilesPlace, planTo, restoreTo, type FilesPlace } from "../support/files-run.ts";
import { useS3Server, type S3Server, type TestBucket } from "../support/s3-servers.ts";
import { connectTo } from "../support/s3-store-over-proxy.ts";

const minio = await useS3Server("minio");
const moto = await useS3Server("moto");
const versitygw = await useS3Server("versitygw");

/** All three hold these. */
const plain = [
  "a&b<c>\"'",
  "a+b c%20d?e#f",
  "back\\slash",
  "blank at the end ",
  "tab\there",
  "caf\u00e9",
  "cafe\u0301",
  "\uffee after the surrogates",
  "\u{1f600} of two code units",
  // 1,024 bytes in segments that a file system can hold.
  `${`${"k".repeat(200)}/`.repeat(5)}${"z".repeat(19)}`,
];
/** A router of Python's that moto is built on does not match a line break. */
const lineBreaks = ["line\nbreak", "line\r\nbreak"];
/** File systems cannot hold these; the two others are file systems. */
const beyondFileSystems = [
  "double//slash",
  "//",
  "/leading",
  "./dot",
  "..",
  "a/../b",
  "x",
  "x/y",
  "content/",
  "k".repeat(1_024),
  "control\u0001character",
];
const zeroBytes = "zero bytes";
const marker = "marker/";

let place: FilesPlace;
beforeEach(() => {
  place = openFilesPlace();
});
afterEach(() => place.close());

const runOn = (server: S3Server): TaskRun => ({ ...place.run, env: server.environment });

async function fill(server: S3Server, keys: readonly string[]): Promise<TestBucket> {
  const bucket = await server.freshBucket();
  for (const key of keys) await bucket.put(key, `content of ${key}`);
  await bucket.put(zeroBytes, "");
  await bucket.put(marker, "");
  return bucket;
}

async function backUp(server: S3Server, bucket: TestBucket): Promise<string> {
  const run = runOn(server);
  const source = await openFileSource(bucket.url, run);
  return (await backUpFolder(place, "/unused", { number: 1, source, run })).backupId;
}

/** Key and content of every object, in the order of bytes. */
async function contentsOf(bucket: TestBucket): Promise<string[]> {
  const keys = (await bucket.keys()).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const lines: string[] = [];
  for (const key of keys) lines.push(JSON.stringify([key, await bucket.get(key)]));
  return lines;
}

describe.each([
  ["versitygw", versitygw, [...plain, ...lineBreaks]],
  ["minio", minio, [...plain, ...lineBreaks]],
  ["moto", moto, [...plain, ...beyondFileSystems]],
])("on %s", (_, server, keys) => {
  test("every key that it can hold comes back from a backup, with its content", async () => {
    const source = await fill(server, keys);
    const backupId = await backUp(server, source);
    const target = await server.freshBucket();
    const run = runOn(server);
    expect((await planTo(place, target.url, backupId, { run })).blockers).toEqual([]);
    const { added } = await restoreTo(place, target.url, backupId, { run });
    expect(added).toBe(keys.length + 2);
    expect(await contentsOf(target)).toEqual(await contentsOf(source));
    expect(await target.keys()).toHaveLength(keys.length + 2);
  });

  test("an object is found by its key, and restored alone below a prefix that is odd as well", async () => {
    const source = await fill(server, keys);
    const backupId = await backUp(server, source);
    const target = await server.freshBucket();
    const run = runOn(server);
    const url = target.urlOf({ prefix: "new & old/\u00e9/" });
    await restoreTo(place, url, backupId, { run, include: ["cafe\u0301"] });
    expect(await target.keys()).toEqual(["new & old/\u00e9/cafe\u0301"]);
  });
});

describe.each([
  ["versitygw", versitygw],
  ["minio", minio],
])("%s is not believed", (_, server) => {
  // Kept under another key, not listed, or refused: which, depends on the server.
  test.each([
    ["double//slash", ["double//slash"]],
    ["/leading", ["/leading"]],
    ["a/../b", ["a/../b"]],
    ["./dot", ["./dot"]],
    ["x/y beside x", ["x", "x/y"]],
  ])("with %s, of which a restore says that it is not there", async (_name, keys) => {
    const backupId = await backUp(moto, await fill(moto, keys));
    const target = await server.freshBucket();
    const run = runOn(server);
    const failure = await failureOf(restoreTo(place, target.url, backupId, { run }));
    expect(["restored-files-differ", "store-failed"]).toContain(failure.code);
    expect(keys.some((key) => failure.message.includes(key))).toBe(true);
  });

  const alone: [key: string, pattern: string][] = [
    ["double//slash", "double/**"],
    ["a/../b", "a/../b"],
  ];
  // minio answers for this one in every way but the list of everything.
  if (server !== minio) alone.push(["/leading", "leading"]);
  test.each(alone)("with %s alone, of which a selective restore says so too", async (key, pattern) => {
    const backupId = await backUp(moto, await fill(moto, [key]));
    const target = await server.freshBucket();
    const run = runOn(server);
    const failure = await failureOf(restoreTo(place, target.url, backupId, { run, include: [pattern] }));
    expect(["restored-files-differ", "store-failed"]).toContain(failure.code);
    expect(failure.message).toContain(key);
  });
});

test("a key that versitygw cannot say in its list is named, not left out in silence", async () => {
  const bucket = await fill(versitygw, ["control\u0001character"]);
  const source = openBucketSource(connectTo(bucket.url, versitygw.environment), 4);
  const failure = await failureOf(backUpFolder(place, "/unused", { number: 1, source }));
  expect(["listing-unreliable", "files-unreadable"]).toContain(failure.code);
  expect(failure.message).toContain("control");
});
