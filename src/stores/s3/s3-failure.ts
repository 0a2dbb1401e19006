import { Failure } from "../../core/failure.ts";
import type { S3Connection } from "./s3-connection.ts";
import { classifyError } from "./s3-retry.ts";
import { thawStep } from "./storage-class.ts";
import { describeError, type StoreError } from "./store-error.ts";

/** What was being done when a request failed, for the sentence and for the policy statement that is missing. */
export interface Deed {
  /** `read`, `write`, `list`: completes "Cannot …". */
  readonly verb: string;
  /** The right it needs, e.g. `s3:GetObject`. */
  readonly action: string;
  /** The object's key, whole; absent for the bucket itself. */
  readonly key?: string;
}

type Way = Pick<S3Connection, "bucket" | "place" | "prefix" | "url" | "signal">;

const credentialsUnknown = new Set([
  "InvalidAccessKeyId",
  "InvalidToken",
  "AuthorizationHeaderMalformed",
  "XAdminUserNotFound",
]);
const secretWrong = new Set(["SignatureDoesNotMatch", "InvalidSignature"]);
const expired = new Set(["ExpiredToken", "TokenRefreshRequired", "ExpiredTokenException"]);
const skewed = new Set(["RequestTimeTooSkewed", "RequestInTheFuture", "RequestExpired"]);
const missingSource = new Set(["CredentialsProviderError", "CredentialsError", "TokenProviderError"]);
const tlsCodes =
  /^(?:CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO$|INVALID_CA|ERR_OSSL)/;

/** OpenSSL's words for an answer that is none of TLS. */
const notTls = /wrong version number|packet length too long|unknown protocol|http request/i;

/**
 * Any error of a request as a `Failure` for people. What may pass by itself has `retry: "backoff"`; an abort
 * by the connection's signal becomes the signal's own failure.
 */
export function s3Failure(error: unknown, way: Way, deed: Deed): Failure {
  if (error instanceof Failure) return error;
  if (way.signal?.aborted && way.signal.reason instanceof Failure) return way.signal.reason;
  const facts = describeError(error);
  return (
    credentialFailure(error, facts, way) ??
    connectionFailure(error, facts, way, deed) ??
    placeFailure(error, facts, way, deed) ??
    objectFailure(error, facts, way, deed) ??
    passingFailure(error, facts, way, deed) ??
    new Failure("store-failed", `Cannot ${deed.verb} ${what(way, deed)}: ${words(facts)}.`, { cause: error })
  );
}

/** No such object (or upload, or version). A missing bucket is something else. */
export function isMissing(error: unknown): boolean {
  const { code, status } = describeError(error);
  return ["NoSuchKey", "NotFound", "NoSuchVersion"].includes(code) || (status === 404 && !isNoBucket(error));
}

export function isNoBucket(error: unknown): boolean {
  return describeError(error).code === "NoSuchBucket";
}

/** The condition of a conditional request does not hold. */
export function isConditionFailed(error: unknown): boolean {
  const { code, status } = describeError(error);
  return code === "PreconditionFailed" || status === 412;
}

/** The store does not know this request or this header. */
export function isNotImplemented(error: unknown): boolean {
  const { code, status } = describeError(error);
  return code === "NotImplemented" || code === "MethodNotAllowed" || status === 501 || status === 405;
}

export function isDenied(error: unknown): boolean {
  const { code, status } = describeError(error);
  // Also 403, and nothing that a right would change: the object is in an archive tier.
  if (code === "InvalidObjectState") return false;
  return code === "AccessDenied" || (status === 403 && !secretWrong.has(code) && !skewed.has(code));
}

function credentialFailure(error: unknown, facts: StoreError, way: Way): Failure | undefined {
  const at = way.place.endpoint ?? "AWS";
  if (missingSource.has(facts.code)) {
    const where = way.place.profile === undefined ? "" : ` (profile ${way.place.profile})`;
    return new Failure(
      "store-credentials-missing",
      `No credentials for ${way.url} were found${where}: ${facts.message.replace(/\.$/, "")}. ` +
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with profile= in the URL.",
      { cause: error },
    );
  }
  if (expired.has(facts.code)) {
    return new Failure(
      "store-credentials-expired",
      `The credentials for ${way.url} have expired, and where they came from there are no newer ones. Log in again and run again.`,
      { cause: error },
    );
  }
  if (skewed.has(facts.code)) {
    return new Failure("store-clock-skewed", skewSentence(facts, at), { cause: error });
  }
  if (credentialsUnknown.has(facts.code) && facts.region === undefined) {
    return new Failure(
      "store-credentials-wrong",
      `${at} does not know the access key that was found for ${way.url}. Check the credentials, and that they belong to this endpoint.`,
      { cause: error },
    );
  }
  if (secretWrong.has(facts.code)) {
    return new Failure(
      "store-credentials-wrong",
      `The secret does not fit the access key at ${at}. Check AWS_SECRET_ACCESS_KEY or the profile (a blank or a line break at its end is enough).`,
      { cause: error },
    );
  }
  return undefined;
}

function skewSentence(facts: StoreError, at: string): string {
  const apartSeconds =
    facts.storeTimeMs === undefined ? undefined : Math.round((Date.now() - facts.storeTimeMs) / 1000);
  const apart =
    apartSeconds === undefined || Math.abs(apartSeconds) < 60
      ? "This machine's clock differs too much from the store's"
      : `This machine's clock is ${describeSeconds(Math.abs(apartSeconds))} ${apartSeconds > 0 ? "ahead of" : "behind"} that of ${at}`;
  return `${apart}, so the store refuses the signature. Set the clock and run again.`;
}

function describeSeconds(seconds: number): string {
  return seconds < 7_200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`;
}

function connectionFailure(error: unknown, facts: StoreError, way: Way, deed: Deed): Failure | undefined {
  const at = way.place.endpoint ?? `S3 of ${way.place.region ?? "the default region"}`;
  if (facts.systemCode === "EPROTO" && notTls.test(facts.message)) {
    return new Failure(
      "store-tls-failed",
      `What answers at ${at} does not speak TLS. Check the port; where plain http is meant, write http:// in the endpoint.`,
      { cause: error },
    );
  }
  if (tlsCodes.test(facts.systemCode ?? "")) {
    return new Failure(
      "store-tls-failed",
      `No trusted TLS connection to ${at}: ${words(facts)}. ${tlsAdvice(facts)}`,
      { cause: error },
    );
  }
  if (facts.code === "AbortError") {
    return new Failure("interrupted", `To ${deed.verb} ${what(way, deed)} was given up.`, { cause: error });
  }
  return undefined;
}

function tlsAdvice(facts: StoreError): string {
  const code = facts.systemCode ?? "";
  if (/ALTNAME|HOSTNAME/.test(code)) return "Use the host name that the certificate is for.";
  if (/EXPIRED|NOT_YET_VALID/.test(code)) return "Renew the certificate, or set this machine's clock.";
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|EPROTO|ERR_SSL/.test(code))
    return "Check that the endpoint speaks TLS at this port, and min-tls.";
  return "If the certificate is signed by an authority of your own, name its certificate with ca= in the URL.";
}

function placeFailure(error: unknown, facts: StoreError, way: Way, deed: Deed): Failure | undefined {
  if (facts.message.startsWith("Region is missing")) {
    return new Failure(
      "bucket-elsewhere",
      `Nothing says in which region the bucket ${way.bucket} is. Set region= in its URL, or AWS_REGION.`,
      { cause: error },
    );
  }
  if (facts.code === "NoSuchBucket") {
    return new Failure(
      "bucket-not-found",
      `There is no bucket ${way.bucket} at ${way.place.endpoint ?? "AWS"}. Check name, endpoint and region.`,
      { cause: error },
    );
  }
  const elsewhere =
    [
      "PermanentRedirect",
      "TemporaryRedirect",
      "AuthorizationHeaderMalformed",
      "IllegalLocationConstraintException",
    ].includes(facts.code) ||
    (facts.status !== undefined && facts.status >= 300 && facts.status < 400 && facts.status !== 304);
  if (elsewhere) {
    const region = facts.region ?? /expecting '([a-z0-9-]+)'/.exec(facts.message)?.[1];
    const advice =
      region === undefined ? "Set region= (and endpoint=) in its URL" : `Set region=${region} in its URL`;
    return new Failure(
      "bucket-elsewhere",
      `The bucket ${way.bucket} is in another region than asked: ${words(facts)}. ${advice}.`,
      { cause: error },
    );
  }
  if (isDenied(error)) return deniedFailure(error, facts, way, deed);
  return undefined;
}

function deniedFailure(error: unknown, facts: StoreError, way: Way, deed: Deed): Failure {
  const bucketWide = deed.key === undefined;
  const resource = `arn:aws:s3:::${way.bucket}${bucketWide ? "" : `/${way.prefix}*`}`;
  const statement = JSON.stringify({ Effect: "Allow", Action: deed.action, Resource: resource });
  return new Failure(
    "store-access-denied",
    `The store does not allow to ${deed.verb} ${what(way, deed)} (${words(facts)}). Add to the policy: ${statement}`,
    { cause: error },
  );
}

function objectFailure(error: unknown, facts: StoreError, way: Way, deed: Deed): Failure | undefined {
  if (facts.code === "InvalidObjectState") {
    return new Failure(
      "object-cold",
      `${what(way, deed)} is in an archive tier and cannot be read as it is. ${thawStep(way.bucket, deed.key ?? "")}`,
      { cause: error },
    );
  }
  if (isMissing(error) && deed.key !== undefined) {
    return new Failure("backup-incomplete", `${what(way, deed)} is missing.`, { cause: error });
  }
  return undefined;
}

function passingFailure(error: unknown, facts: StoreError, way: Way, deed: Deed): Failure | undefined {
  const kind = classifyError(error);
  if (kind === "permanent") return undefined;
  const { bucket, endpoint } = way.place;
  const store = endpoint ?? `s3://${bucket}`;
  const passing = {
    cause: error,
    retry: "backoff",
    store,
    ...(facts.retryAfterMs === undefined ? {} : { retryAfterMs: facts.retryAfterMs }),
  } as const;
  const tries = facts.attempts === 1 ? "" : ` ${facts.attempts} attempts were made.`;
  if (kind === "throttled") {
    return new Failure(
      "store-throttled",
      `The store keeps asking to slow down (${words(facts)}), so ${what(way, deed)} could not be ${deed.verb === "read" ? "read" : "reached"}.${tries} Run again later, or with fewer requests at once.`,
      passing,
    );
  }
  return new Failure(
    "store-unreachable",
    `Cannot ${deed.verb} ${what(way, deed)}: ${words(facts)}.${tries} ${reachingAdvice(facts, way)}`,
    passing,
  );
}

function reachingAdvice({ systemCode }: StoreError, { place }: Way): string {
  // A server that speaks TLS hangs up on who does not.
  const isHungUp = systemCode === "ECONNRESET" && place.endpoint?.startsWith("http:") === true;
  const usual = "Check the endpoint, the network and the store's health.";
  return isHungUp ? `${usual} If the server speaks TLS at this port, write https:// in the endpoint.` : usual;
}

/** `prefix/name in bucket at endpoint`, or the bucket. */
function what(way: Way, deed: Deed): string {
  const at = way.place.endpoint === undefined ? "" : ` at ${way.place.endpoint}`;
  return deed.key === undefined
    ? `the bucket ${way.bucket}${at}`
    : `${deed.key} in the bucket ${way.bucket}${at}`;
}

function words({ code, message, status, systemCode }: StoreError): string {
  // Node's own advice is about another program's options.
  const text = (message.split("\n")[0] ?? "")
    .replace(/; if the root CA.*$/, "")
    .trim()
    .replace(/\.$/, "");
  if (["", "UnknownError", "Unknown", "NotFound"].includes(text))
    return status === undefined ? code : `HTTP ${status}`;
  const saysEnough =
    code === "Error" || text.includes(code) || (systemCode !== undefined && text.includes(systemCode));
  return saysEnough ? text : `${code}: ${text}`;
}
