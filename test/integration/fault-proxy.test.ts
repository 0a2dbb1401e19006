/** That each fault of the proxy is what it is named for, seen through the AWS SDK without retries. */
import { randomBytes } from "node:crypto";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startFaultProxy, type FaultProxy } from "../support/fault-proxy.ts";
import * as faults from "../support/s3-faults.ts";
import { useS3Server, type S3Server, type TestBucket } from "../support/s3-servers.ts";

let server: S3Server;
let proxy: FaultProxy;
let client: S3Client;
let bucket: TestBucket;

beforeAll(async () => {
  server = await useS3Server("versitygw");
});
beforeEach(async () => {
  bucket = await server.freshBucket();
  proxy = await startFaultProxy(server.endpoint);
  client = server.client(proxy.endpoint);
});
afterEach(async () => {
  client.destroy();
  await proxy.close();
});

const put = (Key: string, Body: string | Uint8Array = "x") =>
  client.send(new PutObjectCommand({ Bucket: bucket.name, Key, Body }));
const get = (Key: string) => client.send(new GetObjectCommand({ Bucket: bucket.name, Key }));
const list = async () => {
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: bucket.name }));
  return (Contents ?? []).map(({ Key }) => Key);
};
/** The name of the error, and the status where the server gave one. */
async function errorOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) return String(error);
  const status =
    "$metadata" in error ? (error.$metadata as { httpStatusCode?: number }).httpStatusCode : undefined;
  const code = "code" in error ? String(error.code) : error.name;
  return status === undefined ? code : `${error.name} ${status}`;
}

test("passes on what no rule holds, large bodies included", async () => {
  const body = randomBytes(9 << 20);
  await put("odd key/ä?&%#\n", body);
  const answer = await get("odd key/ä?&%#\n");
  expect(Buffer.from((await answer.Body?.transformToByteArray()) ?? []).equals(body)).toBe(true);
  expect(await list()).toEqual(["odd key/ä?&%#\n"]);
  expect(proxy.requests.map(({ operation }) => operation)).toEqual(["PutObject", "GetObject", "ListObjects"]);
});

test("a rule waits, hits so many times, and can be taken back", async () => {
  const rule = proxy.add({ operation: "PutObject", key: "a", after: 1, times: 2, fault: faults.slowDown() });
  const outcomes: string[] = [];
  for (const key of ["a1", "a2", "b", "a3", "a4"]) {
    outcomes.push(
      await put(key).then(
        () => "ok",
        () => "failed",
      ),
    );
  }
  expect(outcomes).toEqual(["ok", "failed", "ok", "failed", "ok"]);
  expect(rule.hits).toBe(2);
  const always = proxy.add({ fault: faults.accessDenied() });
  expect(await errorOf(get("a1"))).toBe("AccessDenied 403");
  always.remove();
  expect(await errorOf(get("a1"))).toBe("Error");
});

test.each([
  ["SlowDown 503", faults.slowDown(1)],
  ["TooManyRequests 429", faults.tooManyRequests(1)],
  ["InternalError 500", faults.internalError()],
  ["NoSuchKey 404", faults.noSuchKey()],
  ["NoSuchBucket 404", faults.noSuchBucket()],
  ["ExpiredToken 400", faults.expiredCredentials()],
  ["RequestTimeTooSkewed 403", faults.skewedClock()],
])("answers %s and passes nothing on", async (expected, fault) => {
  proxy.add({ fault });
  expect(await errorOf(put("a", randomBytes(3 << 20)))).toBe(expected);
  expect(await bucket.keys()).toEqual([]);
});

test("cuts a request, of which the server then keeps nothing", async () => {
  proxy.add({ fault: faults.cutRequest(100_000) });
  expect(await errorOf(put("a", randomBytes(1 << 20)))).toMatch(/ECONNRESET|EPIPE/);
  expect(await bucket.keys()).toEqual([]);
});

test("cuts an answer, after the server did what it was asked", async () => {
  proxy.add({ times: 1, fault: faults.cutResponse(0) });
  expect(await errorOf(put("a", "content"))).toBe("ECONNRESET");
  expect(await bucket.get("a")).toBe("content");

  await bucket.put("large", randomBytes(1 << 20));
  proxy.add({ operation: "GetObject", fault: faults.cutResponse(300_000) });
  const { Body } = await get("large");
  let received = 0;
  const readAll = async () => {
    for await (const piece of Body as AsyncIterable<Uint8Array>) received += piece.length;
  };
  expect(await errorOf(readAll())).toBe("ECONNRESET");
  expect(received).toBe(300_000);
});

describe("lies", () => {
  test("that something was stored", async () => {
    proxy.add({ fault: faults.keepNothing() });
    expect((await put("a", "content")).ETag).toBe('"9a0364b9e99bb480dd25e1f0284c8555"');
    expect(await bucket.keys()).toEqual([]);
  });

  test("about ETags", async () => {
    proxy.add({ fault: faults.wrongETag() });
    const lie = '"0123456789abcdef0123456789abcdef"';
    expect((await put("a")).ETag).toBe(lie);
    const head = await client.send(new HeadObjectCommand({ Bucket: bucket.name, Key: "a" }));
    expect(head.ETag).toBe(lie);
    const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: bucket.name }));
    expect(Contents?.map(({ ETag }) => ETag)).toEqual([lie]);
  });

  test("about content", async () => {
    await bucket.put("a", "content");
    proxy.add({ fault: faults.flipByte(1) });
    expect(await (await get("a")).Body?.transformToString()).toBe("cnntent");
  });

  test("in listings", async () => {
    for (const key of ["a", "b", "c"]) await bucket.put(key, "x");
    const backwards = proxy.add({ fault: faults.listBackwards() });
    expect(await list()).toEqual(["c", "b", "a"]);
    backwards.remove();
    const more = proxy.add({ fault: faults.listAlso("d") });
    expect(await list()).toEqual(["a", "b", "c", "d"]);
    more.remove();
    proxy.add({ fault: faults.hideFromListing("b") });
    expect(await list()).toEqual(["a", "c"]);
  });

  test("that a multipart upload is whole", async () => {
    const Bucket = bucket.name;
    const Key = "large";
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const Parts: { PartNumber: number; ETag: string }[] = [];
    for (const PartNumber of [1, 2]) {
      const Body = randomBytes(5 << 20);
      const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
      Parts.push({ PartNumber, ETag: ETag ?? "" });
    }
    const rule = proxy.add({ operation: "CompleteMultipartUpload", fault: faults.losePart(server.client()) });
    await client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
    );
    expect(rule.hits).toBe(1);
    const { ContentLength } = await client.send(new HeadObjectCommand({ Bucket, Key }));
    expect(ContentLength).toBe(5 << 20);
  });
});
