import type { _Object as ListedObject } from "@aws-sdk/client-s3";
import type { ListOptions, SourceEntry } from "../../core/ports/file-source.ts";
import { decodeKey, encodeKey, showKey, type FileKey } from "../../core/repository/manifest.ts";
import { requestPage, unreliable, type KeyedObject, type PageRequest } from "./list-page.ts";
import { toListedEntry } from "./object-entry.ts";
import type { S3Connection } from "./s3-connection.ts";
import { listInOrder } from "./split-list.ts";

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
  listsAtOnce = 1,
): AsyncGenerator<readonly SourceEntry[], void, undefined> {
  const check = new ListingCheck(place);
  for await (const page of readPages(place, options.filter.prefix ?? "", listsAtOnce)) {
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

/** Pages of what begins with `below`, in order, with keys relative to the connection's prefix. */
async function* readPages(
  place: S3Connection,
  below: FileKey,
  listsAtOnce: number,
): AsyncGenerator<readonly KeyedObject[], void, undefined> {
  const prefix = encodeKey(place.prefix);
  const ask = (page: PageRequest) => requestPage(place, page);
  for await (const objects of listInOrder(ask, {
    prefix: place.prefix + (decodeKey(below) ?? ""),
    listsAtOnce,
  }))
    yield objects.map(({ key, object }) => ({ key: cutPrefix(place, prefix, key), object }));
}

function cutPrefix(place: S3Connection, prefix: FileKey, key: FileKey): FileKey {
  if (key.startsWith(prefix)) return key.slice(prefix.length);
  throw unreliable(place, `it was asked for what begins with ${place.prefix} and answered ${showKey(key)}`);
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
