/** A bucket, or a part of one, as its URL names it. */
export interface BucketPlace {
  readonly bucket: string;
  /** Text before every key, with its slash where it has one: `` or `site/docs/`. */
  readonly prefix: string;
  /** `http://127.0.0.1:7070`, without a path; absent: AWS's own for the region. */
  readonly endpoint?: string;
  readonly region?: string;
  /** Profile of the AWS configuration files that the credentials come from. */
  readonly profile?: string;
  /** File of certificates (PEM) that sign the endpoint's, beside the system's. */
  readonly caFile?: string;
  /** Least TLS version; default 1.2. */
  readonly minimumTls?: "1.2" | "1.3";
  /** `false`: the bucket is part of the host name, as at AWS. Default: in the path where an endpoint is given. */
  readonly pathStyle?: boolean;
  /** Of a repository: the store's class for its larger objects; absent: the usual one. */
  readonly storageClass?: string;
}

export type BucketUrlResult =
  | { readonly place: BucketPlace }
  /** What is wrong, as a sentence that never repeats a credential. */
  | { readonly problem: string; readonly code: BucketUrlProblemCode };
type BucketUrlProblemCode = "request-invalid" | "password-on-command-line";

const bucketForm = /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i;
const knownParameters = ["endpoint", "region", "profile", "ca", "min-tls", "path-style", "storage-class"];
const secretParameters = /key|secret|token|password|credential/i;
const usual = "Give it as s3://bucket/prefix?endpoint=https://host:port&region=…&profile=….";

export function isBucketUrl(url: string): boolean {
  return /^s3:/i.test(url);
}

/**
 * Reads `s3://bucket/prefix?endpoint=…&region=…&profile=…&ca=…&min-tls=1.3&path-style=true`. The prefix names a
 * folder (`docs` and `docs/` are the same) and is percent-encoded where it holds `?`, `#` or `%`. Credentials
 * have no place in it.
 */
export function parseBucketUrl(url: string): BucketUrlResult {
  const match = /^s3:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i.exec(url);
  if (match === null) return wrong(`This is no bucket. ${usual}`);
  const [, bucket = "", path = "", query = ""] = match;
  if (bucket.includes("@")) return wrong(withoutCredentials);
  if (!bucketForm.test(bucket)) return wrong(`"${bucket}" is no name of a bucket. ${usual}`);
  const prefix = decodePrefix(path);
  if (prefix === undefined) return wrong(`The prefix of the bucket ${bucket} is not percent-encoded UTF-8.`);
  const parameters = readParameters(query);
  if (typeof parameters === "string") return wrong(parameters);
  const problem = problemOf(parameters);
  if (problem !== undefined) return wrong(problem);
  return { place: toPlace(bucket, prefix, parameters) };
}

/** The one spelling of a place. */
export function formatBucketUrl(place: BucketPlace): string {
  const parameters: [string, string | undefined][] = [
    ["endpoint", place.endpoint],
    ["region", place.region],
    ["profile", place.profile],
    ["ca", place.caFile],
    ["min-tls", place.minimumTls],
    ["path-style", place.pathStyle === undefined ? undefined : String(place.pathStyle)],
    ["storage-class", place.storageClass],
  ];
  const query = parameters
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeParameter(value ?? "")}`)
    .join("&");
  // Two slashes at the end are both of the prefix; one alone goes without saying.
  const path = place.prefix
    .replace(/(?<=[^/])\/$/, "")
    .split("/")
    .map(encodeSegment)
    .join("/");
  return `s3://${place.bucket}${path === "" ? "" : `/${path}`}${query === "" ? "" : `?${query}`}`;
}

/**
 * Whether two places are of one bucket of one store, however they are reached. A repository that was taken for
 * another one because of how its endpoint is spelled would be backed up into itself, and a mirror would remove it.
 */
export function isSameBucket(a: BucketPlace, b: BucketPlace): boolean {
  return a.bucket === b.bucket && storeOf(a) === storeOf(b);
}

/**
 * Whether two places are of one store and reached with the same credentials, so that it can copy between them by
 * itself.
 */
export function canCopyBetween(a: BucketPlace, b: BucketPlace): boolean {
  return storeOf(a) === storeOf(b) && a.profile === b.profile;
}

/** One text for all usual spellings of an endpoint; empty: AWS, which has a bucket's name only once. */
export function storeOf({ endpoint }: BucketPlace): string {
  const [, scheme = "", host = "", port] = /^(https?):\/\/(.*?)\.?(?::(\d+))?$/i.exec(endpoint ?? "") ?? [];
  if (host === "" || /^s3[a-z0-9.-]*\.amazonaws\.com$/i.test(host)) return "";
  const isThisMachine = /^(?:localhost|127\.0\.0\.1|\[::1\])$/i.test(host);
  const usualPort = scheme === "https" ? 443 : 80;
  return `${isThisMachine ? "localhost" : host}:${port === undefined ? usualPort : Number(port)}`;
}

/** Whether two URLs name the same folder, or the same part of the same bucket, however it is reached. */
export function isSamePlace(a: string, b: string): boolean {
  if (a === b) return true;
  const [left, right] = [parseBucketUrl(a), parseBucketUrl(b)];
  if (!("place" in left && "place" in right)) return false;
  return isSameBucket(left.place, right.place) && left.place.prefix === right.place.prefix;
}

/**
 * The key below which the inner place lies in the outer one, with its slash: empty where they are the same;
 * undefined where it lies elsewhere.
 */
export function keyOfPlaceIn(outer: BucketPlace, inner: BucketPlace): string | undefined {
  if (!isSameBucket(outer, inner) || !inner.prefix.startsWith(outer.prefix)) return undefined;
  return inner.prefix.slice(outer.prefix.length);
}

const withoutCredentials =
  "The bucket's URL carries credentials, which every user of this machine could read. Remove them and use " +
  "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile of the AWS configuration files, or the machine's own role.";

const wrong = (problem: string): BucketUrlResult => ({
  problem,
  code: problem === withoutCredentials ? "password-on-command-line" : "request-invalid",
});

function decodePrefix(path: string): string | undefined {
  try {
    const prefix = decodeURIComponent(path.slice(1));
    return prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
  } catch {
    return undefined;
  }
}

function readParameters(query: string): ReadonlyMap<string, string> | string {
  const found = new Map<string, string>();
  for (const pair of query === "" ? [] : query.split("&")) {
    const at = pair.indexOf("=");
    const name = at < 0 ? pair : pair.slice(0, at);
    if (!knownParameters.includes(name)) {
      if (secretParameters.test(name)) return withoutCredentials;
      return `"${name}" is no parameter of a bucket's URL; use ${knownParameters.join(", ")}.`;
    }
    if (found.has(name)) return `The bucket's URL gives ${name} twice.`;
    try {
      found.set(name, decodeURIComponent(at < 0 ? "" : pair.slice(at + 1)));
    } catch {
      return `The value of ${name} in the bucket's URL is not percent-encoded UTF-8.`;
    }
  }
  return found;
}

const endpointForm = /^https?:\/\/(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?\/?$/i;

function problemOf(parameters: ReadonlyMap<string, string>): string | undefined {
  const endpoint = parameters.get("endpoint");
  if (endpoint?.includes("@")) return withoutCredentials;
  if (endpoint !== undefined && !endpointForm.test(endpoint))
    return `"${endpoint}" is no endpoint; give http://host:port or https://host:port, without a path.`;
  const tls = parameters.get("min-tls");
  if (tls !== undefined && tls !== "1.2" && tls !== "1.3") return `min-tls is 1.2 or 1.3, not "${tls}".`;
  const style = parameters.get("path-style");
  if (style !== undefined && style !== "true" && style !== "false")
    return `path-style is true or false, not "${style}".`;
  const storageClass = parameters.get("storage-class");
  if (storageClass !== undefined && !/^[A-Z][A-Z0-9_]{0,62}$/.test(storageClass))
    return `"${storageClass}" is no storage class; give one as the store calls it, such as STANDARD_IA.`;
  if (storageClass === "GLACIER" || storageClass === "DEEP_ARCHIVE")
    return `Objects in ${storageClass} must be brought back before they can be read, which every further backup does. Use GLACIER_IR or STANDARD_IA.`;
  for (const name of ["region", "profile", "ca"])
    if (parameters.get(name) === "") return `The bucket's URL gives no value for ${name}.`;
  return undefined;
}

function toPlace(bucket: string, prefix: string, parameters: ReadonlyMap<string, string>): BucketPlace {
  const text = (name: string) => parameters.get(name);
  const endpoint = text("endpoint")?.replace(/\/$/, "").toLowerCase();
  const [region, profile, caFile, tls, style, storageClass] = knownParameters.slice(1).map(text);
  return {
    bucket,
    prefix,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
    ...(caFile === undefined ? {} : { caFile }),
    ...(tls === "1.2" || tls === "1.3" ? { minimumTls: tls } : {}),
    ...(style === undefined ? {} : { pathStyle: style === "true" }),
    ...(storageClass === undefined ? {} : { storageClass }),
  };
}

/** Readable where it can be: `:` and `/` mean nothing in a query. */
const encodeParameter = (text: string): string =>
  encodeURIComponent(text).replaceAll(/%(?:3A|2F)/g, decodeURIComponent);
const encodeSegment = (text: string): string => encodeURIComponent(text);
