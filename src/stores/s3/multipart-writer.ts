import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
} from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { ObjectWriter, StoredObject } from "../../core/ports/object-store.ts";
import type { ServerEncryption } from "../../core/repository/encryption.ts";
import { copyInParts } from "./copy-in-parts.ts";
import { deleteForGood } from "./delete-versions.ts";
import type { ObjectHeaders } from "./object-headers.ts";
import type { S3Connection } from "./s3-connection.ts";
import { s3Failure, type Deed } from "./s3-failure.ts";
import { checksum, PartChecksums } from "./part-checksums.ts";
import { classInput, leastClassBytes, noteOtherClass } from "./storage-class.ts";
import type { PartMemory } from "./part-memory.ts";
import { describeError } from "./store-error.ts";
import { confirmStored, type ConfirmedObject } from "./confirm-stored.ts";
import { encryptionInput } from "./server-encryption.ts";

const firstBufferBytes = 64 * 1024;
/** Above this a whole part's buffer is taken. */
const mostGrownBytes = 1024 * 1024;
/** Objects up to this size are written in one request. */
const smallPartBytes = 8 * 1024 * 1024;
const largePartBytes = 16 * 1024 * 1024;
/** Objects of up to 8 GB are written in small parts. */
const smallParts = 1_000;

/** S3's own limit. */
const mostParts = 10_000;

export interface WriterOptions {
  /** What the bucket is to keep of the object beside its bytes. */
  readonly headers?: ObjectHeaders;
  /** How the store is to encrypt it, and to say that it did. */
  readonly encryption?: ServerEncryption | undefined;
  /** Of objects that are large enough for another class than the store's usual one to pay. */
  readonly storageClass?: string | undefined;
  /** Where it is known: an object that would need too many parts is sent in larger ones. */
  readonly sizeBytes?: number;
  /** Parts of one upload; default: S3's own limit. */
  readonly mostParts?: number;
}

/**
 * Writes an object of any size with constant memory: one request when it fits a part, else a multipart upload
 * whose parts go out while the next one fills. What the store then says of the object is compared with what
 * was sent.
 *
 * An object of unknown size that is at the end of its parts (150 GB) is completed as it is, and goes on as an
 * upload that begins with the store's own copy of it: so far, and only then, it can be seen before `commit`.
 */
export class MultipartWriter implements ObjectWriter {
  readonly #way: S3Connection;
  readonly #name: string;
  readonly #key: string;
  readonly #memory: PartMemory;
  readonly #headers: ReturnType<typeof encryptionInput> & ObjectHeaders;
  readonly #encryption: ServerEncryption | undefined;
  readonly #storageClass: string | undefined;
  readonly #leastPartBytes: number;
  readonly #checksums = new PartChecksums();
  readonly #mostParts: number;
  readonly #isGrowing: boolean;
  #parts: CompletedPart[] = [];
  readonly #flying = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #buffer: Buffer = Buffer.alloc(0);
  #filled = 0;
  #sizeBytes = 0;
  #sentBytes = 0;
  #sendsChecksums = true;
  /**
   * No hash of a part has to be signed: the store has stated the CRC-32 of one, so it compares what comes, and nobody
   * on the way can change bytes on purpose.
   */
  #spareSignedHash = false;
  /** Bytes that are in the store as an object, unfinished though it is. */
  #foldedBytes = 0;
  #uploadId: string | undefined;
  #failure: Failure | undefined;
  #state: "open" | "committed" | "aborted" = "open";

  constructor(way: S3Connection, name: string, memory: PartMemory, options: WriterOptions = {}) {
    this.#headers = { ...options.headers, ...encryptionInput(options.encryption) };
    this.#encryption = options.encryption;
    this.#storageClass = options.storageClass;
    this.#mostParts = options.mostParts ?? mostParts;
    this.#isGrowing = options.sizeBytes === undefined;
    this.#leastPartBytes = Math.ceil((options.sizeBytes ?? 0) / this.#mostParts);
    this.#way = way;
    this.#name = name;
    this.#key = way.prefix + name;
    this.#memory = memory;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#filled === this.#partBytes()) await this.#sendPart();
      this.#growBuffer(bytes.length - offset);
      const taken = Math.min(bytes.length - offset, this.#buffer.length - this.#filled);
      this.#buffer.set(bytes.subarray(offset, offset + taken), this.#filled);
      this.#filled += taken;
      offset += taken;
    }
    this.#sizeBytes += bytes.length;
  }

  async commit(): Promise<StoredObject> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#state !== "open") throw new RangeError(`${this.#name} is ${this.#state}`);
    if (this.#uploadId === undefined) await this.#putWhole();
    else await this.#complete(this.#uploadId);
    this.#state = "committed";
    this.#buffer = Buffer.alloc(0);
    const confirmed = await this.#confirm(this.#sizeBytes);
    const { etag: _etag, sha256: _sha256, metadata: _metadata, ...facts } = confirmed;
    if (this.#sizeBytes >= leastClassBytes) noteOtherClass(this.#way, this.#storageClass, facts.storageClass);
    return { name: this.#name, ...facts };
  }

  async abort(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "aborted";
    this.#buffer = Buffer.alloc(0);
    this.#stop.abort(new Failure("cancelled", `Writing ${this.#name} was given up.`));
    await Promise.allSettled(this.#flying);
    await this.#abortUpload();
    if (this.#foldedBytes > 0) await deleteForGood(this.#way, this.#key).catch(() => undefined);
  }

  #confirm(sizeBytes: number): Promise<ConfirmedObject> {
    const checksums = this.#checksums.accepted();
    return confirmStored(this.#way, this.#key, { sizeBytes, checksums, encryption: this.#encryption });
  }

  /** What cannot be aborted now (no network, killed) is found by a sweep. */
  async #abortUpload(): Promise<void> {
    if (this.#uploadId === undefined) return;
    const upload = { Bucket: this.#way.bucket, Key: this.#key, UploadId: this.#uploadId };
    await this.#way.client
      .send(new AbortMultipartUploadCommand(upload), this.#way.cleaningUp())
      .catch(() => undefined);
  }

  #partBytes(): number {
    const isLarge = this.#foldedBytes > 0 || this.#checksums.parts >= smallParts;
    const usual = isLarge ? largePartBytes : smallPartBytes;
    return Math.max(usual, this.#leastPartBytes);
  }

  /** Small objects shall not pay for a whole part. */
  #growBuffer(wantedBytes: number): void {
    if (this.#filled < this.#buffer.length) return;
    const size = Math.max(firstBufferBytes, this.#filled * 2, this.#filled + wantedBytes);
    const isSmall = this.#uploadId === undefined && size <= mostGrownBytes;
    const grown = isSmall ? Buffer.allocUnsafeSlow(size) : this.#memory.borrow(this.#partBytes());
    this.#buffer.copy(grown, 0, 0, this.#filled);
    this.#buffer = grown;
  }

  async #putWhole(): Promise<void> {
    const body = this.#buffer.subarray(0, this.#filled);
    const { sum } = this.#checksums.add(body);
    try {
      await this.#way.client.send(
        new PutObjectCommand({
          Bucket: this.#way.bucket,
          Key: this.#key,
          Body: body,
          ContentLength: body.length,
          ...checksum(sum),
          ...this.#headers,
          ...(body.length < leastClassBytes ? {} : classInput(this.#storageClass)),
        }),
      );
      if (this.#buffer.length > mostGrownBytes) this.#memory.giveBack(this.#buffer);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Hands the full buffer to a request of its own and takes a new one. */
  async #sendPart(): Promise<void> {
    const buffer = this.#buffer;
    const body = buffer.subarray(0, this.#filled);
    this.#uploadId ??= await this.#begin();
    if (this.#isGrowing && this.#checksums.parts === this.#mostParts)
      this.#uploadId = await this.#fold(this.#uploadId);
    this.#buffer = Buffer.alloc(0);
    this.#filled = 0;
    const { partNumber, sum } = this.#checksums.add(body);
    await this.#memory.takeOff(body.length, this.#flying);
    this.#sentBytes += body.length;
    const flight = this.#uploadPart(this.#uploadId, partNumber, body, sum).then((isStored) => {
      if (isStored && buffer.length > mostGrownBytes) this.#memory.giveBack(buffer);
      this.#memory.landed(body.length);
      this.#flying.delete(flight);
    });
    this.#flying.add(flight);
  }

  async #begin(): Promise<string> {
    try {
      const begun = await this.#way.client.send(
        new CreateMultipartUploadCommand({
          Bucket: this.#way.bucket,
          Key: this.#key,
          ...(this.#sendsChecksums ? { ChecksumAlgorithm: "CRC32" as const } : {}),
          ...this.#headers,
          ...classInput(this.#storageClass),
        }),
      );
      if (begun.UploadId) return begun.UploadId;
    } catch (error) {
      throw this.#fail(error);
    }
    throw this.#fail(
      new Failure("store-failed", `${this.#way.url} began an upload of ${this.#key} without an id.`),
    );
  }

  /** Whether it is stored. Never rejects: what went wrong is thrown at the next write or commit. */
  async #uploadPart(uploadId: string, partNumber: number, body: Uint8Array, sum: string): Promise<boolean> {
    const part = {
      Bucket: this.#way.bucket,
      Key: this.#key,
      UploadId: uploadId,
      PartNumber: partNumber,
      Body: body,
      ContentLength: body.length,
      ...checksum(sum),
      ...(this.#spareSignedHash ? { Sha256Hex: "UNSIGNED-PAYLOAD" } : {}),
    };
    try {
      const stored = await this.#way.client.send(new UploadPartCommand(part), {
        abortSignal: this.#abortSignal(),
      });
      if (stored.ChecksumCRC32 !== undefined && stored.ChecksumCRC32 !== sum) {
        throw new Failure(
          "store-failed",
          `${this.#way.url} stored other bytes of part ${partNumber} of ${this.#key} than were sent (CRC32 ${stored.ChecksumCRC32} instead of ${sum}).`,
        );
      }
      this.#spareSignedHash = !this.#way.isExposed && stored.ChecksumCRC32 === sum;
      this.#parts.push({
        PartNumber: partNumber,
        ETag: stored.ETag,
        ...(stored.ChecksumCRC32 === undefined || !this.#sendsChecksums ? {} : { ChecksumCRC32: sum }),
      });
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  async #complete(uploadId: string): Promise<void> {
    if (this.#filled > 0) await this.#sendPart();
    await this.#completeUpload(this.#uploadId ?? uploadId);
  }

  async #completeUpload(uploadId: string): Promise<void> {
    await Promise.all(this.#flying);
    if (this.#failure !== undefined) throw this.#failure;
    const parts = this.#parts.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    try {
      await this.#way.client.send(
        new CompleteMultipartUploadCommand({
          Bucket: this.#way.bucket,
          Key: this.#key,
          UploadId: uploadId,
          MultipartUpload: { Parts: parts },
        }),
      );
    } catch (error) {
      // The answer to an earlier try was lost: what is there now is compared with what was sent, in any case.
      const { code, attempts } = describeError(error);
      if (code !== "NoSuchUpload" || attempts < 2) throw this.#fail(error);
    }
  }

  /** Completes the upload; the id of a further one, which begins with a copy of what that made. */
  async #fold(uploadId: string): Promise<string> {
    await this.#completeUpload(uploadId);
    try {
      const { etag } = await this.#confirm(this.#sentBytes);
      this.#foldedBytes = this.#sentBytes;
      const begun = await this.#beginWithCopy(etag).catch((error: unknown) => {
        // MinIO copies into no upload that has checksums.
        if (describeError(error).status !== 400) throw error;
        return undefined;
      });
      if (begun !== undefined && this.#parts.every((part) => part.ChecksumCRC32 !== undefined)) return begun;
      await this.#abortUpload();
      this.#sendsChecksums = false;
      return await this.#beginWithCopy(etag);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  async #beginWithCopy(etag: string | undefined): Promise<string> {
    const uploadId = await this.#begin();
    this.#uploadId = uploadId;
    this.#checksums.restart();
    this.#parts = [];
    const source = { bucket: this.#way.bucket, key: this.#key, sizeBytes: this.#foldedBytes, etag };
    for await (const part of copyInParts(this.#way, source, { key: this.#key, uploadId })) {
      this.#parts.push({ ...part, PartNumber: this.#checksums.addCopied(part.ChecksumCRC32) });
    }
    return uploadId;
  }

  #abortSignal(): AbortSignal {
    const signal = this.#way.signal;
    return signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
  }

  #fail(error: unknown): Failure {
    const deed: Deed = { verb: "write", action: "s3:PutObject", key: this.#key };
    this.#failure ??= s3Failure(error, this.#way, deed);
    return this.#failure;
  }
}
