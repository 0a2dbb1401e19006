import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  GetObjectTaggingCommand,
  ListObjectsV2Command,
} from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { TargetState } from "../../core/ports/file-target.ts";
import { bucketExists } from "./ensure-bucket.ts";
import { listFirst } from "./list-bucket.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isDenied, isNotImplemented, s3Failure } from "./s3-failure.ts";

/**
 * Whether a restore can list and write here, and what of the bucket's rules concerns it. Leaves nothing: writing is
 * tried with an upload that is given up at once. Rejects where the store cannot be asked.
 */
export async function inspectBucket(way: S3Connection): Promise<TargetState> {
  if (!(await bucketExists(way))) return { state: "missing", notes: [] };
  const problem = (await listProblem(way)) ?? (await writeProblem(way));
  const notes = problem === undefined ? [...(await notesOf(way)), ...(await tagsNote(way))] : [];
  return { state: "there", notes, ...(problem === undefined ? {} : { problem }) };
}

type Problem = NonNullable<TargetState["problem"]>;

async function listProblem(way: S3Connection): Promise<Problem | undefined> {
  const command = new ListObjectsV2Command({ Bucket: way.bucket, Prefix: way.prefix, MaxKeys: 1 });
  return refusalOf(way, way.client.send(command), { verb: "list", action: "s3:ListBucket" });
}

async function writeProblem(way: S3Connection): Promise<Problem | undefined> {
  const object = { Bucket: way.bucket, Key: `${way.prefix}.lc2-probe` };
  const probe = async (): Promise<void> => {
    const { UploadId } = await way.client.send(new CreateMultipartUploadCommand(object));
    if (UploadId !== undefined)
      await way.client.send(new AbortMultipartUploadCommand({ ...object, UploadId })).catch(() => undefined);
  };
  return refusalOf(way, probe(), { verb: "write to", action: "s3:PutObject" });
}

async function refusalOf(
  way: S3Connection,
  asked: Promise<unknown>,
  deed: { readonly verb: string; readonly action: string },
): Promise<Problem | undefined> {
  try {
    await asked;
    return undefined;
  } catch (error) {
    if (isNotImplemented(error)) return undefined;
    const failure = s3Failure(error, way, deed);
    if (failure.code !== "store-access-denied") throw failure;
    return { code: failure.code, message: failure.message };
  }
}

/** Best effort: rights to ask may be missing, and not every store knows all questions. */
async function notesOf(way: S3Connection): Promise<string[]> {
  const bucket = { Bucket: way.bucket };
  const lock = await way.client
    .send(new GetObjectLockConfigurationCommand(bucket))
    .then((answer) => answer.ObjectLockConfiguration)
    .catch(ignoreRefusal);
  const versioning = await way.client.send(new GetBucketVersioningCommand(bucket)).catch(ignoreRefusal);
  const retention = lock?.Rule?.DefaultRetention;
  if (lock?.ObjectLockEnabled === "Enabled" && retention !== undefined) {
    const span = retention.Years === undefined ? `${retention.Days} days` : `${retention.Years} years`;
    return [
      `The bucket ${way.bucket} locks every object version for ${span} (${retention.Mode}): what is overwritten or ` +
        "removed, and what an undo takes back, stays as an earlier version until then and takes space.",
    ];
  }
  if (versioning?.Status !== "Enabled") return [];
  return [
    `The bucket ${way.bucket} keeps versions: what is overwritten or removed stays as an earlier version and takes space.`,
  ];
}

/** Without the right to read tags the store does not even say that there are some. */
async function tagsNote(way: S3Connection): Promise<string[]> {
  const key = await listFirst(way);
  if (key === undefined) return [];
  try {
    await way.client.send(new GetObjectTaggingCommand({ Bucket: way.bucket, Key: key }));
    return [];
  } catch (error) {
    if (!isDenied(error)) return [];
    return [
      `The tags of the objects in ${way.url} may not be read: those of objects that are replaced would be lost, and an ` +
        `undo would not bring them back. Allow s3:GetObjectTagging on arn:aws:s3:::${way.bucket}/${way.prefix}*.`,
    ];
  }
}

function ignoreRefusal(error: unknown): undefined {
  if (error instanceof Failure) throw error;
  return undefined;
}
