import type { _Object as ListedObject } from "@aws-sdk/client-s3";
import type { SourceEntry } from "../../core/ports/file-source.ts";
import type { FileKey, ObjectFacts } from "../../core/repository/manifest.ts";
import type { ObjectStatement } from "./answered-facts.ts";

/** What a list says of an object: next to nothing of what the bucket keeps beside its bytes. */
export function toListedEntry(key: FileKey, listed: ListedObject): SourceEntry {
  const { Size: sizeBytes = 0, LastModified, ETag, StorageClass } = listed;
  return toEntry(key, sizeBytes, LastModified, ETag, storageClassOf(StorageClass));
}

/** What the headers of an opened object say of it. */
export function toOpenedEntry(
  key: FileKey,
  sizeBytes: number,
  opened: ObjectStatement,
  tags: Readonly<Record<string, string>> | undefined,
): SourceEntry {
  return toEntry(key, sizeBytes, opened.LastModified, opened.ETag, toObjectFacts(opened, tags));
}

function toEntry(
  key: FileKey,
  sizeBytes: number,
  lastModified: Date | undefined,
  etag: string | undefined,
  object: ObjectFacts,
): SourceEntry {
  const isMarker = key.endsWith("/") && sizeBytes === 0;
  const version = etag?.replace(/^W\//, "").replaceAll('"', "");
  return {
    key,
    kind: isMarker ? "directory" : "file",
    sizeBytes,
    mtimeNs: toWholeSeconds(lastModified),
    mode: isMarker ? 0o755 : 0o644,
    ...(version === undefined || version === "" ? {} : { version }),
    object,
  };
}

/** Some stores list milliseconds, which the header of an object has not: of both the whole seconds. */
function toWholeSeconds(time: Date | undefined): string {
  const seconds = Math.floor((time?.getTime() ?? 0) / 1000);
  return Number.isFinite(seconds) ? String(BigInt(seconds) * 1_000_000_000n) : "0";
}

function toObjectFacts(
  opened: ObjectStatement,
  tags: Readonly<Record<string, string>> | undefined,
): ObjectFacts {
  const { ContentType, ContentEncoding, ContentDisposition, ContentLanguage, CacheControl } = opened;
  const { ExpiresString, WebsiteRedirectLocation, Metadata = {} } = opened;
  // Fixed order: equal facts are equal text.
  return {
    ...fact("contentType", ContentType),
    ...fact("contentEncoding", ContentEncoding),
    ...fact("contentDisposition", ContentDisposition),
    ...fact("contentLanguage", ContentLanguage),
    ...fact("cacheControl", CacheControl),
    ...fact("expires", ExpiresString),
    ...fact("websiteRedirectLocation", WebsiteRedirectLocation),
    ...(Object.keys(Metadata).length === 0 ? {} : { metadata: sortByName(Metadata) }),
    ...(tags === undefined ? {} : { tags }),
    ...storageClassOf(opened.StorageClass),
  };
}

export function sortByName(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const fact = (name: keyof ObjectFacts, value: string | undefined): ObjectFacts =>
  value === undefined ? {} : { [name]: value };

const storageClassOf = (value: string | undefined): ObjectFacts =>
  value === undefined || value === "STANDARD" ? {} : { storageClass: value };
