import { parseDatabaseUrl } from "../database/database-url.ts";
import { formatBucketUrl, isBucketUrl, parseBucketUrl, storeOf } from "../files/bucket-url.ts";
import { remember } from "../remember.ts";

/** Usual spellings of the machine that does the work. */
const thisMachine = /^(?:localhost|127\.0\.0\.1|::1)$/;

/** What an operation reads from or writes into. */
export interface NamedPlaces {
  readonly database?: { readonly url: string };
  readonly storage?: { readonly url: string };
}

/** One text for each database, folder or bucket that an operation works on. */
export function placesOf({ database, storage }: NamedPlaces): string[] {
  return [database, storage].flatMap((named) => (named === undefined ? [] : [placeOf(named.url)]));
}

/**
 * The place that a URL names, by its name alone: the same whoever connects, with which settings and however it is
 * spelled. Two names of one place, such as an alias of a host or a symbolic link, are two places here until somebody
 * has stood before them: see `FoundPlace`. Holds no user and no password.
 */
const placeOf = remember((url) => {
  if (isBucketUrl(url)) return bucketPlaceOf(url);
  if (/^file:/i.test(url.trim())) return folderPlaceOf(url);
  if (/^postgres/i.test(url)) return databasePlaceOf(url);
  return url.replace(/(?<=[^/])\/+$/, "");
}, 20_000);

function bucketPlaceOf(url: string): string {
  const parsed = parseBucketUrl(url);
  if (!("place" in parsed)) return url;
  const { bucket, prefix } = parsed.place;
  const store = storeOf(parsed.place);
  return formatBucketUrl({ bucket, prefix, ...(store === "" ? {} : { endpoint: store }) });
}

/** As the file system is asked for it: dots are resolved before the rest is decoded, as URLs have it. */
function folderPlaceOf(url: string): string {
  const [address = ""] = url
    .trim()
    .replaceAll(/[\t\r\n]/g, "")
    .split(/[?#]/, 1);
  const path = address.replaceAll("\\", "/").replace(/^file:(?:\/\/[^/]*)?\/?/i, "");
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    const name = segment.replaceAll(/%2e/gi, ".");
    if (name === "..") segments.pop();
    else if (name !== ".") segments.push(decode(segment));
  }
  return `file:///${segments.filter((segment) => segment !== "").join("/")}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function databasePlaceOf(url: string): string {
  const found = readDatabaseUrl(url);
  if (found === undefined) return url.replace(/^([^/]*\/\/).*@/, "$1");
  const { host = "", hostaddr = host, port = "5432", user = "", dbname = user, service } = found;
  const name = hostaddr.startsWith("/") ? hostaddr : hostaddr.toLowerCase().replace(/\.$/, "");
  const server = thisMachine.test(name) ? "localhost" : name.includes(":") ? `[${name}]` : name;
  const at = Number(port) === 5432 ? server : `${server}:${Number(port)}`;
  // A service says the rest in a file of its own.
  return `postgres://${at}/${dbname}${service === undefined ? "" : `?service=${service}`}`;
}

/** Undefined: nothing could connect with it. */
function readDatabaseUrl(url: string): Readonly<Record<string, string>> | undefined {
  try {
    return parseDatabaseUrl(url, { mayHoldPassword: true });
  } catch {
    return undefined;
  }
}

/** Whether one of two folders, or parts of buckets, is the other or lies in it. Takes what `placesOf` gives. */
export function isNested(one: string, other: string): boolean {
  const [a, b] = [readNesting(one), readNesting(other)];
  return a.store === b.store && (a.path.startsWith(b.path) || b.path.startsWith(a.path));
}

/** The path ends with a slash, so that `/srv/ab` is not in `/srv/a`. Only a bucket's has something after a `?`. */
function readNesting(place: string): { readonly path: string; readonly store: string } {
  const at = isBucketUrl(place) ? place.indexOf("?") : -1;
  const path = at < 0 ? place : place.slice(0, at);
  return { path: path.endsWith("/") ? path : `${path}/`, store: at < 0 ? "" : place.slice(at) };
}
