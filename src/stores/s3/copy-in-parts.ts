import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCopyCommand,
  type CompletedPart,
  type CreateMultipartUploadCommandInput,
} from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { S3Connection } from "./s3-connection.ts";

/** The most that S3 copies in one request. */
export const mostCopiedBytes = 5 * 1024 ** 3;

/** An object as the source of a copy that the store makes by itself. */
export interface CopySource {
  readonly bucket: string;
  readonly key: string;
  readonly sizeBytes: number;
  /** The copy is of exactly this state of it; else the request fails with `PreconditionFailed`. */
  readonly etag: string | undefined;
  readonly versionId?: string | undefined;
}

/** What a copying request says of its source. */
export function copySourceInput({ bucket, key, etag, versionId }: CopySource) {
  const path = `${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
  return {
    CopySource: versionId === undefined ? path : `${path}?versionId=${encodeURIComponent(versionId)}`,
    ...(etag === undefined ? {} : { CopySourceIfMatch: etag }),
  };
}

/**
 * Makes an object the first parts of an upload, by the store itself. Gives the parts in order, to be completed with
 * the upload. Rejects with the client's errors.
 */
export async function* copyInParts(
  way: S3Connection,
  source: CopySource,
  upload: { readonly key: string; readonly uploadId: string },
  mostBytes = mostCopiedBytes,
): AsyncIterable<CompletedPart> {
  let partNumber = 0;
  for (let offset = 0; offset < source.sizeBytes; offset += mostBytes) {
    partNumber += 1;
    const end = Math.min(source.sizeBytes, offset + mostBytes);
    const answer = await way.client.send(
      new UploadPartCopyCommand({
        Bucket: way.bucket,
        Key: upload.key,
        UploadId: upload.uploadId,
        PartNumber: partNumber,
        CopySourceRange: `bytes=${offset}-${end - 1}`,
        ...copySourceInput(source),
      }),
    );
    const part = answer.CopyPartResult;
    if (part?.ETag === undefined)
      throw new Failure("store-failed", `${way.url} copied a part of ${source.key} and does not say which.`);
    const sum = part.ChecksumCRC32;
    // versitygw gives that of the whole source, with its number of parts.
    const isOfPart = sum !== undefined && /^[A-Za-z0-9+/]{6}==$/.test(sum);
    yield { PartNumber: partNumber, ETag: part.ETag, ...(isOfPart ? { ChecksumCRC32: sum } : {}) };
  }
}

/**
 * A copy of an object that is too large for one request, by the store itself. Parts carry neither metadata nor tags:
 * `made` says all that the copy is to have. Leaves no upload behind. Rejects with the client's errors.
 */
export async function copyWholeInParts(
  way: S3Connection,
  source: CopySource,
  made: Omit<CreateMultipartUploadCommandInput, "Bucket" | "Key"> & { readonly key: string },
  {
    mostBytes = mostCopiedBytes,
    onCopied,
  }: { readonly mostBytes?: number; readonly onCopied?: ((sizeBytes: number) => void) | undefined } = {},
): Promise<void> {
  const { key, ...more } = made;
  const object = { Bucket: way.bucket, Key: key };
  const { UploadId = "" } = await way.client.send(new CreateMultipartUploadCommand({ ...object, ...more }));
  try {
    const parts: CompletedPart[] = [];
    for await (const part of copyInParts(way, source, { key, uploadId: UploadId }, mostBytes)) {
      parts.push(part);
      onCopied?.(Math.min(mostBytes, source.sizeBytes));
    }
    await way.client.send(
      new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts: parts } }),
    );
  } catch (error) {
    await way.client
      .send(new AbortMultipartUploadCommand({ ...object, UploadId }), way.cleaningUp())
      .catch(() => undefined);
    throw error;
  }
}
