import { formatBucketUrl, storeOf, type BucketPlace } from "../files/bucket-url.ts";
import { placesOf, type NamedPlaces } from "./operation-place.ts";

/** What a place turned out to be when a worker stood before it. */
export interface FoundPlace {
  /** As `placesOf` names it: by its spelling. */
  readonly place: string;
  /** The same texts however the place is spelled, and no other place has one of them. */
  readonly names: readonly string[];
}

/** What was last found at places, by their spelling. */
export type KnownPlaces = ReadonlyMap<string, readonly string[]>;

export const toKnownPlaces = (found: readonly FoundPlace[]): KnownPlaces =>
  new Map(found.map(({ place, names }) => [place, names]));

/** Each place by its spelling, and by all that is known of what it is. Two that share a text are one. Pure. */
export function namesOf(named: NamedPlaces, known: KnownPlaces): string[] {
  return [...new Set(placesOf(named).flatMap((place) => [place, ...(known.get(place) ?? [])]))];
}

/** What a server says of a database. */
export interface DatabaseIdentity {
  /** Of the data folder: a standby has its primary's. Absent where the role may not ask. */
  readonly systemIdentifier?: string;
  /** When the server started, in microseconds: tells servers apart as long as they run. */
  readonly startedAtUs: string;
  /** As the server calls it, whatever a pooler before it does. */
  readonly database: string;
  /** Absent: there is no such database yet. */
  readonly oid?: string;
}

/**
 * A database is itself by its name, which a swap hands on from the old to the new one, and by its oid, which it keeps when
 * it is renamed.
 */
export function databaseNames({ systemIdentifier, startedAtUs, database, oid }: DatabaseIdentity): string[] {
  const server =
    systemIdentifier === undefined
      ? `postgres-started://${startedAtUs}`
      : `postgres-system://${systemIdentifier}`;
  const name = `${server}/${encodeURIComponent(database)}`;
  return oid === undefined ? [name] : [name, `${server}?oid=${oid}`];
}

/** What a file system says of a folder. */
export interface FolderIdentity {
  /** `file:///…`, without a symbolic link in it as far as it exists. */
  readonly realUrl: string;
  /** Its deepest part that exists, as this machine numbers it since it started. */
  readonly machine: string;
  readonly device: string;
  readonly inode: string;
  /** What does not exist yet, below that. */
  readonly missing: readonly string[];
}

/** By its real path, and by its number, which a mount of the same folder elsewhere shares. */
export function folderNames({ realUrl, machine, device, inode, missing }: FolderIdentity): string[] {
  const [realPlace = realUrl] = placesOf({ storage: { url: realUrl } });
  return [realPlace, [`inode://${machine}/${device}:${inode}`, ...missing].join("/")];
}

/** By the endpoint that requests really go to; `isThisMachine`: its name leads to the machine that does the work. */
export function bucketNames(
  { bucket, prefix }: BucketPlace,
  endpoint: { readonly url: string; readonly isThisMachine: boolean },
): string[] {
  const at = endpoint.isThisMachine
    ? endpoint.url.replace(/^(https?:\/\/)(?:\[[^\]]*\]|[^:/]*)/i, "$1localhost")
    : endpoint.url;
  const store = storeOf({ bucket, prefix, endpoint: at.toLowerCase() });
  return [formatBucketUrl({ bucket, prefix, ...(store === "" ? {} : { endpoint: store }) })];
}
