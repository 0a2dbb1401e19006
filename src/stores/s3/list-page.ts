import { ListObjectsV2Command, type _Object as ListedObject } from "@aws-sdk/client-s3";
import { Failure } from "../../core/failure.ts";
import type { FileKey } from "../../core/repository/manifest.ts";
import { decodeListedKey } from "./listed-key.ts";
import { parseList } from "./parse-list.ts";
import { quickRequestsOf } from "./quick-requests.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isDenied, s3Failure } from "./s3-failure.ts";

export interface KeyedObject {
  /** Whole. */
  readonly key: FileKey;
  readonly object: ListedObject;
}

export interface ListPage {
  readonly objects: readonly KeyedObject[];
  /** What the delimiter cut keys short to. */
  readonly prefixes: readonly FileKey[];
  /** Asks for the next page; absent at the end. */
  readonly token: string | undefined;
}

export interface PageRequest {
  readonly Prefix?: string;
  readonly Delimiter?: string;
  readonly StartAfter?: string;
  readonly ContinuationToken?: string;
  readonly MaxKeys?: number;
}

/** One page of a list. Rejects as `listBucket`. */
export async function requestPage(place: S3Connection, page: PageRequest): Promise<ListPage> {
  const answer = (await quickList(place, page)) ?? (await listByClient(place, page));
  const objects = (answer.Contents ?? []).map((object) => ({
    key: decodeListedKey(object.Key ?? "", answer.EncodingType),
    object,
  }));
  const prefixes = (answer.CommonPrefixes ?? []).map(({ Prefix = "" }) =>
    decodeListedKey(Prefix, answer.EncodingType),
  );
  if (answer.IsTruncated !== true) return { objects, prefixes, token: undefined };
  const token = answer.NextContinuationToken;
  if (token !== undefined && token !== page.ContinuationToken) return { objects, prefixes, token };
  throw unreliable(place, "it says that there is more and not how to ask for it");
}

async function quickList(place: S3Connection, page: PageRequest): Promise<ReturnType<typeof parseList>> {
  const query: (readonly [string, string])[] = [];
  // In byte order of names.
  const add = (name: string, value: string | number | undefined): void => {
    if (value !== undefined) query.push([name, String(value)]);
  };
  add("continuation-token", page.ContinuationToken);
  add("delimiter", page.Delimiter);
  add("encoding-type", "url");
  add("list-type", 2);
  add("max-keys", page.MaxKeys);
  add("prefix", page.Prefix);
  add("start-after", page.StartAfter);
  const answer = await quickRequestsOf(place).get("", query, {});
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

export function unreliable(place: S3Connection, what: string): Failure {
  return new Failure(
    "listing-unreliable",
    `The list of ${place.url} cannot be relied on: ${what}. A backup by it could miss objects in silence. ` +
      "Check the store's version and settings, and any proxy before it.",
  );
}
