import { setTimeout as delay } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import { quickGetObject, type ObjectAnswer } from "./quick-get-object.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isConditionFailed, s3Failure, type Deed } from "./s3-failure.ts";
import { classifyError, Patience } from "./s3-retry.ts";
import { describeError } from "./store-error.ts";

export interface ObjectRange {
  readonly offset: number;
  /** Default: to the end. */
  readonly length?: number;
  /** Only this state of the object; else the request fails with `PreconditionFailed`. */
  readonly ifMatch?: string;
  readonly versionId?: string;
}

/** An object opened for reading: what the store says of it, and its bytes. */
export interface OpenedObject {
  readonly facts: ObjectAnswer;
  /** Bytes that will come. */
  readonly lengthBytes: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * Opens a range of an object. A connection that is cut in the middle is taken up where it was, as long as the
 * object has not changed meanwhile (`source-changed-while-read` is for the caller to say: the error is the
 * store's own `PreconditionFailed`); a body that ends early counts as cut. Errors are the client's.
 */
export async function openObject(way: S3Connection, key: string, range: ObjectRange): Promise<OpenedObject> {
  const facts = await request(way, key, range, range.offset);
  const lengthBytes = facts.ContentLength ?? 0;
  return { facts, lengthBytes, bytes: readOn(way, key, range, facts, lengthBytes) };
}

async function request(
  way: S3Connection,
  key: string,
  range: ObjectRange,
  from: number,
  etag = range.ifMatch,
): Promise<ObjectAnswer> {
  const end = range.length === undefined ? undefined : range.offset + range.length;
  const isWhole = from === 0 && end === undefined;
  const conditions = {
    ...(isWhole ? {} : { Range: `bytes=${from}-${end === undefined ? "" : end - 1}` }),
    ...(etag === undefined ? {} : { IfMatch: etag }),
    ...(range.versionId === undefined ? {} : { VersionId: range.versionId }),
  };
  const answer =
    (await quickGetObject(way, key, conditions)) ??
    (await way.client.send(new GetObjectCommand({ Bucket: way.bucket, Key: key, ...conditions })));
  assertAsAsked(key, answer, from, etag);
  return answer;
}

/** Not every store knows ranges and conditions, and a proxy may drop them: pieces of two versions must not be one. */
function assertAsAsked(
  key: string,
  { ContentRange, ETag, Body }: ObjectAnswer,
  from: number,
  etag: string | undefined,
): void {
  const begins = Number(/^bytes (\d+)-/.exec(ContentRange ?? "bytes 0-")?.[1]);
  const isAnother = etag !== undefined && ETag !== undefined && ETag !== etag;
  if (begins === from && !isAnother) return;
  if (Body !== undefined && "destroy" in Body) Body.destroy();
  if (isAnother) throw new OtherVersion(key);
  throw new Failure(
    "store-failed",
    `The store was asked for ${key} from byte ${from} on and answers from byte ${begins} on. Check the store's version, ` +
      "and any proxy before it.",
  );
}

async function* readOn(
  way: S3Connection,
  key: string,
  range: ObjectRange,
  first: ObjectAnswer,
  lengthBytes: number,
): AsyncIterable<Uint8Array> {
  const patience = new Patience(way.retry, way.hasAnswered);
  const check = first.ContentRange === undefined ? new Checksum(key, first) : undefined;
  const on = { ...range, length: lengthBytes, ...(isVersion(first) ? { versionId: first.VersionId } : {}) };
  let done = 0;
  let facts: ObjectAnswer | undefined = first;
  while (done < lengthBytes) {
    try {
      facts ??= await request(way, key, on, range.offset + done, first.ETag);
      for await (const chunk of bodyOf(facts)) {
        if (done + chunk.length > lengthBytes) throw new RangeError(`${key} sent more bytes than announced`);
        done += chunk.length;
        patience.progressed();
        check?.add(chunk);
        yield chunk;
      }
      if (done < lengthBytes) throw new CutBody(key);
    } catch (error) {
      await pauseBeforeNext(way, patience, error);
      facts = undefined;
    }
  }
  check?.compare();
}

/** Waits until the rest may be asked for; throws the error where that would not help. */
async function pauseBeforeNext(way: S3Connection, patience: Patience, error: unknown): Promise<void> {
  const isPassing = error instanceof CutBody || classifyError(error) !== "permanent";
  const pauseMs = isPassing && !way.signal?.aborted ? patience.next(describeError(error)) : undefined;
  if (pauseMs === undefined) throw error;
  await delay(pauseMs, undefined, way.signal === undefined ? {} : { signal: way.signal });
}

/** Without versioning the store says none, or `null`, which names whatever is there. */
const isVersion = (facts: ObjectAnswer): facts is ObjectAnswer & { VersionId: string } =>
  facts.VersionId !== undefined && facts.VersionId !== "null";

/** Compares a whole object with the CRC-32 that the store keeps of it, where it does. */
class Checksum {
  readonly #key: string;
  readonly #wanted: string | undefined;
  #value = 0;

  constructor(key: string, facts: ObjectAnswer) {
    this.#key = key;
    // Of an object in parts it may be a checksum of checksums.
    const isOfAll = facts.ChecksumType === "FULL_OBJECT" || !facts.ChecksumCRC32?.includes("-");
    this.#wanted = isOfAll ? facts.ChecksumCRC32 : undefined;
  }

  add(chunk: Uint8Array): void {
    if (this.#wanted !== undefined) this.#value = crc32(chunk, this.#value);
  }

  compare(): void {
    if (this.#wanted === undefined) return;
    const found = Buffer.alloc(4);
    found.writeUInt32BE(this.#value >>> 0);
    if (found.toString("base64") !== this.#wanted) throw new Error(`checksum mismatch of ${this.#key}`);
  }
}

/** The body ended before its announced length. */
class CutBody extends Error {
  constructor(key: string) {
    super(`the connection ended in the middle of ${key}`);
    this.name = "IncompleteBody";
  }
}

/** Read as the answer that the store should have given. */
class OtherVersion extends Error {
  constructor(key: string) {
    super(`${key} was replaced while it was read`);
    this.name = "PreconditionFailed";
  }
}

async function* bodyOf(facts: ObjectAnswer): AsyncIterable<Uint8Array> {
  const body = facts.Body;
  if (body === undefined) return;
  if (!(Symbol.asyncIterator in body)) throw new TypeError("the body of an answer is no stream");
  yield* body as AsyncIterable<Uint8Array>;
}

/** As a `Failure` for people; a changed object is one that the repository's own rules forbid. */
export function readFailure(error: unknown, way: S3Connection, deed: Deed): Failure {
  if (isConditionFailed(error)) {
    return new Failure("data-damaged", `${deed.key} in ${way.url} was replaced while it was read.`, {
      cause: error,
    });
  }
  if (error instanceof Error && /checksum mismatch/i.test(error.message)) {
    return new Failure(
      "data-damaged",
      `${deed.key} in ${way.url} arrives with other bytes than the store's own checksum says.`,
      { cause: error },
    );
  }
  return s3Failure(error, way, deed);
}
