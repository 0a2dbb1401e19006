import { ListObjectsV2Command, type _Object as ListedObject } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { ListOptions, SourceEntry } from "../../core/ports/file-source.ts";
import { decodeKey, encodeKey, showKey, type FileKey } from "../../core/repository/manifest.ts";
import { decodeListedKey } from "./listed-key.ts";
import { toListedEntry } from "./object-entry.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isDenied, s3Failure } from "./s3-failure.ts";

/** What a listing needs of a connection. */
export type ListedPlace = Pick<S3Connection, "client" | "bucket" | "prefix" | "place" | "url" | "signal">;

/**
 * Lists the objects below the connection's prefix in byte order, page by page, the next page being fetched while
 * one is worked on. Of versioned buckets the current versions; what has a delete marker is not there. Memory: two
 * pages.
 *
 * Rejects with `bucket-not-found`, `store-access-denied` and what else the store says, and with
 * `listing-unreliable` when keys come out of order, twice, or from elsewhere.
 */
export async function* listBucket(
  place: ListedPlace,
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
export async function isListed(place: ListedPlace, key: string): Promise<boolean> {
  const answer = await requestPage(place, { Prefix: key, MaxKeys: 1 });
  return answer.objects.some((one) => one.key === encodeKey(key));
}

/** The key, whole, of the first object below the prefix, as a request says it; undefined where there is none. */
export async function listFirst(place: ListedPlace): Promise<string | undefined> {
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

async function* readPages(place: ListedPlace): AsyncGenerator<readonly KeyedObject[], void, undefined> {
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

function cutPrefix(place: ListedPlace, prefix: FileKey, key: FileKey): FileKey {
  if (key.startsWith(prefix)) return key.slice(prefix.length);
  throw unreliable(place, `it was asked for what begins with ${place.prefix} and answered ${showKey(key)}`);
}

async function requestPage(
  place: ListedPlace,
  page: { Prefix?: string; ContinuationToken?: string; MaxKeys?: number },
): Promise<Page> {
  const command = new ListObjectsV2Command({ Bucket: place.bucket, EncodingType: "url", ...page });
  const answer = await place.client.send(command).catch((error: unknown) => {
    throw listFailure(error, place);
  });
  const objects = (answer.Contents ?? []).map((object) => ({
    key: decodeListedKey(object.Key ?? "", answer.EncodingType),
    object,
  }));
  if (answer.IsTruncated !== true) return { objects, token: undefined };
  const token = answer.NextContinuationToken;
  if (token !== undefined && token !== page.ContinuationToken) return { objects, token };
  throw unreliable(place, "it says that there is more and not how to ask for it");
}

/** Finds out a store whose list cannot be relied on; a merge of two lists would lose objects in silence. */
class ListingCheck {
  readonly #place: ListedPlace;
  #last: FileKey | undefined;

  constructor(place: ListedPlace) {
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

function noteOwnMarker(place: ListedPlace, object: ListedObject, options: ListOptions): void {
  const what = object.Size === 0 ? "the marker of the prefix itself" : `an object of ${object.Size} bytes`;
  options.onNote?.(
    `${place.prefix} is ${what}; it lies not below the prefix, so it is not part of this backup.`,
  );
}

function listFailure(error: unknown, place: ListedPlace): Failure {
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

function unreliable(place: ListedPlace, what: string): Failure {
  return new Failure(
    "listing-unreliable",
    `The list of ${place.url} cannot be relied on: ${what}. A backup by it could miss objects in silence. ` +
      "Check the store's version and settings, and any proxy before it.",
  );
}
