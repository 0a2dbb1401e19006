import type {
  ArchiveStatus,
  ChecksumType,
  HeadObjectCommandOutput,
  ServerSideEncryption,
  StorageClass,
} from "@aws-sdk/client-s3";

export type ObjectStatement = Omit<HeadObjectCommandOutput, "$metadata">;

/** What the headers of an answer say of an object, as the client says it, but for what nobody here asks for. */
export function toFacts(headers: Readonly<Record<string, string>>): ObjectStatement {
  const LastModified = new Date(headers["last-modified"] ?? Number.NaN);
  return {
    ...count("ContentLength", headers["content-length"]),
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
    ...text("ChecksumSHA256", headers["x-amz-checksum-sha256"]),
    ...text("ChecksumType", headers["x-amz-checksum-type"] as ChecksumType | undefined),
    ...text("StorageClass", headers["x-amz-storage-class"] as StorageClass | undefined),
    ...text("ArchiveStatus", headers["x-amz-archive-status"] as ArchiveStatus | undefined),
    ...text("Restore", headers["x-amz-restore"]),
    ...text(
      "ServerSideEncryption",
      headers["x-amz-server-side-encryption"] as ServerSideEncryption | undefined,
    ),
    ...text("SSEKMSKeyId", headers["x-amz-server-side-encryption-aws-kms-key-id"]),
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
