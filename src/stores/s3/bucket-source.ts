import { GetObjectTaggingCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import {
  SourceError,
  type FileSource,
  type LocatedObject,
  type ListOptions,
  type SourceContent,
  type SourceEntry,
} from "../../core/ports/file-source.ts";
import { releaseMemory } from "../../core/release-memory.ts";
import { showKey, type FileKey } from "../../core/repository/manifest.ts";
import { explainHead } from "./explain-head.ts";
import { isListed, listBucket } from "./list-bucket.ts";
import { requestKey } from "./listed-key.ts";
import { sortByName, toOpenedEntry } from "./object-entry.ts";
import type { ObjectAnswer } from "./quick-get-object.ts";
import { quickRequestsOf } from "./quick-requests.ts";
import { openObject, type OpenedObject } from "./read-object-bytes.ts";
import type { S3Connection } from "./s3-connection.ts";
import { sourceError } from "./source-error.ts";
import { isDenied, isMissing, isNoBucket, isNotImplemented } from "./s3-failure.ts";
import { describeError } from "./store-error.ts";

/** Larger objects are read in ranges, several at a time. */
const partBytes = 4 << 20;

/** Parts of a list that are asked for at once; of the requests some are left for the objects. */
const mostLists = 8;

/** A bucket, or what lies below a prefix of it, as a source of files. `close` closes the connection. */
export function openBucketSource(connection: S3Connection, opensAtOnce: number): FileSource {
  const requests = quickRequestsOf(connection);
  return {
    url: connection.url,
    opensAtOnce,
    list: (options: ListOptions) => listBucket(connection, options, Math.min(mostLists, opensAtOnce >> 1)),
    open: async (key, sizeBytes) => {
      const content = await openBucketObject(connection, key, { sizeBytes, rangesAtOnce: opensAtOnce });
      return Object.assign(content, { openedAtMs: requests.storeTimeMs() });
    },
    locate: (key) => locateObject(connection, key, requests.storeTimeMs()),
    // A slash is a character like any other: no key is in another one's way.
    hasRoomFor: () => true,
    close: () => connection.close(),
  };
}

const keyUnsayable = "its key is not valid UTF-8, so the store cannot be asked for it";

export interface OpenBucketOptions {
  /** Its size as far as is known; only a hint of how to read it. */
  readonly sizeBytes: number | undefined;
  /** Requests for ranges of a large object at a time. */
  readonly rangesAtOnce: number;
}

/**
 * Opens an object with all that the bucket keeps of it. What is read is one version of it, whole: where the store
 * cannot go on with that version, `read` throws a `SourceError` `changed`. Throws a `SourceError` where this
 * object is not to be had, a `Failure` where the store is not.
 */
export async function openBucketObject(
  connection: S3Connection,
  key: FileKey,
  options: OpenBucketOptions,
): Promise<SourceContent> {
  const name = requestKey(connection.prefix, key);
  if (name === undefined) throw new SourceError("unreadable", keyUnsayable);
  const inParts = (options.sizeBytes ?? 0) > partBytes;
  const opened = await request(connection, name, inParts ? { offset: 0, length: partBytes } : { offset: 0 });
  const sizeBytes = totalBytes(opened.facts);
  const facts = toOpenedEntry(key, sizeBytes, opened.facts, await readTags(connection, name, opened.facts));
  noteMissingMetadata(connection, key, opened.facts);
  const isWhole = opened.lengthBytes === sizeBytes;
  const pieces = isWhole
    ? opened.bytes
    : readRanges(connection, name, opened, sizeBytes, options.rangesAtOnce);
  return new ObjectContent(connection, name, facts, pieces);
}

async function locateObject(
  connection: S3Connection,
  key: FileKey,
  openedAtMs: number | undefined,
): Promise<LocatedObject> {
  const name = requestKey(connection.prefix, key);
  if (name === undefined) throw new SourceError("unreadable", keyUnsayable);
  const head = await connection.client
    .send(new HeadObjectCommand({ Bucket: connection.bucket, Key: name }))
    .catch(async (error: unknown) => {
      throw isMissing(error) && !(await isListed(connection, name))
        ? missingError(name, error)
        : sourceError(await explainHead(connection, error), connection, name);
    });
  const { ContentLength: sizeBytes = 0, ETag: etag, VersionId: versionId } = head;
  if (etag === undefined) throw new SourceError("unreadable", "the store states no ETag of it");
  const facts = toOpenedEntry(key, sizeBytes, head, await readTags(connection, name, head));
  noteMissingMetadata(connection, key, head);
  const origin = {
    place: connection.place,
    key: name,
    sizeBytes,
    etag,
    ...(versionId === undefined || versionId === "null" ? {} : { versionId }),
    object: facts.object ?? {},
  };
  return { facts, openedAtMs, origin };
}

const nothing = new Uint8Array();

class ObjectContent implements SourceContent {
  readonly facts: SourceEntry;
  readonly #connection: S3Connection;
  readonly #name: string;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = nothing;
  #takenBytes = 0;

  constructor(connection: S3Connection, name: string, facts: SourceEntry, pieces: AsyncIterable<Uint8Array>) {
    this.#connection = connection;
    this.#name = name;
    this.facts = facts;
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  async read(into: Uint8Array): Promise<number> {
    while (this.#takenBytes === this.#piece.length) {
      releaseMemory(this.#piece);
      [this.#piece, this.#takenBytes] = [nothing, 0];
      const next = await this.#pieces.next().catch((error: unknown) => {
        throw sourceError(error, this.#connection, this.#name);
      });
      if (next.done === true) return 0;
      this.#piece = next.value;
    }
    const taken = this.#piece.subarray(this.#takenBytes, this.#takenBytes + into.length);
    into.set(taken);
    this.#takenBytes += taken.length;
    return taken.length;
  }

  /** What was opened is one version, which does not change. */
  factsNow(): SourceEntry {
    return this.facts;
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}

/** The rest of an object whose first range is open, some ranges ahead of what is read. */
async function* readRanges(
  connection: S3Connection,
  name: string,
  first: OpenedObject,
  sizeBytes: number,
  atOnce: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const ahead: Promise<Uint8Array[]>[] = [];
  const { ETag: ifMatch, VersionId: versionId } = first.facts;
  const version = {
    ...(ifMatch === undefined || ifMatch === "" ? {} : { ifMatch }),
    ...(versionId === undefined || versionId === "null" ? {} : { versionId }),
  };
  if (Object.keys(version).length === 0) {
    await first.bytes[Symbol.asyncIterator]().return?.();
    const why =
      "the store states neither an ETag nor a version of it, so nothing tells whether all of its parts are of one object";
    throw new SourceError("unreadable", why);
  }
  let offset = first.lengthBytes;
  const fetchMore = (): void => {
    while (ahead.length < Math.min(atOnce, rangesAhead) && offset < sizeBytes) {
      const length = Math.min(partBytes, sizeBytes - offset);
      const part = openObject(connection, name, { offset, length, ...version }).then((opened) =>
        collect(opened.bytes),
      );
      part.catch(() => undefined);
      ahead.push(part);
      offset += length;
    }
  };
  fetchMore();
  yield* first.bytes;
  for (let part = ahead.shift(); part !== undefined; part = ahead.shift()) {
    const pieces = await part;
    fetchMore();
    yield* pieces;
  }
}

const rangesAhead = 2;

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return pieces;
}

async function request(
  connection: S3Connection,
  name: string,
  range: { readonly offset: number; readonly length?: number },
): Promise<OpenedObject> {
  try {
    return await openObject(connection, name, range);
  } catch (error) {
    // It is empty now, or not so large any more: there is no such range.
    if (describeError(error).status === 416) return request(connection, name, { offset: 0 });
    if (!isMissing(error) || isNoBucket(error)) throw sourceError(error, connection, name);
    if (!(await isListed(connection, name))) throw missingError(name, error);
  }
  try {
    // Made anew in between, perhaps.
    return await openObject(connection, name, { offset: 0 });
  } catch (error) {
    if (!isMissing(error) || isNoBucket(error)) throw sourceError(error, connection, name);
    throw new SourceError("unreadable", "the store lists it but says that there is no such object", error);
  }
}

/** Stores that put U+FFFD for what XML cannot hold list a key that is not the object's. */
function missingError(name: string, error: unknown): SourceError {
  if (!name.includes("\uFFFD")) return new SourceError("gone", "it is not there any more", error);
  const reason =
    "the store cannot say its key in a list (it shows U+FFFD in it), and there is no object of this key";
  return new SourceError("unreadable", reason, error);
}

function totalBytes({ ContentRange, ContentLength }: ObjectAnswer): number {
  const total = /\/(\d+)$/.exec(ContentRange ?? "")?.[1];
  return total === undefined ? (ContentLength ?? 0) : Number(total);
}

/** Undefined where it has none, or the store knows none. Throws as `openBucketObject`. */
export async function readTags(
  connection: S3Connection,
  name: string,
  { TagCount = 0, VersionId }: Pick<ObjectAnswer, "TagCount" | "VersionId">,
): Promise<Record<string, string> | undefined> {
  if (TagCount === 0) return undefined;
  const version = VersionId === undefined || VersionId === "null" ? {} : { VersionId };
  const command = new GetObjectTaggingCommand({ Bucket: connection.bucket, Key: name, ...version });
  try {
    const { TagSet = [] } = await connection.client.send(command);
    return sortByName(Object.fromEntries(TagSet.map(({ Key = "", Value = "" }) => [Key, Value])));
  } catch (error) {
    if (isDenied(error))
      throw new SourceError("unreadable", "its tags may not be read (s3:GetObjectTagging)", error);
    if (isNotImplemented(error)) return undefined;
    throw sourceError(error, connection, name);
  }
}

function noteMissingMetadata(
  connection: S3Connection,
  key: FileKey,
  { MissingMeta = 0 }: ObjectAnswer,
): void {
  if (MissingMeta === 0) return;
  connection.notice(
    `${MissingMeta} of the user metadata of ${showKey(key)} cannot be said in a header; the store leaves them out, ` +
      "so they are not in this backup.",
  );
}
