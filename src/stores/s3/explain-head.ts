import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import type { S3Connection } from "./s3-connection.ts";
import { isDenied } from "./s3-failure.ts";
import { describeError } from "./store-error.ts";

/**
 * The reason why a HEAD request failed. Its answer has no words: a missing bucket looks like a missing object, an
 * expired token or a wrong secret like a missing right. Asks for a list instead, and returns what is said to that;
 * the error as it was where a list is granted, or is not allowed.
 */
export async function explainHead(way: S3Connection, error: unknown): Promise<unknown> {
  const { status } = describeError(error);
  if (status === undefined || status >= 500 || status === 412 || status === 304) return error;
  try {
    await way.client.send(new ListObjectsV2Command({ Bucket: way.bucket, Prefix: way.prefix, MaxKeys: 1 }));
    return error;
  } catch (answer) {
    return describeError(answer).code === "AccessDenied" || (isDenied(answer) && !hasWords(answer))
      ? error
      : answer;
  }
}

function hasWords(error: unknown): boolean {
  const { code } = describeError(error);
  return !["UnknownError", "Forbidden", "403", "Error"].includes(code);
}
