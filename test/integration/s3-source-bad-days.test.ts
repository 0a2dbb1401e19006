/** A bucket that is backed up on its bad days. */
import { createHash, randomBytes } from "node:crypto";
import { DeleteBucketCommand, PutBucketVersioningCommand } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FailureCode } from "../../src/core/failure.ts";
import type { BackupMetadata } from "../../src/core/repository/metadata.ts";
import { openBucketSource } from "../../src/stores/s3/bucket-source.ts";
import type { S3Options } from "../../src/stores/s3/s3-connection.ts";
import { failureOf } from "../support/backup-run.ts";
import { startFaultProxy, type Fault, type FaultProxy } from "../support/fault-proxy.ts";
import { backUpFolder, entriesOf, openFilesPlace, type FilesPlace } from "../support/files-run.ts";
import * as faults from "../support/s3-faults.ts";
import type { S3Request } from "../support/s3-request.ts";
import { useS3Server, type TestBucket } from "../support/s3-servers.ts";
import { connectTo, patient } from "../support/s3-store-over-proxy.ts";

const versitygw = await useS3Server("versitygw");
const minio = await useS3Server("minio");

/** Larger than what is read in one request. */
const largeBytes = randomBytes(10 << 20);
const contents: ReadonlyMap<string, Uint8Array> = new Map([
  ["docs/a.txt", Buffer.from("content of a")],
  ["docs/b.txt", Buffer.from("content of b")],
  ["docs/empty", Buffer.alloc(0)],
  ["large.bin", largeBytes],
  ["more/c.txt", Buffer.from("content of c")],
]);

/** Before it begins, the bucket is asked whether it holds the repository. */
const isOfBackup = ({ key, query }: S3Request): boolean =>
  ![key, query.get("prefix")].includes("lc2-repository.json");

describe.each([
  ["versitygw", versitygw],
  ["minio", minio],
])("a bucket on %s", (_, server) => {
  let bucket: TestBucket;
  let proxy: FaultProxy;
  let place: FilesPlace;
  let earlier: BackupMetadata;

  beforeEach(async () => {
    bucket = await server.freshBucket();
    for (const [key, body] of contents) await bucket.put(key, body, { ChecksumAlgorithm: "CRC32" });
    proxy = await startFaultProxy(server.endpoint);
    place = openFilesPlace();
    earlier = await backUp(1);
  });
  afterEach(async () => {
    // Whatever the day was like: the backup before it is there, whole.
    const found = await summaryOf(earlier);
    place.close();
    await proxy.close();
    if (found.join() !== summaryOfContents().join())
      throw new Error(`the backup before holds ${found.join()}`);
  });

  const backUp = async (number: number, options: S3Options = {}): Promise<BackupMetadata> => {
    const connection = connectTo(bucket.urlOf({ endpoint: proxy.endpoint }), server.environment, {
      ...options,
      onNotice: (message) => place.logs.push(message),
    });
    const source = openBucketSource(connection, 4);
    return backUpFolder(place, "/unused", { number, source });
  };

  test("that states neither ETag nor version gives no large object, of which nobody could say that it is one", async () => {
    proxy.add({ operation: "GetObject", key: "large.bin", fault: faults.withoutETag() });
    const way = connectTo(bucket.urlOf({ endpoint: proxy.endpoint }), server.environment);
    const source = openBucketSource(way, 4);
    const content = await source.open("large.bin", largeBytes.length);
    await expect(content.read(Buffer.alloc(1024))).rejects.toMatchObject({
      name: "SourceError",
      reason: "unreadable",
      message: expect.stringContaining("neither an ETag nor a version") as string,
    });
    await content.close();
    source.close?.();
  });
  const summaryOf = async (backup: BackupMetadata): Promise<string[]> =>
    (await entriesOf(place, backup)).map(({ key, sha256 = "none" }) => `${key} ${sha256}`);
  const summaryOfContents = (changes: Readonly<Record<string, Uint8Array | undefined>> = {}): string[] =>
    [...contents].flatMap(([key, body]) => {
      const now = key in changes ? changes[key] : body;
      return now === undefined ? [] : [`${key} ${sha256Of(now)}`];
    });
  const touchAll = async (): Promise<void> => {
    for (const [key, body] of contents)
      await bucket.put(key, body, { ChecksumAlgorithm: "CRC32", Metadata: { touched: "yes" } });
  };

  describe("is backed up whole", () => {
    const moments: readonly [string, () => Fault][] = [
      ["is slow", () => faults.delay(100)],
      ["says 503", () => faults.slowDown()],
      ["says 429", () => faults.tooManyRequests()],
      ["says 500", () => faults.internalError()],
      ["cuts answers before they begin", () => faults.cutResponse(0)],
      ["cuts answers in the middle", () => faults.cutResponse(7)],
      ["never answers", () => faults.neverAnswer()],
    ];
    test.each(moments)("though the store for a moment %s", async (_name, fault) => {
      await touchAll();
      const list = proxy.add({ operation: "ListObjects", where: isOfBackup, times: 1, fault: fault() });
      const some = proxy.add({ operation: "GetObject", where: isOfBackup, times: 3, fault: fault() });
      expect(await summaryOf(await backUp(2, patient))).toEqual(summaryOfContents());
      expect([list.hits, some.hits]).toEqual([1, 3]);
    });

    test("though the store lies about ETags in its lists", async () => {
      const rule = proxy.add({ operation: "ListObjects", where: isOfBackup, fault: faults.wrongETag() });
      expect(await summaryOf(await backUp(2))).toEqual(summaryOfContents());
      expect(rule.hits).toBe(1);
    });

    test("with the last known bytes of an object that goes away before it is read", async () => {
      await touchAll();
      const rule = proxy.add({
        operation: "GetObject",
        key: "docs/b.txt",
        times: 1,
        fault: async (exchange) => {
          await bucket.delete("docs/b.txt");
          await exchange.pass();
        },
      });
      const backup = await backUp(2);
      expect(rule.hits).toBe(1);
      // What the backup before holds of it is kept for one more.
      const entry = (await entriesOf(place, backup)).find(({ key }) => key === "docs/b.txt");
      expect(entry).toMatchObject({ vanished: true });
      expect(await summaryOf(backup)).toEqual(summaryOfContents());
    });

    test("with one version of an object, though the store gives a range of another one, whatever the condition", async () => {
      await touchAll();
      const other = randomBytes(largeBytes.length);
      const rule = proxy.add({
        operation: "GetObject",
        key: "large.bin",
        after: 1,
        times: 1,
        fault: ({ incoming, response }) => {
          const [, from = "", to = ""] = /^bytes=(\d+)-(\d+)$/.exec(incoming.headers.range ?? "") ?? [];
          response.writeHead(206, {
            etag: '"another"',
            "content-range": `bytes ${from}-${to}/${other.length}`,
            "content-length": Number(to) - Number(from) + 1,
          });
          response.end(other.subarray(Number(from), Number(to) + 1));
          return Promise.resolve();
        },
      });
      expect(await summaryOf(await backUp(2, patient))).toEqual(summaryOfContents());
      expect(rule.hits).toBe(1);
    });

    test("with one version of an object that is replaced while it is read", async () => {
      await touchAll();
      const other = randomBytes(largeBytes.length);
      const rule = proxy.add({
        operation: "GetObject",
        key: "large.bin",
        after: 1,
        times: 1,
        fault: async (exchange) => {
          await bucket.put("large.bin", other);
          await exchange.pass();
        },
      });
      expect(await summaryOf(await backUp(2))).toEqual(summaryOfContents({ "large.bin": other }));
      expect(rule.hits).toBe(1);
    });
  });

  describe("is not backed up, and it is said why", () => {
    const days: readonly [string, () => Fault, FailureCode, RegExp][] = [
      ["says 503 all day", () => faults.slowDown(), "store-throttled", /Run again later/],
      ["says 500 all day", () => faults.internalError(), "store-unreachable", /the store's health/],
      ["cuts every answer", () => faults.cutResponse(0), "store-unreachable", /the network/],
      ["loses its bucket", () => faults.noSuchBucket(), "bucket-not-found", /There is no bucket test-/],
      ["lets credentials expire", () => faults.expiredCredentials(), "store-credentials-expired", /Log in/],
      ["has another time", () => faults.skewedClock(3), "store-clock-skewed", /Set the clock/],
    ];
    test.each(days)("when the store %s", async (_name, fault, code, sentence) => {
      await touchAll();
      for (const operation of ["ListObjects", "GetObject"] as const) {
        // At once, and after a part of the work was done.
        const rule = proxy.add({ operation, after: operation === "GetObject" ? 2 : 0, fault: fault() });
        const failure = await failureOf(backUp(operation === "GetObject" ? 3 : 2));
        expect(failure).toMatchObject({ code, message: expect.stringMatching(sentence) as string });
        expect(rule.hits).toBeGreaterThan(0);
        rule.remove();
      }
      expect(await summaryOf(await backUp(4))).toEqual(summaryOfContents());
    });

    test("when the store lists out of order", async () => {
      proxy.add({ operation: "ListObjects", fault: faults.listBackwards() });
      const failure = await failureOf(backUp(2));
      expect(failure.code).toBe("listing-unreliable");
      expect(failure.message).toMatch(/docs\/a\.txt|large\.bin|docs\/empty/);
      expect(failure.message).toContain("not the order of bytes");
    });

    test("when the store lists an object and says that there is none", async () => {
      proxy.add({ operation: "ListObjects", fault: faults.listAlso("z/ghost.txt") });
      const failure = await failureOf(backUp(2));
      expect(failure.code).toBe("files-unreadable");
      expect(failure.message).toContain("z/ghost.txt");
    });

    test("when bytes change on their way to us", async () => {
      await touchAll();
      proxy.add({ operation: "GetObject", key: "docs/b.txt", fault: faults.flipByte(2) });
      const failure = await failureOf(backUp(2));
      expect(failure.code).toBe("files-unreadable");
      expect(failure.message).toContain("docs/b.txt");
    });

    test("when most of its objects are not listed any more", async () => {
      proxy.add({
        operation: "ListObjects",
        fault: faults.hideFromListing("docs/a.txt", "docs/b.txt", "docs/empty", "large.bin"),
      });
      const failure = await failureOf(backUp(2));
      expect(failure.code).toBe("source-shrank");
      expect(failure.message).toContain("--max-shrink");
    });

    test("when its bucket is deleted", async () => {
      for (const key of contents.keys()) await bucket.delete(key);
      await server.client().send(new DeleteBucketCommand({ Bucket: bucket.name }));
      const failure = await failureOf(backUp(2));
      expect(failure).toMatchObject({ code: "bucket-not-found" });
      expect(failure.message).toContain(bucket.name);
    });
  });
});

test("objects below a prefix that may not be read are named, and nothing is sealed", async () => {
  const bucket = await versitygw.freshBucket();
  const place = openFilesPlace();
  await bucket.put("open/a.txt", "a");
  await bucket.put("secret/b.txt", "b");
  await bucket.allowGuest([
    { actions: ["s3:ListBucket"], resources: [""] },
    { actions: ["s3:GetObject", "s3:GetObjectTagging"], resources: ["open/*"] },
  ]);
  const source = openBucketSource(connectTo(bucket.url, versitygw.guestEnvironment), 4);
  const failure = await failureOf(backUpFolder(place, "/unused", { number: 1, source }));
  expect(failure.code).toBe("files-unreadable");
  expect(failure.message).toContain("secret/b.txt");
  place.close();
});

test("a bucket that may not be listed is not taken for an empty one", async () => {
  const bucket = await versitygw.freshBucket();
  const place = openFilesPlace();
  await bucket.put("a.txt", "a");
  await bucket.allowGuest([{ actions: ["s3:GetObject"], resources: ["*"] }]);
  const source = openBucketSource(connectTo(bucket.url, versitygw.guestEnvironment), 4);
  const failure = await failureOf(backUpFolder(place, "/unused", { number: 1, source }));
  expect(failure.code).toBe("store-access-denied");
  expect(failure.message).toContain("s3:ListBucket");
  place.close();
});

test.each([
  ["versitygw", versitygw],
  ["minio", minio],
])("of a bucket with versions, suspended later, the current ones are backed up (%s)", async (_, server) => {
  const bucket = await server.freshBucket({ versioning: true });
  const place = openFilesPlace();
  await bucket.put("a.txt", "old");
  await bucket.put("a.txt", "new");
  await bucket.put("gone.txt", "x");
  await bucket.delete("gone.txt");
  const backUp = async (number: number): Promise<string[]> => {
    const source = openBucketSource(connectTo(bucket.url, server.environment), 4);
    const backup = await backUpFolder(place, "/unused", { number, source });
    return (await entriesOf(place, backup)).map(({ key, sha256 = "" }) => `${key} ${sha256}`);
  };
  expect(await backUp(1)).toEqual([`a.txt ${sha256Of(Buffer.from("new"))}`]);
  await server.client().send(
    new PutBucketVersioningCommand({
      Bucket: bucket.name,
      VersioningConfiguration: { Status: "Suspended" },
    }),
  );
  await bucket.put("a.txt", "newest");
  expect(await backUp(2)).toEqual([`a.txt ${sha256Of(Buffer.from("newest"))}`]);
  place.close();
});

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
