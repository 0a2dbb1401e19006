import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  type HeadObjectCommandInput,
  type HeadObjectCommandOutput,
} from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isDenied, isMissing, isNotImplemented, s3Failure } from "./s3-failure.ts";
import { describeError } from "./store-error.ts";

/** Whether deleting an object leaves versions behind. Undefined: nobody may say; then it is assumed. */
export async function keepsVersions(way: S3Connection): Promise<boolean> {
  try {
    const answer = await way.client.send(
      new GetBucketVersioningCommand({ Bucket: way.bucket }),
      way.cleaningUp(),
    );
    // Suspended: versions of earlier times are still there.
    return answer.Status !== undefined;
  } catch (error) {
    if (isNotImplemented(error)) return false;
    if (isDenied(error)) return true;
    throw s3Failure(error, way, { verb: "look at the versioning of", action: "s3:GetBucketVersioning" });
  }
}

/** Deletes an object with all that the bucket keeps of it. False when there was nothing. */
export async function deleteForGood(way: S3Connection, key: string): Promise<boolean> {
  return (await keepsVersions(way)) ? await deleteAllVersions(way, key) : await deleteObject(way, key);
}

/** Deletes the one object of a bucket without versions. False when there was none. */
export async function deleteObject(way: S3Connection, key: string): Promise<boolean> {
  const before = await lookAt(way, key);
  if (before === undefined) return false;
  await deleteVersion(way, key, undefined);
  const after = await lookAt(way, key);
  // Another one may have been made in its place at once, as with leases.
  const isSame =
    after?.ETag === before.ETag && after?.LastModified?.getTime() === before.LastModified?.getTime();
  if (after === undefined || !isSame) return true;
  throw new Failure("store-failed", `${way.url} was asked to delete ${key} and still has it.`);
}

async function lookAt(way: S3Connection, key: string): Promise<HeadObjectCommandOutput | undefined> {
  try {
    return await way.client.send(new HeadObjectCommand({ Bucket: way.bucket, Key: key }), way.cleaningUp());
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw s3Failure(error, way, { verb: "delete", action: "s3:DeleteObject", key });
  }
}

/**
 * Deletes every version and delete marker of a key. False when there was none. Rejects with `object-locked`,
 * saying until when, where one is under retention or legal hold; the others may be gone then.
 */
export async function deleteAllVersions(way: S3Connection, key: string): Promise<boolean> {
  const gone = new Set<string>();
  // A page at a time, from the start again, until nothing is left.
  for (;;) {
    const versions = await listVersions(way, key);
    if (versions.length === 0) return gone.size > 0;
    for (const versionId of versions) {
      if (gone.has(versionId)) {
        throw new Failure(
          "store-failed",
          `${way.url} was asked to delete version ${versionId} of ${key} and still has it.`,
        );
      }
      await deleteVersion(way, key, versionId);
      gone.add(versionId);
    }
  }
}

/** Versions and markers of exactly this key: they come first, because every other key of its prefix is longer. */
async function listVersions(way: S3Connection, key: string): Promise<string[]> {
  try {
    const page = await way.client.send(
      new ListObjectVersionsCommand({ Bucket: way.bucket, Prefix: key, MaxKeys: 100 }),
      way.cleaningUp(),
    );
    return [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])]
      .filter((version) => version.Key === key)
      .map((version) => version.VersionId ?? "null");
  } catch (error) {
    throw s3Failure(error, way, { verb: "list the versions of", action: "s3:ListBucketVersions" });
  }
}

async function deleteVersion(way: S3Connection, key: string, versionId: string | undefined): Promise<void> {
  try {
    await way.client.send(
      new DeleteObjectCommand({
        Bucket: way.bucket,
        Key: key,
        ...(versionId === undefined ? {} : { VersionId: versionId }),
      }),
      way.cleaningUp(),
    );
  } catch (error) {
    if (isMissing(error)) return;
    const locked = await findLock(way, key, versionId, error);
    if (locked !== undefined) throw locked;
    const action = versionId === undefined ? "s3:DeleteObject" : "s3:DeleteObjectVersion";
    throw s3Failure(error, way, { verb: "delete", action, key });
  }
}

/** What forbids the deletion, where that is retention or a hold; S3 itself only says "access denied". */
async function findLock(
  way: S3Connection,
  key: string,
  versionId: string | undefined,
  cause: unknown,
): Promise<Failure | undefined> {
  const { status, message } = describeError(cause);
  if (status !== 403 && status !== 400) return undefined;
  const object = {
    Bucket: way.bucket,
    Key: key,
    ...(versionId === undefined ? {} : { VersionId: versionId }),
  };
  const lock = await readLock(way, object);
  if (lock.isHeld) {
    return new Failure(
      "object-locked",
      `${key} in ${way.url} is under legal hold; it cannot be deleted until the hold is lifted (PutObjectLegalHold).`,
      { cause },
    );
  }
  if (lock.until !== undefined && lock.until.getTime() > Date.now()) {
    return new Failure(
      "object-locked",
      `${key} in ${way.url} is under ${lock.mode ?? "a"} retention until ${lock.until.toISOString()}; delete again after that.`,
      { cause },
    );
  }
  if (/WORM|object lock|retention/i.test(message)) {
    return new Failure(
      "object-locked",
      `${key} in ${way.url} is locked by the store: ${message.replace(/\.+$/, "")}.`,
      {
        cause,
      },
    );
  }
  return undefined;
}

interface Lock {
  readonly isHeld: boolean;
  readonly until?: Date | undefined;
  readonly mode?: string | undefined;
}

/** What HEAD does not say, for want of a right or because the store does not, is asked for by its own requests. */
async function readLock(way: S3Connection, object: HeadObjectCommandInput): Promise<Lock> {
  const facts = await way.client.send(new HeadObjectCommand(object)).catch(() => undefined);
  const hold =
    facts?.ObjectLockLegalHoldStatus ??
    (await way.client.send(new GetObjectLegalHoldCommand(object)).catch(() => undefined))?.LegalHold?.Status;
  const retention =
    facts?.ObjectLockRetainUntilDate === undefined
      ? (await way.client.send(new GetObjectRetentionCommand(object)).catch(() => undefined))?.Retention
      : { RetainUntilDate: facts.ObjectLockRetainUntilDate, Mode: facts.ObjectLockMode };
  if (retention?.RetainUntilDate !== undefined || hold === "ON") {
    return { isHeld: hold === "ON", until: retention?.RetainUntilDate, mode: retention?.Mode };
  }
  return { isHeld: false, ...(await readDefaultLock(way, facts?.LastModified)) };
}

/** Some stores keep the bucket's own rule out of what they say of an object (versitygw). */
async function readDefaultLock(way: S3Connection, storedAt: Date | undefined): Promise<Partial<Lock>> {
  const answer = await way.client
    .send(new GetObjectLockConfigurationCommand({ Bucket: way.bucket }))
    .catch(() => undefined);
  const rule = answer?.ObjectLockConfiguration?.Rule?.DefaultRetention;
  if (rule === undefined || storedAt === undefined) return {};
  const until = new Date(storedAt);
  until.setUTCFullYear(until.getUTCFullYear() + (rule.Years ?? 0));
  until.setUTCDate(until.getUTCDate() + (rule.Days ?? 0));
  return { until, mode: rule.Mode };
}
