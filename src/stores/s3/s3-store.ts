import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { ListObjectsV2Command, PutObjectCommand, type ListObjectsV2CommandOutput } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import { canCopyBetween, parseBucketUrl } from "../../core/files/bucket-url.ts";
import type {
  ByteRange,
  CopiedObject,
  CopyOrigin,
  ObjectStore,
  ObjectWriter,
  StoreCapability,
  StoredObject,
} from "../../core/ports/object-store.ts";
import type { ServerEncryption } from "../../core/repository/encryption.ts";
import { encodeKey } from "../../core/repository/manifest.ts";
import { assertObjectName } from "../../core/repository/object-name.ts";
import type { ObjectStatement } from "./answered-facts.ts";
import { copyWithinStore } from "./copy-within-store.ts";
import { bucketExists, bucketMissing, ensureBucket } from "./ensure-bucket.ts";
import { confirmStored, type ConfirmedObject, type SentObject } from "./confirm-stored.ts";
import { deleteAllVersions, deleteObject, keepsVersions } from "./delete-versions.ts";
import { headObject } from "./head-object.ts";
import { decodeListedKey } from "./listed-key.ts";
import { MultipartWriter } from "./multipart-writer.ts";
import { checksum, encodeCrc } from "./part-checksums.ts";
import { PartMemory } from "./part-memory.ts";
import { openObject, readFailure } from "./read-object-bytes.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isConditionFailed, isMissing, isNotImplemented, s3Failure } from "./s3-failure.ts";
import { encryptionInput, explainRefusal, statedEncryption } from "./server-encryption.ts";
import { sourceError } from "./source-error.ts";
import { isCold, statedClass, thawStep } from "./storage-class.ts";
import { describeError } from "./store-error.ts";
import { abortUpload, listUploads } from "./unfinished-uploads.ts";

/** Bytes of parts under way over all objects that are being written; a buffer that fills comes on top for each. */
const partMemoryBytes = 32 * 1024 * 1024;
const writeMark = "lc2-write";

/**
 * Objects of a repository in a bucket, below the connection's prefix. What was written is asked for again
 * before it counts. Where the store cannot create conditionally, `createIfAbsent` looks first, which is safe as
 * long as writers keep to the repository's leases; it says so once, and when a repository is made there
 * (`tryConditions`), since some stores ignore the condition in silence.
 */
export function openS3Store(way: S3Connection, options: S3StoreOptions = {}): ObjectStore {
  return new S3Store(way, options);
}

export interface S3StoreOptions {
  /**
   * How the objects of this place are to be encrypted by the store, as far as that is known already. Asked before
   * something is written, until it gives an answer that stays.
   */
  readonly encryption?: () => Promise<EncryptionAnswer>;
}

/** `none`: by no means of the store; undefined: not known yet. */
export type EncryptionAnswer = ServerEncryption | "none" | undefined;

class S3Store implements ObjectStore {
  readonly url: string;
  readonly #way: S3Connection;
  readonly #memory = new PartMemory(partMemoryBytes);
  #versions: Promise<boolean> | undefined;
  #createsConditionally = true;
  #bucketSeen = false;
  readonly #options: S3StoreOptions;
  #encryptionKnown: ServerEncryption | "none" | undefined;

  constructor(way: S3Connection, options: S3StoreOptions) {
    this.#way = way;
    this.#options = options;
    this.url = way.url;
  }

  async createPlace(): Promise<void> {
    if (this.#bucketSeen) return;
    await ensureBucket(this.#way);
    this.#bucketSeen = true;
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    let last = "";
    for await (const page of this.#pages(prefix)) {
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        const name = this.#nameOf(Key, page.EncodingType);
        // The marker that consoles make for a folder: the place itself.
        if (name === "") continue;
        assertObjectName(name);
        if (name <= last) throw this.#outOfOrder(last, name);
        last = name;
        yield { name, sizeBytes: Size ?? 0, modifiedAtMs: LastModified?.getTime() ?? 0 };
      }
    }
  }

  async *listFolders(prefix: string): AsyncIterable<string> {
    let last = "";
    for await (const page of this.#pages(prefix, "/")) {
      for (const { Prefix } of page.CommonPrefixes ?? []) {
        const name = this.#nameOf(Prefix, page.EncodingType);
        if (name <= last) throw this.#outOfOrder(last, name);
        last = name;
        yield name.slice(prefix.length, -1);
      }
    }
  }

  async *#pages(prefix: string, delimiter?: string): AsyncIterable<ListObjectsV2CommandOutput> {
    let token: string | undefined;
    for (;;) {
      const page = await this.#way.client
        .send(
          new ListObjectsV2Command({
            Bucket: this.#way.bucket,
            Prefix: this.#way.prefix + prefix,
            EncodingType: "url",
            ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
        )
        .catch((error: unknown) => {
          throw s3Failure(error, this.#way, listing);
        });
      yield page;
      if (page.IsTruncated !== true) return;
      const next = page.NextContinuationToken;
      if (next === undefined || next === token)
        throw new Failure("store-failed", `The list of ${this.url} has no end.`);
      token = next;
    }
  }

  /** Of a key that is not ours, the binary string of its bytes, which need not be UTF-8. */
  #nameOf(listed: string | undefined, encoding: string | undefined): string {
    return decodeListedKey(listed ?? "", encoding).slice(encodeKey(this.#way.prefix).length);
  }

  #outOfOrder(last: string, name: string): Failure {
    return new Failure(
      "store-failed",
      `${this.url} lists ${name} after ${last}: its lists are not in byte order of names, so they cannot be relied on. Use another store.`,
    );
  }

  listUnfinished(): AsyncIterable<StoredObject> {
    return listUploads(this.#way);
  }

  async head(name: string): Promise<StoredObject | undefined> {
    assertObjectName(name);
    const key = this.#way.prefix + name;
    const facts = await this.#look(key);
    if (facts === undefined) {
      await this.#assertBucket();
      return undefined;
    }
    this.#bucketSeen = true;
    return {
      name,
      sizeBytes: facts.ContentLength ?? 0,
      modifiedAtMs: facts.LastModified?.getTime() ?? 0,
      ...withEncryption(statedEncryption(facts)),
      ...statedClass(facts),
      ...(isCold(facts) ? { thaw: thawStep(this.#way.bucket, key) } : {}),
    };
  }

  #look(key: string): Promise<ObjectStatement | undefined> {
    return headObject(this.#way, key).catch((error: unknown) => {
      throw s3Failure(error, this.#way, { ...looking, key });
    });
  }

  /** An answer to HEAD has no words: a missing object and a missing bucket look alike. */
  async #assertBucket(): Promise<void> {
    if (this.#bucketSeen) return;
    if (!(await bucketExists(this.#way))) throw bucketMissing(this.#way);
    this.#bucketSeen = true;
  }

  async *read(name: string, range: ByteRange = { offset: 0 }): AsyncIterable<Uint8Array> {
    assertObjectName(name);
    const key = this.#way.prefix + name;
    const end = range.length === undefined ? undefined : range.offset + range.length;
    try {
      // No range of S3's says "nothing", or "from the end on".
      if (range.length === 0) return await this.#assertLength(name, range.offset);
      const opened = await openObject(this.#way, key, range).catch((error: unknown) => {
        if (describeError(error).status === 416) return undefined;
        throw error;
      });
      if (opened === undefined) return await this.#assertLength(name, end ?? range.offset);
      if (range.length !== undefined && opened.lengthBytes !== range.length) {
        await this.#assertLength(name, range.offset + range.length);
        throw new Failure(
          "store-failed",
          `${this.url} gives ${opened.lengthBytes} bytes of ${name} where ${range.length} were asked for.`,
        );
      }
      yield* opened.bytes;
    } catch (error) {
      if (isMissing(error))
        throw new Failure("backup-incomplete", `${name} is missing in ${this.url}.`, { cause: error });
      throw readFailure(error, this.#way, { verb: "read", action: "s3:GetObject", key });
    }
  }

  async #assertLength(name: string, neededBytes: number): Promise<void> {
    const found = await this.head(name);
    if (found === undefined) throw new Failure("backup-incomplete", `${name} is missing in ${this.url}.`);
    if (found.sizeBytes >= neededBytes) return;
    throw new Failure(
      "backup-incomplete",
      `${name} in ${this.url} has ${found.sizeBytes} bytes; ${neededBytes} are needed.`,
    );
  }

  async write(name: string): Promise<ObjectWriter> {
    assertObjectName(name);
    return new MultipartWriter(this.#way, name, this.#memory, {
      encryption: await this.#encryption(),
      storageClass: this.#way.place.storageClass,
    });
  }

  async createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    assertObjectName(name);
    const key = this.#way.prefix + name;
    const mark = randomBytes(12).toString("hex");
    if ((await this.head(name)) !== undefined) return false;
    const encryption = await this.#encryption();
    try {
      await this.#put(key, bytes, encryption, { [writeMark]: mark });
    } catch (error) {
      // Its own earlier try may have come through, its answer lost.
      if (isConditionFailed(error)) return (await this.#markOf(key)) === mark;
      throw s3Failure(error, this.#way, { ...writing, key });
    }
    return this.#isStillOurs(key, mark, sent(bytes, encryption));
  }

  /** Where conditions are ignored, the last of two writers is the one that counts, whatever it wrote. */
  async #isStillOurs(key: string, mark: string, object: SentObject): Promise<boolean> {
    try {
      const { metadata } = await confirmStored(this.#way, key, object);
      return (metadata[writeMark] ?? mark) === mark;
    } catch (error) {
      const there = await this.#markOf(key).catch(() => undefined);
      if (there !== undefined && there !== mark) return false;
      throw error;
    }
  }

  async tryConditions(prefix: string): Promise<void> {
    const name = `${prefix}condition`;
    assertObjectName(name);
    const key = this.#way.prefix + name;
    const encryption = await this.#encryption();
    try {
      for (let tries = 0; tries < 2; tries += 1) await this.#put(key, Buffer.from("lc2"), encryption, {});
      if (this.#createsConditionally) this.#noteWithoutConditions();
    } catch (error) {
      if (!isConditionFailed(error)) throw s3Failure(error, this.#way, { ...writing, key });
    }
    await this.#removeTried(name);
  }

  /** What a bucket locks by default stays until its time is over. */
  async #removeTried(name: string): Promise<void> {
    await this.delete(name).catch((error: unknown) => {
      if (!(error instanceof Failure) || error.code !== "object-locked") throw error;
    });
  }

  #noteWithoutConditions(): void {
    this.#createsConditionally = false;
    this.#way.notice(
      `${this.url} cannot create an object only where there is none. Two users of the repository are kept apart by its leases alone; their clocks must agree within a minute.`,
    );
  }

  async #put(
    key: string,
    bytes: Uint8Array,
    encryption: ServerEncryption | undefined,
    metadata: Record<string, string>,
  ): Promise<void> {
    const object = { ...this.#objectInput(key, bytes, encryption), Metadata: metadata };
    try {
      const condition = this.#createsConditionally ? { IfNoneMatch: "*" } : {};
      await this.#way.client.send(new PutObjectCommand({ ...object, ...condition }));
    } catch (error) {
      if (!this.#createsConditionally || !isNotImplemented(error)) throw error;
      this.#noteWithoutConditions();
      await this.#way.client.send(new PutObjectCommand(object));
    }
  }

  #objectInput(key: string, bytes: Uint8Array, encryption: ServerEncryption | undefined) {
    return {
      Bucket: this.#way.bucket,
      Key: key,
      Body: bytes,
      ContentLength: bytes.length,
      ...checksum(encodeCrc(crc32(bytes))),
      ...encryptionInput(encryption),
    };
  }

  async #markOf(key: string): Promise<string | undefined> {
    return (await this.#look(key))?.Metadata?.[writeMark];
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    assertObjectName(name);
    await this.#replace(this.#way.prefix + name, bytes, await this.#encryption());
  }

  async #replace(
    key: string,
    bytes: Uint8Array,
    encryption: ServerEncryption | undefined,
  ): Promise<ConfirmedObject> {
    try {
      await this.#way.client.send(new PutObjectCommand(this.#objectInput(key, bytes, encryption)));
    } catch (error) {
      throw s3Failure(error, this.#way, { ...writing, key });
    }
    return confirmStored(this.#way, key, sent(bytes, encryption));
  }

  async encryptBy(wanted: ServerEncryption, prefix: string): Promise<ServerEncryption> {
    const name = `${prefix}encrypted`;
    assertObjectName(name);
    const { encryption } = await this.#replace(this.#way.prefix + name, Buffer.from("lc2"), wanted).catch(
      (error: unknown) => {
        throw explainRefusal(error, this.#way, wanted);
      },
    );
    await this.#removeTried(name);
    // Where the store names the key that an alias stands for, that very key counts from now on.
    this.#encryptionKnown = encryption ?? wanted;
    return this.#encryptionKnown;
  }

  canCopyFrom(url: string): boolean {
    const from = parseBucketUrl(url);
    return "place" in from && canCopyBetween(from.place, this.#way.place);
  }

  async copyIn(
    origin: CopyOrigin,
    name: string,
    onCopied?: (sizeBytes: number) => void,
  ): Promise<CopiedObject> {
    assertObjectName(name);
    const key = this.#way.prefix + name;
    try {
      const copied = await copyWithinStore(this.#way, origin, key, {
        encryption: await this.#encryption(),
        storageClass: this.#way.place.storageClass,
        onCopied,
      });
      return { name, ...copied };
    } catch (error) {
      throw sourceError(error, this.#way, origin.key);
    }
  }

  async #encryption(): Promise<ServerEncryption | undefined> {
    this.#encryptionKnown ??=
      this.#options.encryption === undefined ? "none" : await this.#options.encryption();
    return this.#encryptionKnown === "none" ? undefined : this.#encryptionKnown;
  }

  async delete(name: string): Promise<boolean> {
    const aborted = await abortUpload(this.#way, name);
    if (aborted !== undefined) return aborted;
    assertObjectName(name);
    const key = this.#way.prefix + name;
    this.#versions ??= keepsVersions(this.#way);
    const versioned = await this.#versions.catch((error: unknown) => {
      this.#versions = undefined;
      throw error;
    });
    return versioned ? await deleteAllVersions(this.#way, key) : await deleteObject(this.#way, key);
  }

  async probe(prefix: string): Promise<readonly StoreCapability[]> {
    const { probeBucket } = await import("./probe-store.ts");
    return await probeBucket(this.#way, this.#way.prefix + prefix);
  }
}

const listing = { verb: "list", action: "s3:ListBucket" };
const looking = { verb: "look at", action: "s3:GetObject" };
const writing = { verb: "write", action: "s3:PutObject" };

const sent = (bytes: Uint8Array, encryption: ServerEncryption | undefined) => ({
  sizeBytes: bytes.length,
  checksums: [encodeCrc(crc32(bytes))],
  encryption,
});

const withEncryption = (encryption: ServerEncryption | undefined) =>
  encryption === undefined ? {} : { encryption };
