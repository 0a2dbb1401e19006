import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { toFacts, type ObjectStatement } from "./answered-facts.ts";
import { explainHead } from "./explain-head.ts";
import { quickRequestsOf } from "./quick-requests.ts";
import type { S3Connection } from "./s3-connection.ts";
import { isMissing, isNoBucket } from "./s3-failure.ts";

export interface HeadOptions {
  /** Its checksums too, which may take a right to the key that it is encrypted with. */
  readonly checksums?: boolean;
}

/**
 * What the store says of an object; undefined where there is none, or no bucket: the answer to a HEAD has no words.
 * Rejects with the reason why it cannot be asked, as the client says it.
 */
export async function headObject(
  way: S3Connection,
  key: string,
  { checksums = false }: HeadOptions = {},
): Promise<ObjectStatement | undefined> {
  const answer = await quickRequestsOf(way).head(key, checksums ? { "x-amz-checksum-mode": "ENABLED" } : {});
  if (answer !== undefined) return answer.status === 404 ? undefined : toFacts(answer.headers);
  const mode = checksums ? { ChecksumMode: "ENABLED" as const } : {};
  try {
    return await way.client.send(new HeadObjectCommand({ Bucket: way.bucket, Key: key, ...mode }));
  } catch (error) {
    if (isMissing(error) || isNoBucket(error)) return undefined;
    throw await explainHead(way, error);
  }
}
