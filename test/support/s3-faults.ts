/** The bad days of a store, for fault-proxy.ts. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { CompleteMultipartUploadCommand, type S3Client } from "@aws-sdk/client-s3";
import type { Exchange, Fault } from "./fault-proxy.ts";

/** Passes the request on after a while. */
export function delay(milliseconds: number): Fault {
  return async (exchange) => {
    await pause(milliseconds);
    await exchange.pass();
  };
}

/** Takes the request and never answers. */
export function neverAnswer(): Fault {
  return () => Promise.resolve();
}

/** An error in S3's form instead of the server's answer; nothing is passed on. */
function refuse(
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
  message = `made by a test`,
): Fault {
  return async ({ incoming, response, request }) => {
    await drain(incoming);
    const body =
      `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message>` +
      `<RequestId>TEST</RequestId><HostId>test</HostId></Error>`;
    response.writeHead(status, { "content-type": "application/xml", "x-amz-request-id": "TEST", ...headers });
    response.end(request.method === "HEAD" ? undefined : body);
  };
}

/** 503, as S3 says that it is asked too often. */
export const slowDown = (retryAfterSeconds?: number): Fault =>
  refuse(
    503,
    "SlowDown",
    retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) },
    "Please reduce your request rate.",
  );

/** 429, as some S3 look-alikes say it. */
export const tooManyRequests = (retryAfterSeconds?: number): Fault =>
  refuse(
    429,
    "TooManyRequests",
    retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) },
  );

export const internalError = (): Fault => refuse(500, "InternalError");
export const noSuchKey = (): Fault => refuse(404, "NoSuchKey", {}, "The specified key does not exist.");
export const noSuchBucket = (): Fault =>
  refuse(404, "NoSuchBucket", {}, "The specified bucket does not exist");
export const accessDenied = (): Fault => refuse(403, "AccessDenied", {}, "Access Denied");
export const expiredCredentials = (): Fault =>
  refuse(400, "ExpiredToken", {}, "The provided token has expired.");

/** As a server whose clock, or whose client's clock, is an hour off; its Date header tells the same hour. */
export function skewedClock(hours = 1): Fault {
  const date = new Date(Date.now() + hours * 3_600_000).toUTCString();
  const message = "The difference between the request time and the server's time is too large.";
  return refuse(403, "RequestTimeTooSkewed", { date }, message);
}

/** Cuts the connection after so many bytes of the request's body (or its end); the server gets no more than those. */
export function cutRequest(afterBytes: number): Fault {
  return async ({ forward, incoming }) => {
    const some = async function* (): AsyncGenerator<Uint8Array> {
      let left = afterBytes;
      for await (const piece of incoming as AsyncIterable<Buffer>) {
        yield piece.subarray(0, left);
        left -= piece.length;
        if (left <= 0) break;
      }
      throw new Error("cut by a test");
    };
    await forward(some());
  };
}

/** Cuts the connection after so many bytes of the answer's body; 0: the server did it and the answer is lost. */
export function cutResponse(afterBytes: number): Fault {
  return async ({ forward, incoming, response }) => {
    const answer = await forward();
    if (afterBytes > 0) {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      let left = afterBytes;
      for await (const piece of answer as AsyncIterable<Buffer>) {
        response.write(piece.subarray(0, left));
        left -= piece.length;
        if (left <= 0) break;
      }
      // What was written has to leave this process before the connection ends.
      await new Promise((resolve) => response.write("", resolve));
    } else {
      await drain(answer);
    }
    incoming.socket.destroy();
  };
}

/** Does what is asked whatever the condition says. The server must not check signatures, which cover it. */
export function forgetCondition(): Fault {
  return async ({ incoming, pass }) => {
    const headers = incoming.rawHeaders;
    const at = headers.findIndex((text, index) => index % 2 === 0 && /^if-none-match$/i.test(text));
    if (at >= 0) headers.splice(at, 2);
    await pass();
  };
}

/** Says that it was stored, with the right ETag, and stores nothing. */
export function keepNothing(): Fault {
  return async ({ incoming, response }) => {
    const hash = createHash("md5");
    for await (const piece of incoming as AsyncIterable<Buffer>) hash.update(piece);
    response.writeHead(200, { etag: `"${hash.digest("hex")}"`, "content-length": "0" });
    response.end();
  };
}

/** Says that it was copied, and copies nothing. */
export function copyNothing(): Fault {
  return async ({ incoming, response }) => {
    await drain(incoming);
    const body = `<?xml version="1.0" encoding="UTF-8"?>\n<CopyObjectResult><ETag>"0"</ETag></CopyObjectResult>`;
    response.writeHead(200, { "content-type": "application/xml" });
    response.end(body);
  };
}

/** Says that it was deleted, and deletes nothing. */
export function deleteNothing(): Fault {
  return async ({ incoming, response }) => {
    await drain(incoming);
    response.writeHead(204).end();
  };
}

/** The answer's ETag, in its header and in an XML body, is another one. */
export function wrongETag(etag = "0123456789abcdef0123456789abcdef"): Fault {
  return changeAnswer({
    header: (name, value) => (name.toLowerCase() === "etag" ? `"${etag}"` : value),
    body: (text) => text.replaceAll(/<ETag>[^<]*<\/ETag>/g, `<ETag>&quot;${etag}&quot;</ETag>`),
  });
}

/** The answer's headers say no ETag. */
export function withoutETag(): Fault {
  return changeAnswer({ header: (name, value) => (name.toLowerCase() === "etag" ? undefined : value) });
}

/** One byte of an object's content is another one, as a bad disk or memory makes it. */
export function flipByte(at = 0): Fault {
  return async ({ forward, response }) => {
    const answer = await forward();
    const body = await buffer(answer);
    const byte = body.at(at);
    if (byte !== undefined) body[at] = byte ^ 0x01;
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    response.end(body);
  };
}

/** One byte of what is sent is another one when the store gets it. */
export function flipSentByte(at = 0): Fault {
  return async ({ forward, incoming, response }) => {
    const body = await buffer(incoming);
    const byte = body.at(at);
    if (byte !== undefined) body[at] = byte ^ 0x01;
    const answer = await forward(body);
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(response);
  };
}

/** The objects of a page in reversed order. */
export function listBackwards(): Fault {
  return changeListing((objects) => objects.toReversed());
}

/** An object is listed that is not there. The listing stays in order when the key comes last. */
export function listAlso(key: string, sizeBytes = 5): Fault {
  const entry =
    `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>` +
    `<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>${sizeBytes}</Size>` +
    `<StorageClass>STANDARD</StorageClass></Contents>`;
  return changeListing((objects, page) =>
    page.includes("<IsTruncated>true") ? objects : [...objects, entry],
  );
}

/** A folder is listed that is not there; it comes last. */
export function listFolderAlso(prefix: string): Fault {
  const entry = `<CommonPrefixes><Prefix>${prefix}</Prefix></CommonPrefixes>`;
  return changeAnswer({
    body: (page) => page.replace("</ListBucketResult>", () => `${entry}</ListBucketResult>`),
  });
}

/** Objects that are there are not listed. */
export function hideFromListing(...keys: readonly string[]): Fault {
  return changeListing((objects) =>
    objects.filter(
      (one) =>
        !keys.some(
          (key) => one.includes(`<Key>${encodeURIComponent(key)}</Key>`) || one.includes(`<Key>${key}</Key>`),
        ),
    ),
  );
}

function changeListing(change: (objects: string[], page: string) => string[]): Fault {
  const contents = /<Contents>.*?<\/Contents>/gs;
  return changeAnswer({
    body: (page) => {
      const changed = change(page.match(contents) ?? [], page).join("");
      const rest = page.replaceAll(contents, "");
      return rest.replace("</ListBucketResult>", () => `${changed}</ListBucketResult>`);
    },
  });
}

/** Completes an upload without its part of this number (default: the last), and says that all is well. */
export function losePart(client: S3Client, partNumber?: number): Fault {
  return async ({ request, incoming, response }) => {
    const asked = (await buffer(incoming)).toString("utf8");
    const parts = [...asked.matchAll(/<Part>.*?<\/Part>/gs)].map(([part]) => ({
      PartNumber: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
      ETag: /<ETag>([^<]*)</.exec(part)?.[1]?.replaceAll("&quot;", '"') ?? "",
      ChecksumCRC32: /<ChecksumCRC32>([^<]*)</.exec(part)?.[1],
    }));
    const lost = partNumber ?? parts.at(-1)?.PartNumber;
    const { ETag } = await client.send(
      new CompleteMultipartUploadCommand({
        Bucket: request.bucket,
        Key: request.key,
        UploadId: request.query.get("uploadId") ?? "",
        MultipartUpload: { Parts: parts.filter((part) => part.PartNumber !== lost) },
      }),
    );
    const body =
      `<?xml version="1.0" encoding="UTF-8"?>\n<CompleteMultipartUploadResult>` +
      `<Bucket>${request.bucket}</Bucket><Key>${request.key}</Key><ETag>${ETag ?? ""}</ETag>` +
      `</CompleteMultipartUploadResult>`;
    response.writeHead(200, { "content-type": "application/xml" });
    response.end(body);
  };
}

interface AnswerChange {
  /** Undefined: it is left out. */
  readonly header?: (name: string, value: string) => string | undefined;
  readonly body?: (text: string) => string;
}

function changeAnswer(change: AnswerChange): Fault {
  return async ({ forward, response, request }: Exchange) => {
    const answer = await forward();
    const isXml = (answer.headers["content-type"] ?? "").includes("xml");
    const raw = await buffer(answer);
    const body = isXml && change.body !== undefined ? Buffer.from(change.body(raw.toString("utf8"))) : raw;
    const headers: string[] = [];
    for (let i = 0; i < answer.rawHeaders.length; i += 2) {
      const [name = "", value = ""] = answer.rawHeaders.slice(i, i + 2);
      if (["content-length", "transfer-encoding"].includes(name.toLowerCase()) && request.method !== "HEAD")
        continue;
      const changed = change.header === undefined ? value : change.header(name, value);
      if (changed !== undefined) headers.push(name, changed);
    }
    if (request.method !== "HEAD") headers.push("content-length", String(body.length));
    response.writeHead(answer.statusCode ?? 502, headers);
    response.end(body);
  };
}

async function drain(message: IncomingMessage): Promise<void> {
  for await (const piece of message) void piece;
}
