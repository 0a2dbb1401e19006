import { CreateMultipartUploadCommand } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { openBucketTarget } from "../../src/stores/s3/bucket-target.ts";
import { useS3Server } from "../support/s3-servers.ts";
import { connectTo } from "../support/s3-store-over-proxy.ts";

const server = await useS3Server("versitygw");

test("a restore ends the uploads of its own files that it may have begun, and no others", async () => {
  const bucket = await server.freshBucket();
  const client = server.client();
  for (const Key of ["large", "large-other"])
    await client.send(new CreateMultipartUploadCommand({ Bucket: bucket.name, Key }));
  const files = [{ key: "large", sizeBytes: 9 << 20 }];
  const later = openBucketTarget(connectTo(bucket.url, server.environment), Date.now() + 3_600_000);
  await later.removeTemporary(files);
  await later.close();
  expect(await bucket.uploads()).toEqual(["large", "large-other"]);
  const own = openBucketTarget(connectTo(bucket.url, server.environment), Date.now() - 3_600_000);
  await own.removeTemporary(files);
  await own.close();
  expect(await bucket.uploads()).toEqual(["large-other"]);
});
