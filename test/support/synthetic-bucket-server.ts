/**
 * A made-up bucket that needs no disk: answers S3's list and GET on a loopback port, prints its endpoint and waits
 * to be ended. Arguments: number of small objects, bytes of one large object. For measurements of memory, where
 * no real server could hold what is asked for.
 */
import { createServer, type ServerResponse } from "node:http";
import { largeKey, modifiedAt, smallBytes, smallEtag, smallKeyOf } from "./synthetic-bucket.ts";

const [small = "0", large = "0"] = process.argv.slice(2);
const smallObjects = Number(small);
const largeBytes = Number(large);
const pageObjects = 1_000;
const pieceBytes = 4 << 20;
const noise = Buffer.alloc(1 << 20);
for (let at = 0; at + 4 <= noise.length; at += 4) noise.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);

const contentsOf = (key: string, sizeBytes: number, etag: string): string =>
  `<Contents><Key>${key}</Key><LastModified>${modifiedAt.toISOString()}</LastModified>` +
  `<ETag>&quot;${etag}&quot;</ETag><Size>${sizeBytes}</Size><StorageClass>STANDARD</StorageClass></Contents>`;

function listPage(from: number): string {
  const to = Math.min(from + pageObjects, smallObjects);
  const parts: string[] = [];
  for (let index = from; index < to; index += 1)
    parts.push(contentsOf(smallKeyOf(index), smallBytes, smallEtag(index)));
  const isLast = to === smallObjects;
  if (isLast && largeBytes > 0) parts.push(contentsOf(largeKey, largeBytes, "large"));
  const more = isLast ? "false" : `true</IsTruncated><NextContinuationToken>${to}</NextContinuationToken`;
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult><Name>synthetic</Name><EncodingType>url</EncodingType>` +
    `<IsTruncated>${isLast ? "false</IsTruncated>" : `${more}>`}${parts.join("")}</ListBucketResult>`
  );
}

async function sendLarge(range: string | undefined, response: ServerResponse): Promise<void> {
  const [, first = "0", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "bytes=0-") ?? [];
  const from = Number(first);
  const to = last === "" ? largeBytes : Math.min(largeBytes, Number(last) + 1);
  response.writeHead(range === undefined ? 200 : 206, {
    etag: '"large"',
    "last-modified": modifiedAt.toUTCString(),
    "content-length": String(to - from),
    "content-type": "application/octet-stream",
    ...(range === undefined ? {} : { "content-range": `bytes ${from}-${to - 1}/${largeBytes}` }),
  });
  // Compresses well, and no two pieces are alike.
  const piece = Buffer.alloc(Math.min(pieceBytes, to - from), "A page of a CMS, and the next one. ");
  noise.copy(piece, piece.length >> 1, 0, piece.length >> 5);
  for (let offset = from; offset < to; offset += piece.length) {
    const length = Math.min(piece.length, to - offset);
    if (length >= 8) piece.writeDoubleLE(offset, 0);
    const wait = !response.write(Buffer.from(piece.subarray(0, length)));
    if (wait) await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
    if (response.destroyed) return;
  }
  response.end();
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost");
  if (url.pathname.endsWith(`/${largeKey}`)) {
    sendLarge(request.headers.range, response).catch(() => response.destroy());
  } else if (url.searchParams.has("list-type")) {
    response.writeHead(200, { "content-type": "application/xml" });
    response.end(listPage(Number(url.searchParams.get("continuation-token") ?? "0")));
  } else if (request.method === "GET") {
    // What is looked for beside the objects of the list, such as a repository, is not there.
    response.writeHead(404, { "content-type": "application/xml" });
    response.end("<Error><Code>NoSuchKey</Code><Message>There is no such key.</Message></Error>");
  } else {
    response.writeHead(request.method === "HEAD" ? 200 : 501).end();
  }
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") console.log(`http://127.0.0.1:${address.port}`);
});
process.stdin.resume().on("end", () => process.exit(0));
