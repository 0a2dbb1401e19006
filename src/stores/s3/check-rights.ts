import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { missing, ok, policyStatement, type RightCheck } from "../../core/environment/environment-check.ts";
import { Failure } from "../../core/failure.ts";
import { listFirst } from "./list-bucket.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isNotImplemented, s3Failure } from "./s3-failure.ts";

interface Right {
  readonly action: string;
  readonly scope: "bucket" | "objects";
  readonly verb: string;
  readonly tried: () => Promise<unknown>;
}

/**
 * Tries each right that is needed in a bucket, by using it: to read (`backup`), or to write as well (`restore`). What
 * it writes has the name `key`, and is removed again. What misses is an answer; rejects where the store cannot be asked.
 */
export async function checkBucketRights(
  subject: string,
  way: S3Connection,
  purpose: "backup" | "restore",
  name: string,
): Promise<RightCheck[]> {
  const rights = [
    ...readRights(way),
    ...(purpose === "restore" ? writeRights(way, `${way.prefix}${name}`) : []),
  ];
  const checks: RightCheck[] = [];
  for (const right of rights) {
    way.signal?.throwIfAborted();
    checks.push(await tryRight(subject, way, right));
  }
  return checks;
}

function readRights(way: S3Connection): Right[] {
  const bucket = { Bucket: way.bucket };
  const first = async (use: (key: string) => Promise<unknown>): Promise<unknown> => {
    const key = await listFirst(way).catch(() => undefined);
    // Nothing there: whether it could be read is not to be seen, and nothing is lost.
    return key === undefined ? undefined : await use(key);
  };
  return [
    {
      action: "s3:ListBucket",
      scope: "bucket",
      verb: "list",
      tried: async () =>
        await way.client.send(new ListObjectsV2Command({ ...bucket, Prefix: way.prefix, MaxKeys: 1 })),
    },
    {
      action: "s3:GetObject",
      scope: "objects",
      verb: "read",
      tried: async () =>
        await first(async (key) => {
          const { Body } = await way.client.send(new GetObjectCommand({ ...bucket, Key: key }));
          if (Body !== undefined && "destroy" in Body) Body.destroy();
        }),
    },
    {
      action: "s3:GetObjectTagging",
      scope: "objects",
      verb: "read the tags of",
      tried: async () =>
        await first(
          async (key) => await way.client.send(new GetObjectTaggingCommand({ ...bucket, Key: key })),
        ),
    },
  ];
}

function writeRights(way: S3Connection, Key: string): Right[] {
  const object = { Bucket: way.bucket, Key };
  const Body = Buffer.from("lc2");
  return [
    {
      action: "s3:PutObject",
      scope: "objects",
      verb: "write to",
      tried: async () =>
        await way.client.send(new PutObjectCommand({ ...object, Body, ContentLength: Body.length })),
    },
    {
      action: "s3:PutObjectTagging",
      scope: "objects",
      verb: "tag objects in",
      tried: async () =>
        await way.client.send(
          new PutObjectCommand({ ...object, Body, ContentLength: Body.length, Tagging: "lc2=check" }),
        ),
    },
    {
      action: "s3:AbortMultipartUpload",
      scope: "objects",
      verb: "end uploads in",
      tried: async () => {
        const { UploadId } = await way.client.send(new CreateMultipartUploadCommand(object));
        if (UploadId !== undefined)
          await way.client.send(new AbortMultipartUploadCommand({ ...object, UploadId }));
      },
    },
    {
      action: "s3:DeleteObject",
      scope: "objects",
      verb: "delete from",
      tried: async () => await way.client.send(new DeleteObjectCommand(object)),
    },
  ];
}

async function tryRight(
  subject: string,
  way: S3Connection,
  { action, scope, verb, tried }: Right,
): Promise<RightCheck> {
  try {
    await tried();
    return ok(subject, action);
  } catch (error) {
    if (isNotImplemented(error)) {
      return { subject, right: action, result: "unknown", message: "The store does not know this request." };
    }
    const failure = error instanceof Failure ? error : s3Failure(error, way, { verb, action });
    const remedy = failure.code === "store-access-denied" ? [policyStatement(way, [action], scope)] : [];
    return missing(subject, action, failure.message, remedy);
  }
}
