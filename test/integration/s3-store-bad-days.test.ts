/** A repository in a bucket on its bad days. */
import { createHash, randomBytes } from "node:crypto";
import {
  DeleteBucketCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
} from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Failure, FailureCode } from "../../src/core/failure.ts";
import type { ObjectStore } from "../../src/core/ports/object-store.ts";
import type { S3Options } from "../../src/stores/s3/s3-connection.ts";
import { openS3Store } from "../../src/stores/s3/s3-store.ts";
import { failureOf } from "../support/backup-run.ts";
import type { Fault } from "../support/fault-proxy.ts";
import * as faults from "../support/s3-faults.ts";
import { testAuthorityFile, useS3Server } from "../support/s3-servers.ts";
import {
  connectTo,
  hasty,
  openStoreOverProxy,
  patient,
  type StoreOverProxy,
} from "../support/s3-store-over-proxy.ts";

const versitygw = await useS3Server("versitygw");
const minio = await useS3Server("minio");

const earlier = "backups/retail/earlier/metadata.json";
const small = "backups/retail/small.pack";
const large = "backups/retail/large.pack";
/** More than two parts of a multipart upload. */
const largeBytes = randomBytes(20 << 20);

describe.each([
  ["versitygw", versitygw],
  ["minio", minio],
])("on %s", (_, server) => {
  let day: StoreOverProxy;
  let store: ObjectStore;
  const open = async (options: S3Options = {}): Promise<void> => {
    day = await openStoreOverProxy(server, options);
    store = day.store;
    await store.createIfAbsent(earlier, Buffer.from("sealed"));
  };
  afterEach(async () => {
    // Whatever happened, what was there before is still there.
    const found = await day.bucket.get(`lc2/${earlier}`);
    await day[Symbol.asyncDispose]();
    if (found !== "sealed") throw new Error(`the backup before holds ${found}`);
  });

  const write = async (name: string, bytes: Uint8Array): Promise<void> => {
    const writer = await store.write(name);
    try {
      for (let offset = 0; offset < bytes.length; offset += 1 << 20) {
        await writer.write(bytes.subarray(offset, offset + (1 << 20)));
      }
      await writer.commit();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  };
  const read = async (name: string): Promise<Buffer> => {
    const pieces: Uint8Array[] = [];
    for await (const piece of store.read(name)) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces);
  };
  const list = async (prefix: string): Promise<string[]> => {
    const names: string[] = [];
    for await (const { name } of store.list(prefix)) names.push(name);
    return names;
  };

  test("names another program's key that is no text instead of failing on it", async () => {
    await open();
    day.proxy.add({ operation: "ListObjects", fault: faults.listAlso("lc2/videos/%FF%FE.mp4") });
    expect(await failureOf(list(""))).toMatchObject({
      code: "data-damaged",
      message: expect.stringContaining("videos/") as string,
    });
    day.proxy.add({ operation: "ListObjects", fault: faults.listFolderAlso("lc2/videos%FF/") });
    const folders: string[] = [];
    for await (const folder of store.listFolders("")) folders.push(folder);
    // versitygw does not say that it encodes.
    expect(folders).toEqual(["backups", expect.stringMatching(/^videos(?:\u00ff|%FF)$/) as string]);
  });

  describe("passes a bad moment and loses nothing", () => {
    beforeEach(() => open(patient));

    const moments: readonly [string, () => Fault][] = [
      ["is slow", () => faults.delay(100)],
      ["says 503 without Retry-After", () => faults.slowDown()],
      ["says 429", () => faults.tooManyRequests()],
      ["says 500", () => faults.internalError()],
      ["cuts requests", () => faults.cutRequest(10)],
      ["cuts answers, though it did what was asked", () => faults.cutResponse(0)],
      ["takes requests and never answers", () => faults.neverAnswer()],
    ];
    test.each(moments)("when the store %s", async (_name, fault) => {
      const hits = (["PutObject", "HeadObject", "GetObject", "UploadPart"] as const).map((operation) =>
        day.proxy.add({ operation, times: 1, fault: fault() }),
      );
      hits.push(
        ...(["ListObjects", "CreateMultipartUpload", "CompleteMultipartUpload"] as const).map((operation) =>
          day.proxy.add({ operation, times: 1, fault: fault() }),
        ),
      );
      await write(small, Buffer.from("a small pack"));
      await write(large, largeBytes);
      expect((await read(small)).toString()).toBe("a small pack");
      expect(sha256(await read(large))).toBe(sha256(largeBytes));
      expect(await list("backups/retail/")).toEqual([earlier, large, small]);
      expect(hits.map((rule) => rule.hits)).toEqual(hits.map(() => 1));
    });

    test("when this machine's clock is hours wrong, which the store's answers tell", async () => {
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3 * 3_600_000 });
      try {
        await write(large, largeBytes);
        expect(sha256(await read(large))).toBe(sha256(largeBytes));
      } finally {
        vi.useRealTimers();
      }
    });

    test("when one of several machines of the store has a wrong clock", async () => {
      const rule = day.proxy.add({ operation: "PutObject", times: 1, fault: faults.skewedClock(3) });
      await write(small, Buffer.from("a small pack"));
      expect(rule.hits).toBe(1);
    });

    test("when a body is cut in the middle, both ways, more than once", async () => {
      const parts = day.proxy.add({ operation: "UploadPart", times: 3, fault: faults.cutRequest(3 << 20) });
      await write(large, largeBytes);
      expect(parts.hits).toBe(3);
      const bodies = day.proxy.add({ operation: "GetObject", times: 4, fault: faults.cutResponse(3 << 20) });
      expect(sha256(await read(large))).toBe(sha256(largeBytes));
      expect(bodies.hits).toBe(4);
    });

    test("when the answer to a seal is lost: it is known as its own", async () => {
      const rule = day.proxy.add({ operation: "PutObject", times: 1, fault: faults.cutResponse(0) });
      expect(await store.createIfAbsent(small, Buffer.from("sealed now"))).toBe(true);
      expect(rule.hits).toBe(1);
      expect(await store.createIfAbsent(small, Buffer.from("sealed again"))).toBe(false);
      expect(await day.bucket.get(`lc2/${small}`)).toBe("sealed now");
    });

    test("when the answer to a deletion is lost", async () => {
      await write(small, Buffer.from("x"));
      day.proxy.add({ operation: "DeleteObject", times: 1, fault: faults.cutResponse(0) });
      await store.delete(small);
      expect(await list("")).toEqual([earlier]);
    });

    test("when ETags are lies, as they are no checksums here", async () => {
      day.proxy.add({ operation: ["PutObject", "HeadObject", "ListObjects"], fault: faults.wrongETag() });
      await write(small, Buffer.from("a small pack"));
      expect((await read(small)).toString()).toBe("a small pack");
    });
  });

  describe("fails with a sentence", () => {
    beforeEach(() => open());

    const days: readonly [string, () => Fault, FailureCode, RegExp][] = [
      [
        "says 503 all day",
        () => faults.slowDown(),
        "store-throttled",
        /keeps asking to slow down.*small\.pack/,
      ],
      ["says 429 all day", () => faults.tooManyRequests(), "store-throttled", /Run again later/],
      ["says 500 all day", () => faults.internalError(), "store-unreachable", /small\.pack.*attempts/],
      [
        "cuts every request",
        () => faults.cutRequest(1),
        "store-unreachable",
        /Check the endpoint, the network/,
      ],
      ["loses its bucket", () => faults.noSuchBucket(), "bucket-not-found", /There is no bucket test-/],
      [
        "denies access",
        () => faults.accessDenied(),
        "store-access-denied",
        /"Action":"s3:(PutObject|GetObject)"/,
      ],
      [
        "lets credentials expire",
        () => faults.expiredCredentials(),
        "store-credentials-expired",
        /Log in again/,
      ],
      [
        "has another time",
        () => faults.skewedClock(3),
        "store-clock-skewed",
        /3 hours behind.*Set the clock/,
      ],
    ];
    test.each(days)("when the store %s", async (_name, fault, code, sentence) => {
      const rule = day.proxy.add({ operation: "PutObject", fault: fault() });
      const failure = await failureOf(write(small, Buffer.from("a small pack")));
      expect(failure).toMatchObject({ code, message: expect.stringMatching(sentence) as string });
      expect(rule.hits).toBeGreaterThan(0);
      expectNoSecret(failure);
      rule.remove();
      expect(await list("")).toEqual([earlier]);
    });

    test.each(days.filter(([name]) => name !== "cuts every request"))(
      "when the store %s in the middle of an upload, of which nothing is left",
      async (_name, fault, code) => {
        const rule = day.proxy.add({ operation: "UploadPart", after: 1, fault: fault() });
        expect((await failureOf(write(large, largeBytes))).code).toBe(code);
        expect(rule.hits).toBeGreaterThan(0);
        rule.remove();
        expect(await list("")).toEqual([earlier]);
        expect(await day.bucket.uploads()).toEqual([]);
      },
    );

    test("when the store says that it stored, and keeps nothing", async () => {
      const rule = day.proxy.add({ operation: "PutObject", fault: faults.keepNothing() });
      for (const work of [
        () => write(small, Buffer.from("a small pack")),
        () => store.createIfAbsent(small, Buffer.from("a seal")),
        () => store.replace(small, Buffer.from("a lease")),
      ]) {
        const failure = await failureOf(work());
        expect(failure.code).toBe("store-failed");
        expect(failure.message).toMatch(/small\.pack was written and is not what was sent.*no such object/);
      }
      expect(rule.hits).toBe(3);
      expect(await list("")).toEqual([earlier]);
    });

    test("when the store says that it replaced, and keeps the old bytes", async () => {
      await store.replace(small, Buffer.from("old lease"));
      day.proxy.add({ operation: "PutObject", fault: faults.keepNothing() });
      const failure = await failureOf(store.replace(small, Buffer.from("new lease")));
      expect(failure).toMatchObject({ code: "store-failed" });
      expect(failure.message).toContain("keeps other bytes than were sent");
    });

    test("when the store says that it deleted, and did not", async () => {
      await write(small, Buffer.from("a small pack"));
      const rule = day.proxy.add({ operation: "DeleteObject", fault: faults.deleteNothing() });
      const failure = await failureOf(store.delete(small));
      expect(rule.hits).toBe(1);
      expect(failure.code).toBe("store-failed");
      expect(failure.message).toMatch(/was asked to delete .*small\.pack and still has it/);
    });

    test("when the store loses a part of an upload", async () => {
      const rule = day.proxy.add({
        operation: "CompleteMultipartUpload",
        fault: faults.losePart(server.client()),
      });
      const failure = await failureOf(write(large, largeBytes));
      expect(failure.code).toBe("store-failed");
      expect(failure.message).toMatch(/large\.pack was written and is not what was sent.*bytes of 20971520/);
      expect(rule.hits).toBe(1);
    });

    test("when the store lies about the parts of an upload", async () => {
      day.proxy.add({ operation: "UploadPart", times: 1, fault: faults.wrongETag() });
      expect((await failureOf(write(large, largeBytes))).code).toBe("store-failed");
      expect(await day.bucket.uploads()).toEqual([]);
      expect(await list("")).toEqual([earlier]);
    });

    test.each([0, 1, 2])("when bytes of a part change on their way to it, after %i parts", async (after) => {
      const rule = day.proxy.add({ operation: "UploadPart", after, fault: faults.flipSentByte(70_000) });
      expect(await failureOf(write(large, largeBytes))).toBeDefined();
      expect(rule.hits).toBeGreaterThan(0);
      rule.remove();
      expect(await list("")).toEqual([earlier]);
      expect(await day.bucket.uploads()).toEqual([]);
    });

    test("when bytes change on their way to us", async () => {
      await write(small, Buffer.from("a small pack"));
      const rule = day.proxy.add({ operation: "GetObject", fault: faults.flipByte(3) });
      const failure = await failureOf(read(small));
      expect(failure).toMatchObject({ code: "data-damaged" });
      expect(failure.message).toContain("small.pack");
      expect(rule.hits).toBeGreaterThan(0);
    });

    test("when the store lists out of order", async () => {
      await write(small, Buffer.from("x"));
      day.proxy.add({ operation: "ListObjects", fault: faults.listBackwards() });
      const failure = await failureOf(list(""));
      expect(failure.code).toBe("store-failed");
      expect(failure.message).toMatch(/lists .* after .*small\.pack.*cannot be relied on/);
    });

    test("when the store lists an object and then says that there is none", async () => {
      day.proxy.add({ operation: "ListObjects", fault: faults.listAlso("lc2/backups/retail/z.pack") });
      expect(await list("")).toEqual([earlier, "backups/retail/z.pack"]);
      const failure = await failureOf(read("backups/retail/z.pack"));
      expect(failure.code).toBe("backup-incomplete");
      expect(failure.message).toContain("z.pack is missing");
    });
  });
});

test("a store that says how long to wait is asked again after that, not before", async () => {
  const day = await openStoreOverProxy(versitygw, { retry: { ...hasty, totalMs: 20_000 } });
  await using _ = day;
  const rule = day.proxy.add({ operation: "PutObject", times: 1, fault: faults.slowDown(2) });
  const startedAt = performance.now();
  await day.store.replace(small, Buffer.from("x"));
  expect(rule.hits).toBe(1);
  // Without the store's word the pause would be a hundredth of this.
  expect(performance.now() - startedAt).toBeGreaterThan(1_900);
});

test("a bucket that is really deleted is missed by name", async () => {
  const day = await openStoreOverProxy(versitygw);
  await using _ = day;
  await versitygw.client().send(new DeleteBucketCommand({ Bucket: day.bucket.name }));
  const writer = await day.store.write(small);
  await writer.write(Buffer.from("x"));
  const missing = { code: "bucket-not-found", message: expect.stringContaining(day.bucket.name) as string };
  expect(await failureOf(writer.commit())).toMatchObject(missing);
  expect(await failureOf(day.store.head(small))).toMatchObject(missing);
  expect(await failureOf(collect(day.store.list("")))).toMatchObject(missing);
});

test("a user who may write to one prefix only hears which statement the policy lacks", async () => {
  const day = await openStoreOverProxy(versitygw, { asGuest: true });
  await using _ = day;
  await day.bucket.allowGuest([
    { actions: ["s3:PutObject", "s3:GetObject"], resources: ["lc2/allowed/*"] },
    { actions: ["s3:ListBucket"], resources: [""] },
  ]);
  expect(await day.store.createIfAbsent("allowed/a", Buffer.from("x"))).toBe(true);
  const failure = await failureOf(day.store.replace("other/a", Buffer.from("x")));
  expect(failure.code).toBe("store-access-denied");
  expect(failure.message).toContain(
    `{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::${day.bucket.name}/lc2/*"}`,
  );
});

describe.each([
  ["versitygw", versitygw],
  ["minio", minio],
])("%s refuses", (_, server) => {
  test.each([
    ["a wrong secret", { AWS_SECRET_ACCESS_KEY: "not-the-secret-of-tests" }],
    ["an access key that it does not know", { AWS_ACCESS_KEY_ID: "nobody" }],
  ])("%s", async (_name, change) => {
    const bucket = await server.freshBucket();
    const way = connectTo(bucket.url, { ...server.environment, ...change });
    const failure = await failureOf(openS3Store(way).replace(small, Buffer.from("x")));
    way.close();
    expect(failure.code).toBe("store-credentials-wrong");
    expect(failure.message).toContain(server.endpoint);
    expectNoSecret(failure);
  });
});

test("a store that nobody answers for is given up soon", async () => {
  const bucket = await versitygw.freshBucket();
  const way = connectTo(bucket.urlOf({ endpoint: "http://127.0.0.1:1" }), versitygw.environment);
  const failure = await failureOf(openS3Store(way).head(small));
  way.close();
  expect(failure.code).toBe("store-unreachable");
  expect(failure.message).toMatch(/127\.0\.0\.1:1.*Check the endpoint/);
});

describe.each(["versitygw-tls", "minio-tls"] as const)("over TLS, %s", (kind) => {
  const attempt = async (change: { endpoint?: string; caFile?: string; minimumTls?: "1.3" }) => {
    const server = await useS3Server(kind);
    const bucket = await server.freshBucket();
    const { caFile = testAuthorityFile, ...rest } = change;
    const way = connectTo(bucket.urlOf({ caFile, ...rest }), server.environment);
    try {
      return await openS3Store(way).createIfAbsent(small, Buffer.from("x"));
    } finally {
      way.close();
    }
  };
  const portOf = async () => new URL((await useS3Server(kind)).endpoint).port;

  test("is trusted by the certificate that ca= names, also where TLS 1.3 is demanded", async () => {
    expect(await attempt({})).toBe(true);
    expect(await attempt({ minimumTls: "1.3" })).toBe(true);
  });

  test("is not trusted under another host name", async () => {
    const failure = await failureOf(attempt({ endpoint: `https://127.0.0.1:${await portOf()}` }));
    expect(failure.code).toBe("store-tls-failed");
    expect(failure.message).toContain("Use the host name that the certificate is for");
  });

  test("is not trusted without ca=", async () => {
    const server = await useS3Server(kind);
    const bucket = await server.freshBucket();
    const { name, server: at } = bucket;
    const url = `s3://${name}?endpoint=${encodeURIComponent(at.endpoint)}&region=${at.region}`;
    const way = connectTo(url, server.environment);
    const failure = await failureOf(openS3Store(way).head(small));
    way.close();
    expect(failure.code).toBe("store-tls-failed");
    expect(failure.message).toContain("name its certificate with ca= in the URL");
  });

  test("is not spoken to without TLS", async () => {
    const failure = await failureOf(attempt({ endpoint: `http://localhost:${await portOf()}` }));
    expect(["store-failed", "store-unreachable", "store-tls-failed"]).toContain(failure.code);
    expect(failure.message).toContain("http://localhost:");
  });
});

describe("buckets that keep versions", () => {
  test.each([
    ["with versioning", "Enabled"],
    ["with versioning suspended later", "Suspended"],
  ] as const)("%s: a deletion leaves no version behind", async (_name, status) => {
    const day = await openStoreOverProxy(minio, { bucket: { versioning: true } });
    await using _ = day;
    await day.store.replace(small, Buffer.from("one"));
    await day.store.replace(small, Buffer.from("two"));
    await minio.client().send(
      new PutBucketVersioningCommand({
        Bucket: day.bucket.name,
        VersioningConfiguration: { Status: status },
      }),
    );
    await day.store.replace(small, Buffer.from("three"));
    expect(await day.bucket.get(`lc2/${small}`)).toBe("three");
    expect(await day.store.delete(small)).toBe(true);
    const left = await minio.client().send(new ListObjectVersionsCommand({ Bucket: day.bucket.name }));
    expect([...(left.Versions ?? []), ...(left.DeleteMarkers ?? [])]).toEqual([]);
    expect(await day.store.head(small)).toBeUndefined();
  });
});

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function expectNoSecret(failure: Failure): void {
  const shown = `${failure.message} ${failure.stack ?? ""}`;
  for (const server of [versitygw, minio]) {
    expect(shown).not.toContain(server.environment["AWS_SECRET_ACCESS_KEY"]);
  }
}
