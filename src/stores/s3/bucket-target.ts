import { createHash, hash } from "node:crypto";
import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import {
  SourceError,
  type ListOptions,
  type SourceContent,
  type SourceEntry,
} from "../../core/ports/file-source.ts";
import type { FileTarget, FileWish, TargetFacts, TargetState } from "../../core/ports/file-target.ts";
import { showKey, type FileKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import type { ObjectStatement } from "./answered-facts.ts";
import { BodyMemory } from "./body-memory.ts";
import { openBucketObject, readTags } from "./bucket-source.ts";
import { ensureBucket } from "./ensure-bucket.ts";
import { headObject } from "./head-object.ts";
import { inspectBucket } from "./inspect-bucket.ts";
import { isListed, listBucket } from "./list-bucket.ts";
import { requestKey } from "./listed-key.ts";
import { MultipartWriter } from "./multipart-writer.ts";
import { toOpenedEntry } from "./object-entry.ts";
import { toHeaderLines, toHeaders } from "./object-headers.ts";
import { PartMemory } from "./part-memory.ts";
import { quickRequestsOf } from "./quick-requests.ts";
import { replaceFacts } from "./replace-facts.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isMissing, isNoBucket, s3Failure, type Deed } from "./s3-failure.ts";
import { abortUploadsOf } from "./unfinished-uploads.ts";

/** Objects up to this size are sent in one request. */
const wholeBytes = 8 << 20;
/** Of objects that are being sent, and of parts of large ones. */
const bodyMemoryBytes = 32 << 20;
const partMemoryBytes = 32 << 20;
/** What a large object holds beside the parts that are under way. */
const largeHoldBytes = 16 << 20;
/** More than the requests at once: while one is answered the next one's bytes are made ready. */
const changesAtOnce = 32;

/**
 * A bucket, or what lies below a prefix of it, as a target of a restore. `close` closes the connection. Uploads from
 * before `beganMs` are not the restore's own.
 */
export function openBucketTarget(connection: S3Connection, beganMs = 0): FileTarget {
  return new BucketTarget(connection, beganMs);
}

class BucketTarget implements FileTarget {
  readonly url: string;
  readonly keeps = {
    owners: false,
    modesAndTimes: false,
    folders: false,
    symlinks: false,
    objectFacts: true,
  };
  readonly changesAtOnce = changesAtOnce;
  readonly #way: S3Connection;
  readonly #beganMs: number;
  readonly #bodies = new BodyMemory(bodyMemoryBytes);
  readonly #parts = new PartMemory(partMemoryBytes);

  constructor(way: S3Connection, beganMs: number) {
    this.#way = way;
    this.#beganMs = beganMs;
    this.url = way.url;
  }

  inspect(): Promise<TargetState> {
    return inspectBucket(this.#way);
  }

  async *list(options: ListOptions): AsyncGenerator<readonly SourceEntry[], void, undefined> {
    try {
      yield* listBucket(this.#way, options);
    } catch (error) {
      if (!(error instanceof Failure && error.code === "bucket-not-found")) throw error;
    }
  }

  async look(key: FileKey): Promise<SourceEntry | undefined> {
    const facts = await this.#head(key);
    if (facts === undefined || !(await this.#isReallyAt(key))) return undefined;
    const tags = await this.#tagsOf(key, facts);
    return toOpenedEntry(key, facts.ContentLength ?? 0, facts, tags);
  }

  /** Stores on a file system answer for `a//b` with what they keep as `a/b`; their list tells. */
  async #isReallyAt(key: FileKey): Promise<boolean> {
    const hasOddSegments = /(?:^|\/)(?:\.{0,2}\/|\.{1,2}$)/.test(key);
    return !hasOddSegments || (await isListed(this.#way, this.#nameOf(key)));
  }

  open(key: FileKey): Promise<SourceContent> {
    return openBucketObject(this.#way, key, { sizeBytes: undefined, rangesAtOnce: 1 });
  }

  create(): Promise<void> {
    return ensureBucket(this.#way);
  }

  async writeFile(
    key: FileKey,
    pieces: AsyncIterable<Uint8Array>,
    file: TargetFacts & FileWish,
  ): Promise<void> {
    if (file.sizeBytes > wholeBytes) {
      await this.#bodies.hold(largeHoldBytes, () => this.#writeLarge(key, pieces, file));
    } else {
      await this.#bodies.hold(file.sizeBytes, () => this.#writeWhole(key, pieces, file));
    }
  }

  writeSymlink(key: FileKey): Promise<void> {
    return Promise.reject(new Error(`a bucket has no symlinks, and ${showKey(key)} was to be one`));
  }

  makeFolder(key: FileKey): Promise<boolean> {
    return Promise.reject(new Error(`a bucket has no folders, and ${showKey(key)} was to be one`));
  }

  async setFacts(key: FileKey, facts: TargetFacts): Promise<void> {
    const now = await this.#head(key);
    if (now === undefined) throw this.#changed(key);
    await replaceFacts(this.#way, this.#nameOf(key), now, facts.object);
  }

  async remove(key: FileKey): Promise<boolean> {
    const name = this.#nameOf(key);
    try {
      // Without a version: a bucket with versions keeps it behind a delete marker.
      await this.#way.client.send(new DeleteObjectCommand({ Bucket: this.#way.bucket, Key: name }));
      return true;
    } catch (error) {
      if (isMissing(error) && !isNoBucket(error)) return false;
      throw this.#failure(error, "remove", "s3:DeleteObject", name);
    }
  }

  async removeTemporary(files: readonly Pick<ManifestEntry, "key" | "sizeBytes">[]): Promise<void> {
    for (const { key, sizeBytes } of files) {
      if (sizeBytes > wholeBytes) await abortUploadsOf(this.#way, this.#nameOf(key), this.#beganMs);
    }
  }

  /** A store has made durable what it answered for. */
  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#way.close();
  }

  /** One request. The store compares the bytes with their SHA-256 before it keeps them. */
  async #writeWhole(
    key: FileKey,
    pieces: AsyncIterable<Uint8Array>,
    file: TargetFacts & FileWish,
  ): Promise<void> {
    const body = await collect(pieces, file.sizeBytes);
    if (body?.length !== file.sizeBytes || hash("sha256", body) !== file.sha256) throw this.#otherBytes(key);
    const sum = Buffer.from(file.sha256, "hex").toString("base64");
    const answer = (await this.#putQuickly(key, body, sum, file)) ?? (await this.#put(key, body, sum, file));
    if (answer.ChecksumSHA256 === undefined) return this.#readBack(key, file);
    if (answer.ChecksumSHA256 !== sum) throw this.#notKept(key, "states another SHA-256 than was sent");
    // One that was not there before is missed by whoever lists the bucket in the end; here there was one already.
    if (file.replaces) await this.#confirm(key, file.sizeBytes, answer.ETag);
  }

  /** Undefined: the client has to send it, because something is wrong or unusual. */
  async #putQuickly(key: FileKey, body: Uint8Array, sum: string, file: TargetFacts & FileWish) {
    const headers = { ...toHeaderLines(file.object), "x-amz-checksum-sha256": sum };
    const answer = await quickRequestsOf(this.#way).put(this.#nameOf(key), headers, body, file.sha256);
    if (answer === undefined) return undefined;
    answer.body.destroy();
    return { ChecksumSHA256: answer.headers["x-amz-checksum-sha256"], ETag: answer.headers["etag"] };
  }

  async #put(key: FileKey, body: Uint8Array, sum: string, file: TargetFacts & FileWish) {
    const name = this.#nameOf(key);
    const input = {
      Bucket: this.#way.bucket,
      Key: name,
      Body: body,
      ContentLength: body.length,
      ChecksumSHA256: sum,
      Sha256Hex: file.sha256,
      ...toHeaders(file.object),
    };
    return await this.#way.client.send(new PutObjectCommand(input)).catch((error: unknown) => {
      throw this.#failure(error, "write", "s3:PutObject", name);
    });
  }

  /** In parts, each with its checksum; the whole is asked for in the end. */
  async #writeLarge(
    key: FileKey,
    pieces: AsyncIterable<Uint8Array>,
    file: TargetFacts & FileWish,
  ): Promise<void> {
    const writer = new MultipartWriter(this.#way, requestKey("", key) ?? key, this.#parts, {
      headers: toHeaders(file.object),
      sizeBytes: file.sizeBytes,
    });
    const sha256 = createHash("sha256");
    try {
      for await (const piece of pieces) {
        sha256.update(piece);
        await writer.write(piece);
      }
      if (sha256.digest("hex") !== file.sha256) throw this.#otherBytes(key);
      await writer.commit();
    } catch (error) {
      await writer.abort();
      throw error;
    }
    // `commit` has compared what the store states, where it states something.
    if ((await this.#head(key))?.ChecksumCRC32 === undefined) await this.#readBack(key, file);
  }

  async #confirm(key: FileKey, sizeBytes: number, etag: string | undefined): Promise<void> {
    const now = await this.#head(key);
    if (now === undefined) throw this.#notKept(key, "says that it stored it, and has no such object");
    if (now.ContentLength !== sizeBytes)
      throw this.#notKept(key, `kept ${now.ContentLength} bytes of ${sizeBytes}`);
    if (etag !== undefined && now.ETag !== etag)
      throw this.#notKept(key, "still has what was there before, or what another program has written since");
  }

  /** A store that says nothing of a checksum may not have looked at it. */
  async #readBack(key: FileKey, file: FileWish): Promise<void> {
    const sha256 = createHash("sha256");
    const buffer = Buffer.allocUnsafe(Math.min(256 << 10, file.sizeBytes + 1));
    try {
      const content = await this.open(key);
      try {
        for (let length = await content.read(buffer); length > 0; length = await content.read(buffer))
          sha256.update(buffer.subarray(0, length));
      } finally {
        await content.close();
      }
    } catch (error) {
      if (error instanceof SourceError) throw this.#notKept(key, `cannot give it back: ${error.message}`);
      throw error;
    }
    if (sha256.digest("hex") !== file.sha256)
      throw this.#notKept(key, "gives other bytes back than were sent");
  }

  async #head(key: FileKey): Promise<ObjectStatement | undefined> {
    const name = this.#nameOf(key);
    return await headObject(this.#way, name, { checksums: true }).catch((error: unknown) => {
      throw this.#failure(error, "look at", "s3:GetObject", name);
    });
  }

  async #tagsOf(key: FileKey, facts: ObjectStatement): Promise<Record<string, string> | undefined> {
    try {
      return await readTags(this.#way, this.#nameOf(key), facts);
    } catch (cause) {
      if (!(cause instanceof SourceError)) throw cause;
      throw new Failure("store-access-denied", `${showKey(key)} in ${this.url}: ${cause.message}.`, {
        cause,
      });
    }
  }

  #nameOf(key: FileKey): string {
    const name = requestKey(this.#way.prefix, key);
    if (name !== undefined) return name;
    throw new Failure(
      "path-not-restorable",
      `${showKey(key)} cannot be restored to a bucket: its name is not UTF-8. Leave it out with --include.`,
    );
  }

  #failure(error: unknown, verb: string, action: string, key: string): Failure {
    const deed: Deed = { verb, action, key };
    return s3Failure(error, this.#way, deed);
  }

  #otherBytes(key: FileKey): Failure {
    return new Failure(
      "data-damaged",
      `What was read for ${showKey(key)} is not the content that the backup states. It was not written.`,
    );
  }

  #notKept(key: FileKey, problem: string): Failure {
    return new Failure(
      "store-failed",
      `${showKey(key)} was written to ${this.url}, and the store ${problem}. Stop what else writes there and run the ` +
        "restore again, or undo it; `lc2 repository probe` shows whether this store can be relied on.",
    );
  }

  #changed(key: FileKey): Failure {
    return new Failure(
      "restore-target-changed",
      `${showKey(key)} in ${this.url} went away while files were restored. Stop what changes the bucket and run the ` +
        "restore again, or undo it.",
    );
  }
}

/** Undefined: there are more bytes than announced. */
async function collect(
  pieces: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): Promise<Uint8Array | undefined> {
  let body: Uint8Array | undefined;
  let length = 0;
  for await (const piece of pieces) {
    // A small file comes as one piece, which is ours to keep.
    if (length === 0 && piece.length === sizeBytes) body = piece;
    else {
      const whole: Uint8Array = body ?? Buffer.allocUnsafe(sizeBytes);
      if (length + piece.length > sizeBytes) return undefined;
      whole.set(piece, length);
      body = whole;
    }
    length += piece.length;
  }
  return length === sizeBytes ? (body ?? Buffer.alloc(0)) : undefined;
}
