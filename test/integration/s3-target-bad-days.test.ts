/** A bucket that is restored into on its bad days. */
import { randomBytes } from "node:crypto";
import { DeleteBucketCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FailureCode } from "../../src/core/failure.ts";
import { openBucketSource } from "../../src/stores/s3/bucket-source.ts";
import { openBucketTarget } from "../../src/stores/s3/bucket-target.ts";
import type { S3Options } from "../../src/stores/s3/s3-connection.ts";
import { readMetadata } from "../../src/worker/repository/read-metadata.ts";
import { failureOf } from "../support/backup-run.ts";
import { startFaultProxy, type Fault, type FaultProxy } from "../support/fault-proxy.ts";
import {
  backUpFolder,
  entriesOf,
  openFilesPlace,
  planTo,
  restoreTo,
  undoTo,
  type FilesPlace,
} from "../support/files-run.ts";
import * as faults from "../support/s3-faults.ts";
import { useS3Server, type TestBucket } from "../support/s3-servers.ts";
import { connectTo, patient } from "../support/s3-store-over-proxy.ts";
import { until } from "../support/until.ts";

const versitygw = await useS3Server("versitygw");
const minio = await useS3Server("minio");

/** Three parts of a multipart upload. */
const largeBytes = randomBytes(20 << 20);
const wanted: ReadonlyMap<string, Uint8Array> = new Map([
  ["docs/a.txt", Buffer.from("content of a")],
  ["docs/b.txt", Buffer.from("content of b")],
  ["docs/empty", Buffer.alloc(0)],
  ["large.bin", largeBytes],
  ["more/c.txt", Buffer.from("content of c")],
]);
/** What the target holds before: one object that is to be replaced, and one that is nobody's business. */
const before: ReadonlyMap<string, string> = new Map([
  ["docs/b.txt", "Content of B"],
  ["other/mine.txt", "not in the backup"],
]);

describe.each([
  ["versitygw", versitygw],
  ["minio", minio],
])("a restore into a bucket on %s", (_, server) => {
  let target: TestBucket;
  let proxy: FaultProxy;
  let place: FilesPlace;
  let backupId: string;

  beforeEach(async () => {
    place = openFilesPlace();
    const source = await server.freshBucket();
    for (const [key, body] of wanted) await source.put(key, body);
    const files = openBucketSource(connectTo(source.url, server.environment), 4);
    backupId = (await backUpFolder(place, "/unused", { number: 1, source: files })).backupId;
    target = await server.freshBucket();
    for (const [key, body] of before) await target.put(key, body);
    proxy = await startFaultProxy(server.endpoint);
  });
  afterEach(async () => {
    await proxy.close();
    place.close();
  });

  const openTarget = (options: S3Options = {}) =>
    openBucketTarget(connectTo(target.urlOf({ endpoint: proxy.endpoint }), server.environment, options));
  /** Planned on a good day, by the straight way. */
  const restore = async (restoreNumber = 1, options: S3Options = {}) => {
    const run = { ...place.run, env: server.environment };
    const { plan } = await planTo(place, target.url, backupId, { run, restore: restoreNumber });
    const through = openTarget(options);
    return restoreTo(place, target.url, backupId, { plan, target: through, restore: restoreNumber });
  };
  const undo = (options: S3Options = {}) => undoTo(place, target.url, { target: openTarget(options) });
  const contents = async (): Promise<Record<string, string>> => {
    const found: Record<string, string> = {};
    for (const key of await target.keys()) found[key] = await target.get(key);
    return found;
  };
  const asWanted = () => ({
    ...Object.fromEntries(before),
    ...Object.fromEntries([...wanted].map(([key, body]) => [key, Buffer.from(body).toString("utf8")])),
  });

  describe("is whole, and can be undone", () => {
    const moments: readonly [string, () => Fault][] = [
      ["is slow", () => faults.delay(100)],
      ["says 503", () => faults.slowDown()],
      ["says 429", () => faults.tooManyRequests()],
      ["says 500", () => faults.internalError()],
      ["cuts requests in the middle", () => faults.cutRequest(5)],
      ["does what it is asked, and its answers are cut", () => faults.cutResponse(0)],
      ["never answers", () => faults.neverAnswer()],
    ];
    test.each(moments)("though the store for a moment %s", async (_name, fault) => {
      const rules = (["PutObject", "UploadPart", "CompleteMultipartUpload", "ListObjects"] as const).map(
        (operation) => proxy.add({ operation, times: 1, fault: fault() }),
      );
      await restore(1, patient);
      expect(await contents()).toEqual(asWanted());
      expect(rules.map((rule) => rule.hits)).toEqual([1, 1, 1, 1]);
      expect(await target.uploads()).toEqual([]);
      const rule = proxy.add({ operation: ["PutObject", "DeleteObject"], times: 2, fault: fault() });
      await undo(patient);
      expect(rule.hits).toBe(2);
      expect(await contents()).toEqual(Object.fromEntries(before));
    });
  });

  describe("says why it is not whole, can be undone, and can be done again", () => {
    const days: readonly [string, () => Fault, FailureCode, RegExp][] = [
      ["says 503 all day", () => faults.slowDown(), "store-throttled", /Run again later/],
      ["says 500 all day", () => faults.internalError(), "store-unreachable", /the store's health/],
      ["cuts every request", () => faults.cutRequest(1), "store-unreachable", /the network/],
      ["loses its bucket", () => faults.noSuchBucket(), "bucket-not-found", /There is no bucket test-/],
      ["lets credentials expire", () => faults.expiredCredentials(), "store-credentials-expired", /Log in/],
      ["denies access", () => faults.accessDenied(), "store-access-denied", /"Action":"s3:PutObject"/],
      ["has another time", () => faults.skewedClock(3), "store-clock-skewed", /Set the clock/],
    ];
    test.each(days)("when the store %s", async (_name, fault, code, sentence) => {
      const rule = proxy.add({ operation: ["PutObject", "UploadPart"], after: 2, fault: fault() });
      const failure = await failureOf(restore());
      expect(failure).toMatchObject({ code, message: expect.stringMatching(sentence) as string });
      expect(rule.hits).toBeGreaterThan(0);
      // What was there and is not of the backup is never touched.
      expect(await target.get("other/mine.txt")).toBe("not in the backup");
      rule.remove();
      await undo();
      expect(await contents()).toEqual(Object.fromEntries(before));
      expect(await target.uploads()).toEqual([]);
      await restore(2);
      expect(await contents()).toEqual(asWanted());
    });

    test("when the store keeps nothing of an object that was not there", async () => {
      const rule = proxy.add({ operation: "PutObject", key: "docs/a.txt", fault: faults.keepNothing() });
      const failure = await failureOf(restore());
      expect(rule.hits).toBeGreaterThan(0);
      expect(["restored-files-differ", "store-failed"]).toContain(failure.code);
      expect(failure.message).toContain("docs/a.txt");
      rule.remove();
      await undo();
      expect(await contents()).toEqual(Object.fromEntries(before));
    });

    test("when the store keeps the old bytes of an object that was there, of the same size", async () => {
      const rule = proxy.add({ operation: "PutObject", key: "docs/b.txt", fault: faults.keepNothing() });
      const failure = await failureOf(restore());
      expect(rule.hits).toBeGreaterThan(0);
      expect(failure.code).toBe("store-failed");
      expect(failure.message).toContain("docs/b.txt");
    });

    test("when the store loses a part of an upload", async () => {
      const rule = proxy.add({
        operation: "CompleteMultipartUpload",
        fault: faults.losePart(server.client()),
      });
      const failure = await failureOf(restore());
      expect(rule.hits).toBeGreaterThan(0);
      expect(failure.code).toBe("store-failed");
      expect(failure.message).toContain("large.bin");
    });

    test("when the store says of an undo that it deleted, and deletes nothing", async () => {
      await restore();
      const rule = proxy.add({ operation: "DeleteObject", key: "docs/a.txt", fault: faults.deleteNothing() });
      const failure = await failureOf(undo());
      expect(rule.hits).toBe(1);
      expect(failure.code).toBe("store-failed");
      expect(failure.message).toContain("docs/a.txt");
      rule.remove();
      await undo();
      expect(await contents()).toEqual(Object.fromEntries(before));
    });

    test("when the store lists out of order", async () => {
      proxy.add({ operation: "ListObjects", fault: faults.listBackwards() });
      const failure = await failureOf(restore());
      expect(failure.code).toBe("listing-unreliable");
      expect(await contents()).toEqual(Object.fromEntries(before));
    });
  });

  describe("is whole", () => {
    test("and a large object is read again where the store states no checksum of it", async () => {
      const rule = proxy.add({
        operation: "HeadObject",
        key: "large.bin",
        fault: async ({ forward, response }) => {
          const answer = await forward();
          answer.resume();
          const { headers, statusCode = 502 } = answer;
          const kept = Object.entries(headers).filter(([name]) => !name.startsWith("x-amz-checksum"));
          response.writeHead(statusCode, Object.fromEntries(kept));
          response.end();
        },
      });
      await restore();
      expect(rule.hits).toBeGreaterThan(0);
      expect(proxy.countOf("GetObject", "large.bin")).toBeGreaterThan(0);
      proxy.add({ operation: "GetObject", key: "large.bin", fault: faults.flipByte(1) });
      await target.delete("large.bin");
      expect(await failureOf(restore(2))).toMatchObject({ code: "store-failed" });
    });

    test("though the bucket was deleted after it was planned: it is made again", async () => {
      for (const key of before.keys()) await target.delete(key);
      const run = { ...place.run, env: server.environment };
      const { plan } = await planTo(place, target.url, backupId, { run });
      await server.client().send(new DeleteBucketCommand({ Bucket: target.name }));
      await restoreTo(place, target.url, backupId, { plan, target: openTarget() });
      expect(await target.keys()).toEqual([...wanted.keys()]);
    });
  });
});

test("an object with other bytes and the same ETag is put right in the bucket that it was backed up from", async () => {
  const place = openFilesPlace();
  const source = await versitygw.freshBucket();
  await source.put("a.txt", "right");
  const proxy = await startFaultProxy(versitygw.endpoint);
  proxy.add({ operation: ["ListObjects", "HeadObject", "GetObject"], fault: faults.wrongETag() });
  const url = source.urlOf({ endpoint: proxy.endpoint });
  const files = openBucketSource(connectTo(url, versitygw.environment), 4);
  const { backupId } = await backUpFolder(place, "/unused", { number: 1, source: files });
  const [entry] = await entriesOf(place, await readMetadata(place.run, backupId));
  const modified = entry?.mtimeNs;
  const run = { ...place.run, env: versitygw.environment };
  await until("the object has another time", async () => {
    await source.put("a.txt", "wrong");
    const head = new HeadObjectCommand({ Bucket: source.name, Key: "a.txt" });
    const seconds = Math.floor(((await versitygw.client().send(head)).LastModified?.getTime() ?? 0) / 1000);
    return `${seconds}000000000` !== modified;
  });
  for (const include of [[], ["a.txt"]]) {
    const { plan } = await planTo(place, url, backupId, { run, include });
    expect(plan).toMatchObject({ change: 1, unchanged: 0 });
  }
  place.close();
  await proxy.close();
});

test("a plan into a bucket that may not be written names the statement that the policy lacks", async () => {
  const place = openFilesPlace();
  const source = await versitygw.freshBucket();
  await source.put("a.txt", "a");
  const files = openBucketSource(connectTo(source.url, versitygw.environment), 4);
  const { backupId } = await backUpFolder(place, "/unused", { number: 1, source: files });
  const target = await versitygw.freshBucket();
  await target.allowGuest([{ actions: ["s3:ListBucket"], resources: [""] }]);
  const run = { ...place.run, env: versitygw.guestEnvironment };
  const { blockers } = await planTo(place, target.url, backupId, { run });
  expect(blockers).toMatchObject([
    { code: "store-access-denied", message: expect.stringContaining('"Action":"s3:PutObject"') as string },
  ]);
  place.close();
});
