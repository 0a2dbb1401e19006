import { ListObjectsV2Command, type _Object as ListedObject } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { ListOptions, SourceEntry } from "../../core/ports/file-source.ts";
import { decodeKey, encodeKey, showKey, type FileKey } from "../../core/repository/manifest.ts";
import { decodeListedKey } from "./listed-key.ts";
import { toListedEntry } from "./object-entry.ts";
import { parseList } from "./parse-list.ts";
import { quickGetsOf } from "./quick-get.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isDenied, s3Failure } from "./s3-failure.ts";

/**
 * Lists the objects below the connection's prefix in byte order, page by page, the next page being fetched while
 * one is worked on. Of versioned buckets the current versions; what has a delete marker is not there. Memory: two
 * pages.
 *
 * Rejects with `bucket-not-found`, `store-access-denied` and what else the store says, and with
 * `listing-unreliable` when keys come out of order, twice, or from elsewhere.
 */
export async function* listBucket(
  place: S3Connection,
  options: ListOptions,
): AsyncGenerator<readonly SourceEntry[], void, undefined> {
  const check = new ListingCheck(place);
  for await (const page of readPages(place)) {
    const entries: SourceEntry[] = [];
    for (const { key, object } of page) {
      check.next(key, object);
      if (key === "") noteOwnMarker(place, object, options);
      else if (options.filter.includes(key)) entries.push(toListedEntry(key, object));
      else options.onLeftOut?.(key);
    }
    if (entries.length > 0) yield entries;
  }
}

/** Whether the store lists an object of exactly this key, whole. */
export async function isListed(place: S3Connection, key: string): Promise<boolean> {
  const answer = await requestPage(place, { Prefix: key, MaxKeys: 1 });
  return answer.objects.some((one) => one.key === encodeKey(key));
}

/** The key, whole, of the first object below the prefix, as a request says it; undefined where there is none. */
export async function listFirst(place: S3Connection): Promise<string | undefined> {
  const prefix = place.prefix === "" ? {} : { Prefix: place.prefix };
  const [first] = (await requestPage(place, { ...prefix, MaxKeys: 1 })).objects;
  return first === undefined ? undefined : decodeKey(first.key);
}

interface KeyedObject {
  /** Relative to the prefix in pages; whole otherwise. */
  readonly key: FileKey;
  readonly object: ListedObject;
}

interface Page {
  readonly objects: readonly KeyedObject[];
  readonly token: string | undefined;
}

async function* readPages(place: S3Connection): AsyncGenerator<readonly KeyedObject[], void, undefined> {
  const prefix = encodeKey(place.prefix);
  const Prefix = place.prefix === "" ? {} : { Prefix: place.prefix };
  let next: Promise<Page> | undefined = requestPage(place, Prefix);
  while (next !== undefined) {
    const { objects, token }: Page = await next;
    next = token === undefined ? undefined : requestPage(place, { ...Prefix, ContinuationToken: token });
    // It may fail while the page before it is worked on.
    next?.catch(() => undefined);
    yield objects.map(({ key, object }) => ({ key: cutPrefix(place, prefix, key), object }));
  }
}

function cutPrefix(place: S3Connection, prefix: FileKey, key: FileKey): FileKey {
  if (key.startsWith(prefix)) return key.slice(prefix.length);
  throw unreliable(place, `it was asked for what begins with ${place.prefix} and answered ${showKey(key)}`);
}

async function requestPage(place: S3Connection, page: PageRequest): Promise<Page> {
  const answer = (await quickList(place, page)) ?? (await listByClient(place, page));
  const objects = (answer.Contents ?? []).map((object) => ({
    key: decodeListedKey(object.Key ?? "", answer.EncodingType),
    object,
  }));
  if (answer.IsTruncated !== true) return { objects, token: undefined };
  const token = answer.NextContinuationToken;
  if (token !== undefined && token !== page.ContinuationToken) return { objects, token };
  throw unreliable(place, "it says that there is more and not how to ask for it");
}

interface PageRequest {
  readonly Prefix?: string;
  readonly ContinuationToken?: string;
  readonly MaxKeys?: number;
}

async function quickList(place: S3Connection, page: PageRequest): Promise<ReturnType<typeof parseList>> {
  const query: [string, string][] = [
    ["encoding-type", "url"],
    ["list-type", "2"],
  ];
  if (page.MaxKeys !== undefined) query.push(["max-keys", String(page.MaxKeys)]);
  if (page.Prefix !== undefined) query.push(["prefix", page.Prefix]);
  if (page.ContinuationToken !== undefined) query.unshift(["continuation-token", page.ContinuationToken]);
  const answer = await quickGetsOf(place).get("", query, {});
  if (answer === undefined) return undefined;
  try {
    return parseList(await readText(answer.body));
  } catch {
    return undefined; // it was cut
  }
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function listByClient(place: S3Connection, page: PageRequest) {
  const command = new ListObjectsV2Command({ Bucket: place.bucket, EncodingType: "url", ...page });
  try {
    return await place.client.send(command);
  } catch (error) {
    throw listFailure(error, place);
  }
}

/** Finds out a store whose list cannot be relied on; a merge of two lists would lose objects in silence. */
class ListingCheck {
  readonly #place: S3Connection;
  #last: FileKey | undefined;

  constructor(place: S3Connection) {
    this.#place = place;
  }

  next(key: FileKey, object: ListedObject): void {
    const last = this.#last;
    if (last !== undefined && key <= last) {
      const what = key === last ? `${showKey(key)} twice` : `${showKey(key)} after ${showKey(last)}`;
      throw unreliable(this.#place, `it names ${what}, which is not the order of bytes`);
    }
    if (object.Size === undefined || !Number.isSafeInteger(object.Size) || object.Size < 0)
      throw unreliable(this.#place, `it names ${showKey(key)} without its size`);
    this.#last = key;
  }
}

function noteOwnMarker(place: S3Connection, object: ListedObject, options: ListOptions): void {
  const what = object.Size === 0 ? "the marker of the prefix itself" : `an object of ${object.Size} bytes`;
  options.onNote?.(
    `${place.prefix} is ${what}; it lies not below the prefix, so it is not part of this backup.`,
  );
}

function listFailure(error: unknown, place: S3Connection): Failure {
  if (place.prefix === "" || !isDenied(error))
    return s3Failure(error, place, { verb: "list", action: "s3:ListBucket" });
  const statement = JSON.stringify({
    Effect: "Allow",
    Action: "s3:ListBucket",
    Resource: `arn:aws:s3:::${place.bucket}`,
    Condition: { StringLike: { "s3:prefix": `${place.prefix}*` } },
  });
  return new Failure(
    "store-access-denied",
    `The store does not allow to list what begins with ${place.prefix} in the bucket ${place.bucket}. ` +
      `Add to the policy: ${statement}`,
    { cause: error },
  );
}

function unreliable(place: S3Connection, what: string): Failure {
  return new Failure(
    "listing-unreliable",
    `The list of ${place.url} cannot be relied on: ${what}. A backup by it could miss objects in silence. ` +
      "Check the store's version and settings, and any proxy before it.",
  );
}
