import { setTimeout as delay } from "node:timers/promises";
import { GetObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
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
}

/** An object opened for reading: what the store says of it, and its bytes. */
export interface OpenedObject {
  readonly facts: GetObjectCommandOutput;
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

function request(
  way: S3Connection,
  key: string,
  range: ObjectRange,
  from: number,
  etag = range.ifMatch,
): Promise<GetObjectCommandOutput> {
  const end = range.length === undefined ? undefined : range.offset + range.length;
  const isWhole = from === 0 && end === undefined;
  return way.client.send(
    new GetObjectCommand({
      Bucket: way.bucket,
      Key: key,
      ...(isWhole ? {} : { Range: `bytes=${from}-${end === undefined ? "" : end - 1}` }),
      ...(etag === undefined ? {} : { IfMatch: etag }),
    }),
  );
}

async function* readOn(
  way: S3Connection,
  key: string,
  range: ObjectRange,
  first: GetObjectCommandOutput,
  lengthBytes: number,
): AsyncIterable<Uint8Array> {
  const patience = new Patience(way.retry, way.hasAnswered);
  let done = 0;
  let facts: GetObjectCommandOutput | undefined = first;
  while (done < lengthBytes) {
    try {
      facts ??= await request(way, key, { ...range, length: lengthBytes }, range.offset + done, first.ETag);
      for await (const chunk of bodyOf(facts)) {
        if (done + chunk.length > lengthBytes) throw new RangeError(`${key} sent more bytes than announced`);
        done += chunk.length;
        patience.progressed();
        yield chunk;
      }
      if (done < lengthBytes) throw new CutBody(key);
    } catch (error) {
      const cut = error instanceof CutBody || classifyError(error) !== "permanent";
      const pauseMs =
        cut && !way.signal?.aborted ? patience.next(describeError(error).retryAfterMs) : undefined;
      if (pauseMs === undefined) throw error;
      facts = undefined;
      await delay(pauseMs, undefined, way.signal === undefined ? {} : { signal: way.signal });
    }
  }
}

/** The body ended before its announced length. */
class CutBody extends Error {
  constructor(key: string) {
    super(`the connection ended in the middle of ${key}`);
    this.name = "IncompleteBody";
  }
}

async function* bodyOf(facts: GetObjectCommandOutput): AsyncIterable<Uint8Array> {
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
