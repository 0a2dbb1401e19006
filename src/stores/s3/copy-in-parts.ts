import { UploadPartCopyCommand, type CompletedPart } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { S3Connection } from "./s3-connection.ts";

/** The most that S3 copies in one request. */
const mostBytes = 5 * 1024 ** 3;

/**
 * Makes an object the first parts of an upload under its own key, by the store itself. Gives the parts in order,
 * to be completed with the upload. Rejects with the client's errors; the object must not change meanwhile.
 */
export async function* copyInParts(
  source: {
    readonly way: S3Connection;
    readonly key: string;
    readonly sizeBytes: number;
    readonly etag: string | undefined;
  },
  uploadId: string,
): AsyncIterable<CompletedPart> {
  const { way, key, sizeBytes, etag } = source;
  let partNumber = 0;
  for (let offset = 0; offset < sizeBytes; offset += mostBytes) {
    partNumber += 1;
    const end = Math.min(sizeBytes, offset + mostBytes);
    const answer = await way.client.send(
      new UploadPartCopyCommand({
        Bucket: way.bucket,
        Key: key,
        UploadId: uploadId,
        PartNumber: partNumber,
        CopySource: `${way.bucket}/${key.split("/").map(encodeURIComponent).join("/")}`,
        CopySourceRange: `bytes=${offset}-${end - 1}`,
        ...(etag === undefined ? {} : { CopySourceIfMatch: etag }),
      }),
    );
    const part = answer.CopyPartResult;
    if (part?.ETag === undefined)
      throw new Failure("store-failed", `${way.url} copied a part of ${key} and does not say which.`);
    const sum = part.ChecksumCRC32;
    // versitygw gives that of the whole source, with its number of parts.
    const isOfPart = sum !== undefined && /^[A-Za-z0-9+/]{6}==$/.test(sum);
    yield { PartNumber: partNumber, ETag: part.ETag, ...(isOfPart ? { ChecksumCRC32: sum } : {}) };
  }
}
