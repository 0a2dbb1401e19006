import { crc32 } from "node:zlib";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  UploadPartCommand,
  type PutObjectCommandInput,
} from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { StoreCapability } from "../../core/ports/object-store.ts";
import { copySourceInput } from "./copy-in-parts.ts";
import { deleteForGood } from "./delete-versions.ts";
import { checksum, encodeCrc } from "./part-checksums.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isConditionFailed, isDenied, isNotImplemented, s3Failure } from "./s3-failure.ts";
import { classifyError } from "./s3-retry.ts";
import { describeError } from "./store-error.ts";

/** One thing tried, on keys that start with `stem`; rejects with the store's own error. */
type Probe = (way: S3Connection, stem: string) => Promise<Answer>;
type Answer = readonly [answer: StoreCapability["answer"], sentence: string];

const probes: readonly (readonly [name: string, probe: Probe])[] = [
  ["conditional-create", probeConditionalCreate],
  ["conditional-replace", probeConditionalReplace],
  ["upload-checksums", probeUploadChecksums],
  ["stated-checksums", probeStatedChecksums],
  ["versioning", probeVersioning],
  ["object-lock", probeObjectLock],
  ["tags", probeTags],
  ["multipart-minimum", probeMultipartMinimum],
  ["unfinished-uploads", probeUnfinishedUploads],
  ["server-encryption", probeServerEncryption],
  ["server-copy", probeServerCopy],
  ["storage-classes", probeStorageClasses],
  ["abort-rule", probeAbortRule],
];

/**
 * What this bucket can do beyond what every repository needs. Writes keys that start with `stem` only, and removes
 * them again with all their versions. Rejects only where the store is not to be reached at all.
 */
export async function probeBucket(way: S3Connection, stem: string): Promise<readonly StoreCapability[]> {
  const found: StoreCapability[] = [];
  try {
    for (const [name, probe] of probes) {
      way.signal?.throwIfAborted();
      const [answer, sentence] = await probe(way, stem).catch((error: unknown) => withoutAnswer(error, way));
      found.push({ name, answer, sentence });
    }
    return found;
  } finally {
    await removeAll(way, stem);
  }
}

function withoutAnswer(error: unknown, way: S3Connection): Answer {
  if (classifyError(error) !== "permanent")
    throw s3Failure(error, way, { verb: "try out", action: "s3:PutObject" });
  const { code, message, status } = describeError(error);
  if (isNotImplemented(error)) return ["no", "The store does not know this request."];
  if (isDenied(error)) return ["unknown", "These credentials may not ask for it."];
  return ["unknown", `The store answers ${code === message ? `HTTP ${status}` : `${code}: ${message}`}.`];
}

async function put(way: S3Connection, key: string, more: Partial<PutObjectCommandInput> = {}) {
  return await way.client.send(
    new PutObjectCommand({
      Bucket: way.bucket,
      Key: key,
      Body: Buffer.from("lc2"),
      ContentLength: 3,
      ...more,
    }),
  );
}

const look = (way: S3Connection, key: string) =>
  way.client.send(new HeadObjectCommand({ Bucket: way.bucket, Key: key }));

/** True where the store refuses as it should. */
async function refuses(request: Promise<unknown>, isRefusal: (error: unknown) => boolean): Promise<boolean> {
  try {
    await request;
    return false;
  } catch (error) {
    if (isRefusal(error)) return true;
    throw error;
  }
}

async function probeConditionalCreate(way: S3Connection, stem: string): Promise<Answer> {
  const key = `${stem}created`;
  const create = () => put(way, key, { IfNoneMatch: "*" });
  try {
    await create();
    if (await refuses(create(), isConditionFailed))
      return [
        "yes",
        "Of two that create the same object one is refused, so a backup is sealed by exactly one.",
      ];
  } catch (error) {
    if (!isNotImplemented(error)) throw error;
  }
  return ["no", withoutConditions];
}

const withoutConditions =
  "A second create of the same object is not refused. Backups are sealed under the repository's lease instead; " +
  "never let two installations whose clocks disagree by more than a minute write here.";

async function probeConditionalReplace(way: S3Connection, stem: string): Promise<Answer> {
  const key = `${stem}condition`;
  await put(way, key);
  const refused = await refuses(
    put(way, key, { IfMatch: '"00000000000000000000000000000000"' }),
    isConditionFailed,
  );
  return refused
    ? ["yes", "A replacement on the condition that nobody was faster is refused when somebody was."]
    : ["no", "Conditions on a replacement are ignored. Nothing here depends on them."];
}

async function probeUploadChecksums(way: S3Connection, stem: string): Promise<Answer> {
  const refused = await refuses(put(way, `${stem}checksum`, { ChecksumCRC32: "AAAAAA==" }), (error) => {
    const { status } = describeError(error);
    return status === 400;
  });
  return refused
    ? ["yes", "Bytes that were damaged on their way are refused by the store."]
    : [
        "no",
        "Bytes with a wrong checksum are accepted: damage on the way to the store shows only when they are read.",
      ];
}

async function probeStatedChecksums(way: S3Connection, stem: string): Promise<Answer> {
  const key = `${stem}stated`;
  const sum = encodeCrc(crc32(Buffer.from("lc2")));
  await put(way, key, checksum(sum));
  const head = new HeadObjectCommand({ Bucket: way.bucket, Key: key, ChecksumMode: "ENABLED" });
  return (await way.client.send(head)).ChecksumCRC32 === sum
    ? [
        "yes",
        "The store states the CRC32 of what it keeps, which is compared with what was sent after each write.",
      ]
    : [
        "no",
        "The store states no CRC32 of what it keeps: each write is confirmed by its size, and by the SHA-256 when it is read.",
      ];
}

async function probeVersioning(way: S3Connection): Promise<Answer> {
  const { Status } = await way.client.send(new GetBucketVersioningCommand({ Bucket: way.bucket }));
  if (Status === "Enabled")
    return ["yes", "Versions are kept. Deleting a backup deletes every version of its objects, one by one."];
  if (Status === "Suspended")
    return ["no", "Versioning is suspended; versions of earlier times are deleted with their objects."];
  return ["no", "No versions are kept: an object that is overwritten or deleted is gone."];
}

async function probeObjectLock(way: S3Connection): Promise<Answer> {
  try {
    const answer = await way.client.send(new GetObjectLockConfigurationCommand({ Bucket: way.bucket }));
    const retention = answer.ObjectLockConfiguration?.Rule?.DefaultRetention;
    if (answer.ObjectLockConfiguration?.ObjectLockEnabled !== "Enabled") return noLock;
    if (retention === undefined)
      return [
        "yes",
        "Objects can be locked; none is by default. A deletion of a locked one says until when.",
      ];
    const time =
      retention.Days === undefined ? `${retention.Years ?? "some"} years` : `${retention.Days} days`;
    return [
      "yes",
      `Every object is locked for ${time} (${retention.Mode ?? "mode unknown"}): nothing, not even what this probe wrote, can be deleted before.`,
    ];
  } catch (error) {
    if (describeError(error).code === "ObjectLockConfigurationNotFoundError") return noLock;
    throw error;
  }
}

const noLock: Answer = ["no", "Objects cannot be locked: whoever may delete may delete at once."];

async function probeTags(way: S3Connection, stem: string): Promise<Answer> {
  const key = `${stem}tags`;
  await put(way, key, { Tagging: "lc2=probe" });
  const kept = await way.client.send(new GetObjectTaggingCommand({ Bucket: way.bucket, Key: key }));
  return kept.TagSet?.some((tag) => tag.Key === "lc2" && tag.Value === "probe")
    ? ["yes", "Tags of objects are kept."]
    : ["no", "Tags of objects are lost: files restored into this store have none."];
}

async function probeMultipartMinimum(way: S3Connection, stem: string): Promise<Answer> {
  const object = { Bucket: way.bucket, Key: `${stem}parts` };
  const { UploadId } = await way.client.send(new CreateMultipartUploadCommand(object));
  if (UploadId === undefined) return ["unknown", "The store began an upload without an id."];
  const upload = { ...object, UploadId };
  const Parts: { PartNumber: number; ETag: string }[] = [];
  for (const PartNumber of [1, 2]) {
    const part = new UploadPartCommand({ ...upload, PartNumber, Body: Buffer.from("x"), ContentLength: 1 });
    Parts.push({ PartNumber, ETag: (await way.client.send(part)).ETag ?? "" });
  }
  try {
    await way.client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
    return ["no", "Parts of any size are accepted."];
  } catch (error) {
    await way.client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    if (describeError(error).code !== "EntityTooSmall") throw error;
    return ["yes", "Parts below 5 MiB are refused, as at AWS; ours have 8 MiB and more."];
  }
}

async function probeUnfinishedUploads(way: S3Connection, stem: string): Promise<Answer> {
  const object = { Bucket: way.bucket, Key: `${stem}parts` };
  const { UploadId } = await way.client.send(new CreateMultipartUploadCommand(object));
  const listed = await way.client.send(
    new ListMultipartUploadsCommand({ Bucket: way.bucket, Prefix: way.prefix }),
  );
  const isListed = listed.Uploads?.some((upload) => upload.UploadId === UploadId) === true;
  await way.client.send(new AbortMultipartUploadCommand({ ...object, UploadId })).catch(() => undefined);
  return isListed
    ? ["yes", "Unfinished uploads are listed, so a sweep finds and aborts those of dead processes."]
    : [
        "no",
        "Unfinished uploads are not listed by prefix, so a sweep does not find those of dead processes: the store must abort them itself (MinIO does after a day), or a lifecycle rule must.",
      ];
}

async function probeServerEncryption(way: S3Connection, stem: string): Promise<Answer> {
  const key = `${stem}encrypted`;
  await put(way, key, { ServerSideEncryption: "AES256" });
  const stated = (await look(way, key)).ServerSideEncryption;
  return stated === undefined
    ? [
        "no",
        "Encryption by the store was asked for, and it does not say that it was done. Ours is done before bytes leave.",
      ]
    : [
        "yes",
        `The store says of an object that it is encrypted (${stated}). Ours is done before bytes leave in any case.`,
      ];
}

async function probeServerCopy(way: S3Connection, stem: string): Promise<Answer> {
  await put(way, `${stem}original`);
  const source = { bucket: way.bucket, key: `${stem}original`, sizeBytes: 3, etag: undefined };
  const object = { Bucket: way.bucket, Key: `${stem}copied` };
  await way.client.send(new CopyObjectCommand({ ...object, ...copySourceInput(source) }));
  return (await look(way, object.Key)).ContentLength === 3
    ? ["yes", "The store copies objects by itself."]
    : ["no", "A copy made by the store differs from its original."];
}

async function probeStorageClasses(way: S3Connection, stem: string): Promise<Answer> {
  // There it is known, and each try is charged for a month.
  if (way.place.endpoint === undefined) return ["yes", "All of AWS's."];
  const key = `${stem}class`;
  const refused = await refuses(
    put(way, key, { StorageClass: "STANDARD_IA" }),
    (error) => describeError(error).status === 400,
  );
  if (refused) return ["no", "There is one storage class."];
  return (await look(way, key)).StorageClass === "STANDARD_IA"
    ? ["yes", "Storage classes are kept."]
    : ["no", "Storage classes are accepted and ignored."];
}

async function probeAbortRule(way: S3Connection): Promise<Answer> {
  const none: Answer = [
    "no",
    "Nothing in the bucket aborts unfinished uploads by itself; `lc2 repository sweep` does.",
  ];
  try {
    const answer = await way.client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: way.bucket }));
    const rules = (answer.Rules ?? []).filter((rule) => rule.Status === "Enabled");
    const days = rules
      .map((rule) => rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation ?? 0)
      .find(Boolean);
    if (rules.some((rule) => rule.Expiration !== undefined))
      return [
        "unknown",
        "A lifecycle rule of the bucket deletes objects by their age: see that it spares the repository.",
      ];
    return days === undefined ? none : ["yes", `Unfinished uploads are aborted after ${days} days.`];
  } catch (error) {
    if (describeError(error).code === "NoSuchLifecycleConfiguration") return none;
    throw error;
  }
}

/** Also the upload of a probe that was stopped in its middle. */
async function removeAll(way: S3Connection, stem: string): Promise<void> {
  const uploads = await way.client
    .send(new ListMultipartUploadsCommand({ Bucket: way.bucket, Prefix: stem }), way.cleaningUp())
    .catch(() => undefined);
  for (const { Key, UploadId } of uploads?.Uploads ?? []) {
    const upload = new AbortMultipartUploadCommand({ Bucket: way.bucket, Key, UploadId });
    await way.client.send(upload, way.cleaningUp()).catch(() => undefined);
  }
  for (const name of written) {
    const key = `${stem}${name}`;
    await deleteForGood(way, key).catch((error: unknown) => {
      // Locked by default, which was said.
      if (!(error instanceof Failure) || error.code !== "object-locked") throw error;
    });
  }
}

const written = [
  "created",
  "condition",
  "checksum",
  "stated",
  "tags",
  "parts",
  "encrypted",
  "original",
  "copied",
  "class",
];
