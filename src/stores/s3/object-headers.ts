import type { PutObjectCommandInput, S3Client } from "@aws-sdk/client-s3";
import type { ObjectFacts } from "../../core/repository/manifest.ts";

/** What a request that writes an object is given beside its bytes. */
export type ObjectHeaders = Pick<
  PutObjectCommandInput,
  | "ContentType"
  | "ContentEncoding"
  | "ContentDisposition"
  | "ContentLanguage"
  | "CacheControl"
  | "WebsiteRedirectLocation"
  | "Metadata"
  | "Tagging"
> & {
  /** `Expires` as it was given once, which need not be a date: `0` is common. See `sendHeadersAsGiven`. */
  readonly ExpiresText?: string;
};

/** The storage class is the bucket's own affair. */
export function toHeaders(facts: ObjectFacts = {}): ObjectHeaders {
  const { metadata, tags } = facts;
  return {
    ...header("ContentType", facts.contentType),
    ...header("ContentEncoding", facts.contentEncoding),
    ...header("ContentDisposition", facts.contentDisposition),
    ...header("ContentLanguage", facts.contentLanguage),
    ...header("CacheControl", facts.cacheControl),
    ...header("WebsiteRedirectLocation", facts.websiteRedirectLocation),
    ...header("ExpiresText", facts.expires),
    ...(metadata === undefined ? {} : { Metadata: { ...metadata } }),
    ...(tags === undefined ? {} : { Tagging: new URLSearchParams({ ...tags }).toString() }),
  };
}

/** The same as the header lines that a request carries. */
export function toHeaderLines(facts: ObjectFacts = {}): Record<string, string> {
  const { metadata = {}, tags } = facts;
  const lines: Record<string, string | undefined> = {
    "content-type": facts.contentType ?? "application/octet-stream",
    "content-encoding": facts.contentEncoding,
    "content-disposition": facts.contentDisposition,
    "content-language": facts.contentLanguage,
    "cache-control": facts.cacheControl,
    expires: facts.expires,
    "x-amz-website-redirect-location": facts.websiteRedirectLocation,
    "x-amz-tagging": tags === undefined ? undefined : new URLSearchParams({ ...tags }).toString(),
  };
  for (const [name, value] of Object.entries(metadata)) lines[`x-amz-meta-${name}`] = value;
  return Object.fromEntries(
    Object.entries(lines).filter((line): line is [string, string] => line[1] !== undefined),
  );
}

const header = (name: keyof ObjectHeaders, value: string | undefined): ObjectHeaders =>
  value === undefined ? {} : { [name]: value };

/**
 * Makes a client send `ExpiresText` of a request's input as its header `Expires`, and `Sha256Hex` as the hash of
 * the body that the signature covers, so that it is not computed once more, or says that it covers none.
 */
export function sendHeadersAsGiven(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const input = args.input as { readonly ExpiresText?: string; readonly Sha256Hex?: string };
      const request = args.request as { readonly headers: Record<string, string> };
      if (input.ExpiresText !== undefined) request.headers["expires"] = input.ExpiresText;
      if (input.Sha256Hex !== undefined) request.headers["x-amz-content-sha256"] = input.Sha256Hex;
      return await next(args);
    },
    { name: "sendHeadersAsGiven", step: "build", override: true },
  );
}
