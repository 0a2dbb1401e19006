import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { replaceFacts } from "../../src/stores/s3/replace-facts.ts";
import type { S3Connection } from "../../src/stores/s3/s3-connection.ts";
import { failureOf } from "../support/backup-run.ts";
import { startFaultProxy, type FaultProxy } from "../support/fault-proxy.ts";
import * as faults from "../support/s3-faults.ts";
import { useS3Server, type TestBucket } from "../support/s3-servers.ts";
import { connectTo } from "../support/s3-store-over-proxy.ts";

const server = await useS3Server("versitygw");
let proxy: FaultProxy;
let bucket: TestBucket;
let way: S3Connection;

beforeAll(async () => {
  proxy = await startFaultProxy(server.endpoint);
  bucket = await server.freshBucket();
  way = connectTo(bucket.urlOf({ endpoint: proxy.endpoint }), server.environment);
});
afterAll(async () => {
  way.close();
  await proxy.close();
});

const head = () => way.client.send(new HeadObjectCommand({ Bucket: bucket.name, Key: "a" }));

test("a store that ignores the new facts of an object is found out, and one that sets them is believed", async () => {
  await bucket.put("a", "content", { ContentType: "text/plain", Metadata: { old: "1" } });
  const facts = { contentType: "text/html", metadata: { title: "greetings", owner: "me" } };
  const ignoring = proxy.add({ operation: "CopyObject", fault: faults.copyNothing() });
  const failure = await failureOf(replaceFacts(way, "a", await head(), facts));
  expect(failure.code).toBe("store-failed");
  expect(failure.message).toContain("ContentType, metadata old, metadata title, metadata owner is as before");
  ignoring.remove();
  await replaceFacts(way, "a", await head(), facts);
  expect(await head()).toMatchObject({ ContentType: "text/html", Metadata: { owner: "me" } });
});
