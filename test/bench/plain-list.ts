/**
 * The least that a second backup of a bucket has to do: lists all of it, and gets every object that was modified
 * since a time, some at a time. Arguments: endpoint, bucket, time (ms), requests at once.
 */
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";

const [endpoint = "", Bucket = "", since = "0", atOnce = "16"] = process.argv.slice(2);
const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true });
const changed: string[] = [];
let token: string | undefined;
do {
  const page: { ContinuationToken?: string } = token === undefined ? {} : { ContinuationToken: token };
  const answer = await client.send(new ListObjectsV2Command({ Bucket, ...page }));
  for (const { Key = "", LastModified } of answer.Contents ?? [])
    if ((LastModified?.getTime() ?? 0) >= Number(since)) changed.push(Key);
  token = answer.NextContinuationToken;
} while (token !== undefined);

let bytes = 0;
const work = async (): Promise<void> => {
  for (let Key = changed.pop(); Key !== undefined; Key = changed.pop()) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
    for await (const piece of Body as AsyncIterable<Uint8Array>) bytes += piece.length;
  }
};
const wanted = changed.length;
await Promise.all(Array.from({ length: Number(atOnce) }, work));
console.log(JSON.stringify({ wanted, bytes }));
client.destroy();
