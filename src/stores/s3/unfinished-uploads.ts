import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type ListMultipartUploadsCommandOutput,
} from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { StoredObject } from "../../core/ports/object-store.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isMissing, isNotImplemented, s3Failure } from "./s3-failure.ts";
import { describeError } from "./store-error.ts";

/** Between an unfinished object's name and the id of its upload. */
const uploadMark = ".lc2-upload-";

/**
 * Uploads below the place that were begun and neither completed nor aborted, each under a name that says which.
 * Nothing where the store does not list them (MinIO lists those of a whole key only, and aborts them by itself).
 */
export async function* listUploads(way: S3Connection): AsyncIterable<StoredObject> {
  for await (const page of uploadPages(way)) {
    for (const { Key = "", UploadId = "", Initiated } of page.Uploads ?? []) {
      if (!Key.startsWith(way.prefix)) continue;
      yield {
        name: `${Key.slice(way.prefix.length)}${uploadMark}${Buffer.from(UploadId).toString("base64url")}`,
        sizeBytes: await uploadedBytes(way, Key, UploadId),
        modifiedAtMs: Initiated?.getTime() ?? 0,
      };
    }
  }
}

/** Aborts the upload of a name that `listUploads` gave; undefined where this is no such name, false where it is gone. */
export async function abortUpload(way: S3Connection, name: string): Promise<boolean | undefined> {
  const at = name.lastIndexOf(uploadMark);
  if (at <= 0) return undefined;
  const key = way.prefix + name.slice(0, at);
  const UploadId = Buffer.from(name.slice(at + uploadMark.length), "base64url").toString();
  try {
    await way.client.send(new AbortMultipartUploadCommand({ Bucket: way.bucket, Key: key, UploadId }));
    return true;
  } catch (error) {
    if (describeError(error).code === "NoSuchUpload" || isMissing(error)) return false;
    throw s3Failure(error, way, { verb: "abort an upload of", action: "s3:AbortMultipartUpload", key });
  }
}

/** Aborts the uploads of exactly this key that were begun at a time or later. Nothing where there is no bucket. */
export async function abortUploadsOf(way: S3Connection, key: string, sinceMs: number): Promise<void> {
  const found: string[] = [];
  try {
    for await (const { Uploads = [] } of uploadPages(way, key)) {
      for (const { Key, UploadId, Initiated } of Uploads)
        if (Key === key && UploadId !== undefined && (Initiated?.getTime() ?? 0) >= sinceMs)
          found.push(UploadId);
    }
  } catch (error) {
    if (error instanceof Failure && error.code === "bucket-not-found") return;
    throw error;
  }
  for (const UploadId of found) {
    await way.client
      .send(new AbortMultipartUploadCommand({ Bucket: way.bucket, Key: key, UploadId }))
      .catch((error: unknown) => {
        if (describeError(error).code === "NoSuchUpload" || isMissing(error)) return;
        throw s3Failure(error, way, {
          verb: "end an unfinished upload of",
          action: "s3:AbortMultipartUpload",
          key,
        });
      });
  }
}

async function* uploadPages(
  way: S3Connection,
  prefix = way.prefix,
): AsyncIterable<ListMultipartUploadsCommandOutput> {
  let from: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (;;) {
    const page = await listPage(way, prefix, from);
    if (page === undefined) return;
    yield page;
    const { NextKeyMarker, NextUploadIdMarker } = page;
    if (page.IsTruncated !== true || NextKeyMarker === undefined) return;
    if (NextKeyMarker === from.KeyMarker && NextUploadIdMarker === from.UploadIdMarker)
      throw new Failure("store-failed", `The list of unfinished uploads of ${way.url} has no end.`);
    from = {
      KeyMarker: NextKeyMarker,
      ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }),
    };
  }
}

async function listPage(
  way: S3Connection,
  prefix: string,
  from: { readonly KeyMarker?: string; readonly UploadIdMarker?: string },
): Promise<ListMultipartUploadsCommandOutput | undefined> {
  try {
    return await way.client.send(
      new ListMultipartUploadsCommand({ Bucket: way.bucket, Prefix: prefix, ...from }),
    );
  } catch (error) {
    if (isNotImplemented(error)) return undefined;
    const deed = { verb: "list the unfinished uploads of", action: "s3:ListBucketMultipartUploads" };
    throw s3Failure(error, way, deed);
  }
}

/** Of the first thousand parts; only a figure for people. */
async function uploadedBytes(way: S3Connection, key: string, uploadId: string): Promise<number> {
  const upload = { Bucket: way.bucket, Key: key, UploadId: uploadId };
  const parts = await way.client.send(new ListPartsCommand(upload)).catch(() => undefined);
  return (parts?.Parts ?? []).reduce((total, part) => total + (part.Size ?? 0), 0);
}
