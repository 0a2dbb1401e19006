import type { GetObjectCommandInput, GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { toFacts } from "./answered-facts.ts";
import type { AnswerBody } from "./answer-body.ts";
import { quickRequestsOf } from "./quick-requests.ts";
import type { S3Connection } from "./s3-connection.ts";

/** What the client answers, or what came without it. */
export type ObjectAnswer = Omit<GetObjectCommandOutput, "Body"> & {
  readonly Body?: GetObjectCommandOutput["Body"] | AnswerBody;
};

type Conditions = Pick<GetObjectCommandInput, "Range" | "IfMatch" | "VersionId">;

/** An object as the client gives it, but for what nobody here asks for; undefined where the client is to be asked. */
export async function quickGetObject(
  way: S3Connection,
  key: string,
  { Range, IfMatch, VersionId }: Conditions,
): Promise<ObjectAnswer | undefined> {
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
  const facts = toFacts(headers);
  // Without a length nobody could tell a body that was cut from one that is whole.
  if (facts.ContentLength === undefined || (Range !== undefined && headers["content-range"] === undefined)) {
    body.destroy();
    return undefined;
  }
  return { $metadata: {}, ...facts, Body: body };
}
