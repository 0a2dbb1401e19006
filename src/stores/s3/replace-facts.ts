import { CopyObjectCommand, HeadObjectCommand, type HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { ObjectFacts } from "../../core/repository/manifest.ts";
import { toHeaders } from "./object-headers.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isConditionFailed, s3Failure, type Deed } from "./s3-failure.ts";

/**
 * Gives an object other headers, metadata and tags by copying it onto itself within the store; its bytes do not
 * travel. `now` says what it is like; one that changed since is left alone (`restore-target-changed`).
 */
export async function replaceFacts(
  way: S3Connection,
  name: string,
  now: HeadObjectCommandOutput,
  facts: ObjectFacts | undefined,
): Promise<void> {
  const deed: Deed = { verb: "set the metadata of", action: "s3:PutObject", key: name };
  const { ETag, StorageClass } = now;
  const input = {
    Bucket: way.bucket,
    Key: name,
    CopySource: `${way.bucket}/${name.split("/").map(encodeURIComponent).join("/")}`,
    MetadataDirective: "REPLACE" as const,
    TaggingDirective: "REPLACE" as const,
    ...(ETag === undefined ? {} : { CopySourceIfMatch: ETag }),
    ...(StorageClass === undefined ? {} : { StorageClass }),
    ...toHeaders(facts),
  };
  try {
    await way.client.send(new CopyObjectCommand(input));
    const after = await way.client.send(new HeadObjectCommand({ Bucket: way.bucket, Key: name }));
    if (after.ContentLength === now.ContentLength) return;
  } catch (error) {
    if (!isConditionFailed(error)) throw s3Failure(error, way, deed);
    throw new Failure(
      "restore-target-changed",
      `${name} in ${way.url} changed while files were restored. Stop what changes the bucket and run the restore again, or undo it.`,
      { cause: error },
    );
  }
  throw new Failure(
    "store-failed",
    `${name} in ${way.url} was given its metadata and has another size now. Do not rely on this store until the cause is known.`,
  );
}
