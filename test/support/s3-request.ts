/** What a request says in the language of S3 (path-style addresses), for a proxy that misbehaves by operation. */
import type { IncomingMessage } from "node:http";

export type S3Operation =
  | "ListBuckets"
  | "HeadBucket"
  | "CreateBucket"
  | "ListObjects"
  | "ListObjectVersions"
  | "ListMultipartUploads"
  | "OtherOfBucket"
  | "DeleteObjects"
  | "GetObject"
  | "HeadObject"
  | "PutObject"
  | "CopyObject"
  | "DeleteObject"
  | "CreateMultipartUpload"
  | "UploadPart"
  | "UploadPartCopy"
  | "CompleteMultipartUpload"
  | "AbortMultipartUpload"
  | "ListParts"
  | "OtherOfObject";

export interface S3Request {
  readonly operation: S3Operation;
  readonly method: string;
  readonly bucket: string;
  /** Empty for operations of a bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

export function readS3Request(message: IncomingMessage): S3Request {
  const target = message.url ?? "/";
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1));
  const [, bucket = "", rest = ""] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? [];
  const key = decodeURIComponent(rest);
  const method = message.method ?? "";
  const { headers } = message;
  const isCopy = headers["x-amz-copy-source"] !== undefined;
  const operation =
    bucket === "" ? "ListBuckets" : key === "" ? ofBucket(method, query) : ofObject(method, query, isCopy);
  return { operation, method, bucket: decodeURIComponent(bucket), key, query, headers };
}

function ofBucket(method: string, query: URLSearchParams): S3Operation {
  const subject = [...query.keys()].find((name) => bucketSubjects.has(name));
  if (method === "HEAD") return "HeadBucket";
  if (method === "POST" && subject === "delete") return "DeleteObjects";
  if (method === "PUT" && subject === undefined) return "CreateBucket";
  if (method !== "GET") return "OtherOfBucket";
  if (subject === "versions") return "ListObjectVersions";
  if (subject === "uploads") return "ListMultipartUploads";
  return subject === undefined ? "ListObjects" : "OtherOfBucket";
}

const bucketSubjects = new Set([
  "versions",
  "uploads",
  "delete",
  "versioning",
  "location",
  "policy",
  "encryption",
  "object-lock",
  "lifecycle",
  "publicAccessBlock",
  "acl",
  "tagging",
]);

function ofObject(method: string, query: URLSearchParams, isCopy: boolean): S3Operation {
  const ofUpload = query.has("uploadId");
  if (["tagging", "acl", "retention", "legal-hold", "attributes"].some((name) => query.has(name))) {
    return "OtherOfObject";
  }
  switch (method) {
    case "GET":
      return ofUpload ? "ListParts" : "GetObject";
    case "HEAD":
      return "HeadObject";
    case "PUT":
      if (ofUpload) return isCopy ? "UploadPartCopy" : "UploadPart";
      return isCopy ? "CopyObject" : "PutObject";
    case "POST":
      if (query.has("uploads")) return "CreateMultipartUpload";
      return ofUpload ? "CompleteMultipartUpload" : "OtherOfObject";
    case "DELETE":
      return ofUpload ? "AbortMultipartUpload" : "DeleteObject";
    default:
      return "OtherOfObject";
  }
}
