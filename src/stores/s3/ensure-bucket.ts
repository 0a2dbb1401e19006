import { CreateBucketCommand, HeadBucketCommand, type CreateBucketCommandInput } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import { explainHead } from "./explain-head.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isDenied, isNoBucket, s3Failure } from "./s3-failure.ts";
import { describeError } from "./store-error.ts";

export async function bucketExists(way: S3Connection): Promise<boolean> {
  try {
    await way.client.send(new HeadBucketCommand({ Bucket: way.bucket }));
    return true;
  } catch (error) {
    const reason = await explainHead(way, error);
    if (isNoBucket(reason)) return false;
    const { status } = describeError(reason);
    if (status === 404 && reason === error) return false;
    // Who may write below a prefix only may not ask for the bucket: then it is there.
    if (isDenied(reason) && reason === error) return true;
    throw s3Failure(reason, way, { verb: "look at", action: "s3:ListBucket" });
  }
}

/** Makes the bucket where it is missing, and says so. Idempotent. */
export async function ensureBucket(way: S3Connection): Promise<void> {
  if (await bucketExists(way)) return;
  const region = await way.region();
  // The default region is asked for by saying nothing; other stores than AWS know no regions.
  const isDefault = region === "us-east-1" || way.place.endpoint !== undefined;
  const location = { LocationConstraint: region } as NonNullable<
    CreateBucketCommandInput["CreateBucketConfiguration"]
  >;
  try {
    await way.client.send(
      new CreateBucketCommand({
        Bucket: way.bucket,
        ...(isDefault ? {} : { CreateBucketConfiguration: location }),
      }),
    );
    way.notice(`The bucket ${way.bucket} was created.`, "info");
  } catch (error) {
    const { code } = describeError(error);
    if (code === "BucketAlreadyOwnedByYou") return;
    if (code === "BucketAlreadyExists") {
      throw new Failure(
        "bucket-not-found",
        `The bucket ${way.bucket} belongs to another account. Choose another name.`,
        { cause: error },
      );
    }
    if (isDenied(error)) throw bucketMissing(way, error);
    throw s3Failure(error, way, { verb: "create", action: "s3:CreateBucket" });
  }
}

export function bucketMissing(way: S3Connection, cause?: unknown): Failure {
  const tried = cause === undefined ? "" : ", and these credentials may not make it (s3:CreateBucket)";
  return new Failure(
    "bucket-not-found",
    `There is no bucket ${way.bucket} at ${way.place.endpoint ?? "AWS"}${tried}. Check name, endpoint and region.`,
    cause === undefined ? {} : { cause },
  );
}
