import { afterEach, describe, expect, it } from "vitest";
import { parseBucketUrl } from "../../src/core/files/bucket-url.ts";
import type { ObjectStore } from "../../src/core/ports/object-store.ts";
import { openS3, type S3Connection, type S3Options } from "../../src/stores/s3/s3-connection.ts";
import { openS3Store } from "../../src/stores/s3/s3-store.ts";
import { objectStoreContract } from "../contract/object-store.contract.ts";
import { useS3Server, type S3Server, type S3ServerKind } from "../support/s3-servers.ts";

const kinds: readonly S3ServerKind[] = ["versitygw", "minio", "moto"];
const servers = new Map<S3ServerKind, S3Server>();
for (const kind of kinds) servers.set(kind, await useS3Server(kind));

const opened: S3Connection[] = [];
afterEach(() => {
  for (const way of opened.splice(0)) way.close();
});

function server(kind: S3ServerKind): S3Server {
  const found = servers.get(kind);
  if (found === undefined) throw new Error(`${kind} was not started`);
  return found;
}

function connect(url: string, environment: Readonly<Record<string, string>>, options: S3Options = {}) {
  const parsed = parseBucketUrl(url);
  if ("problem" in parsed) throw new Error(parsed.problem);
  const way = openS3(parsed.place, environment, options);
  opened.push(way);
  return way;
}

for (const kind of kinds) {
  const freshStore = async (): Promise<ObjectStore> => {
    const bucket = await server(kind).freshBucket();
    return openS3Store(connect(bucket.urlOf({ prefix: "some/päth/" }), server(kind).environment));
  };
  objectStoreContract(kind, freshStore);
}
