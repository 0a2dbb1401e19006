import type {
  ChecksumType,
  GetObjectCommandInput,
  GetObjectCommandOutput,
  StorageClass,
} from "@aws-sdk/client-s3";
import { quickRequestsOf } from "./quick-requests.ts";
import type { S3Connection } from "./s3-connection.ts";

type Conditions = Pick<GetObjectCommandInput, "Range" | "IfMatch" | "VersionId">;

/** An object as the client gives it, but for what nobody here asks for; undefined where the client is to be asked. */
export async function quickGetObject(
  way: S3Connection,
  key: string,
  { Range, IfMatch, VersionId }: Conditions,
): Promise<GetObjectCommandOutput | undefined> {
  const answer = await quickRequestsOf(way).get(
    key,
    VersionId === undefined ? [] : [["versionId", VersionId]],
    {
      "x-amz-checksum-mode": "ENABLED",
      ...(Range === undefined ? {} : { range: Range }),
      ...(IfMatch === undefined ? {} : { "if-match": IfMatch }),
    },
  );
  if (answer === undefined) return undefined;
  const { headers, body } = answer;
  const ContentLength = numberOf(headers["content-length"]);
  // Without a length nobody could tell a body that was cut from one that is whole.
  if (ContentLength === undefined || (Range !== undefined && headers["content-range"] === undefined)) {
    body.destroy();
    return undefined;
  }
  return { ...toOutput(headers), ContentLength, Body: body as GetObjectCommandOutput["Body"] & object };
}

function toOutput(headers: Readonly<Record<string, string>>): Omit<GetObjectCommandOutput, "Body"> {
  const LastModified = new Date(headers["last-modified"] ?? Number.NaN);
  return {
    $metadata: {},
    ...text("ContentRange", headers["content-range"]),
    ...text("ContentType", headers["content-type"]),
    ...text("ContentEncoding", headers["content-encoding"]),
    ...text("ContentDisposition", headers["content-disposition"]),
    ...text("ContentLanguage", headers["content-language"]),
    ...text("CacheControl", headers["cache-control"]),
    ...text("ExpiresString", headers["expires"]),
    ...text("WebsiteRedirectLocation", headers["x-amz-website-redirect-location"]),
    ...text("ETag", headers["etag"]),
    ...text("VersionId", headers["x-amz-version-id"]),
    ...text("ChecksumCRC32", headers["x-amz-checksum-crc32"]),
    ...text("ChecksumType", headers["x-amz-checksum-type"] as ChecksumType | undefined),
    ...text("StorageClass", headers["x-amz-storage-class"] as StorageClass | undefined),
    ...(Number.isNaN(LastModified.getTime()) ? {} : { LastModified }),
    ...count("TagCount", headers["x-amz-tagging-count"]),
    ...count("MissingMeta", headers["x-amz-missing-meta"]),
    Metadata: metadataOf(headers),
  };
}

const metadataPrefix = "x-amz-meta-";

function metadataOf(headers: Readonly<Record<string, string>>): Record<string, string> {
  const named = Object.entries(headers).filter(([name]) => name.startsWith(metadataPrefix));
  return Object.fromEntries(named.map(([name, value]) => [name.slice(metadataPrefix.length), value]));
}

const text = <N extends string, T extends string>(name: N, value: T | undefined) =>
  (value === undefined ? {} : { [name]: value }) as Partial<Record<N, T>>;
const count = <N extends string>(name: N, value: string | undefined) => {
  const number = numberOf(value);
  return (number === undefined ? {} : { [name]: number }) as Partial<Record<N, number>>;
};
const numberOf = (value: string | undefined): number | undefined =>
  value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
