import { GetObjectTaggingCommand } from "@aws-sdk/client-s3";
import { listFirst } from "./list-bucket.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isDenied } from "./s3-failure.ts";

/**
 * Rejects as a list of the bucket would: there is none, or it may not be listed. Gives notice where its objects'
 * tags may not be read: then the store does not even say that there are some.
 */
export async function checkBucketSource(connection: S3Connection): Promise<void> {
  const key = await listFirst(connection);
  if (key === undefined) return;
  const command = new GetObjectTaggingCommand({ Bucket: connection.bucket, Key: key });
  await connection.client.send(command).catch((error: unknown) => {
    if (!isDenied(error)) return;
    connection.notice(
      `The tags of the objects in ${connection.url} may not be read, so they will not be in the backup. ` +
        `Allow s3:GetObjectTagging on arn:aws:s3:::${connection.bucket}/${connection.prefix}*.`,
    );
  });
}
