import { afterEach, describe, expect, test } from "vitest";
import { GetBucketVersioningCommand, HeadBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { guestCredentials, useS3Server } from "../support/s3-servers.ts";

const clients: S3Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
});

describe.each(["versitygw", "minio", "moto", "versitygw-tls", "minio-tls"] as const)("%s", (kind) => {
  test("keeps what is put into a bucket of one's own", async () => {
    const server = await useS3Server(kind);
    const bucket = await server.freshBucket();
    await bucket.put("a/b", "content");
    expect(await bucket.keys()).toEqual(["a/b"]);
    expect(await bucket.get("a/b")).toBe("content");
    await bucket.delete("a/b");
    expect(await bucket.keys()).toEqual([]);
  });

  test("gives a bucket versions, and with object lock", async () => {
    const server = await useS3Server(kind);
    for (const options of [{ versioning: true }, { objectLock: true }]) {
      const { name } = await server.freshBucket(options);
      const { Status } = await server.client().send(new GetBucketVersioningCommand({ Bucket: name }));
      expect(Status).toBe("Enabled");
    }
  });
});

test("the second user of versitygw may do what a policy allows, and no more", async () => {
  const server = await useS3Server("versitygw");
  const bucket = await server.freshBucket();
  const guest = new S3Client({
    endpoint: server.endpoint,
    region: server.region,
    forcePathStyle: true,
    credentials: guestCredentials,
  });
  clients.push(guest);
  const look = () => guest.send(new HeadBucketCommand({ Bucket: bucket.name }));
  await expect(look()).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
  await bucket.allowGuest([{ actions: ["s3:ListBucket"], resources: [""] }]);
  await expect(look()).resolves.toBeDefined();
});
