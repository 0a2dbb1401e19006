import { createHmac, hash } from "node:crypto";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import type { NodeHttpHandler } from "@smithy/node-http-handler";
import type { S3Connection } from "./s3-connection.ts";
import { parseRetryAfter } from "./store-error.ts";

/** A good answer of the store, as it came. */
export interface QuickAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

type HttpHandler = Pick<NodeHttpHandler, "handle">;
type HttpRequest = Parameters<NodeHttpHandler["handle"]>[0];
type Headers = Readonly<Record<string, string>>;

const quickRequests = new WeakMap<S3Connection, QuickRequests>();

/** Those of a connection. */
export function quickRequestsOf(connection: S3Connection): QuickRequests {
  let requests = quickRequests.get(connection);
  if (requests === undefined) quickRequests.set(connection, (requests = new QuickRequests(connection)));
  return requests;
}

const emptyHash = hash("sha256", "");

/** What a request says beside its address. */
interface Message {
  readonly method: "GET" | "PUT";
  readonly headers: Headers;
  readonly body?: Uint8Array;
  /** Lower-case hex, of the body. */
  readonly sha256: string;
}

/**
 * Sends GETs of a bucket, and PUTs of small objects, through the connection's own handler, with its limiter, its certificates and its
 * credentials, and without the client's work on each, which for a small object takes longer than all the rest. Only a
 * good answer is one: `undefined` means to ask again by the client, which says what is wrong and retries.
 */
class QuickRequests {
  readonly #connection: S3Connection;
  #storeAheadMs = 0;
  #template: Promise<HttpRequest> | undefined;
  #signingKey: { readonly scope: string; readonly secret: string; readonly key: Buffer } | undefined;

  constructor(connection: S3Connection) {
    this.#connection = connection;
  }

  /** The store's own time, by the headers of its answers: to the second, and never ahead of it. */
  storeTimeMs(): number {
    return Date.now() + this.#storeAheadMs;
  }

  /** `key` is text, `""` for the bucket itself; query names in byte order. */
  async get(
    key: string,
    query: readonly (readonly [string, string])[],
    headers: Headers,
  ): Promise<QuickAnswer | undefined> {
    return this.#send(key, query, { method: "GET", headers, sha256: emptyHash });
  }

  /** Sends an object whole. `sha256`: of its bytes, in lower-case hex; it is signed, so it is compared. */
  async put(
    key: string,
    headers: Headers,
    body: Uint8Array,
    sha256: string,
  ): Promise<QuickAnswer | undefined> {
    // How such a header is signed is for the client to know.
    if (Object.values(headers).some((value) => /[^\x20-\x7e]/.test(value))) return undefined;
    const length = { "content-length": String(body.length) };
    return this.#send(key, [], { method: "PUT", headers: { ...headers, ...length }, body, sha256 });
  }

  async #send(
    key: string,
    query: readonly (readonly [string, string])[],
    message: Message,
  ): Promise<QuickAnswer | undefined> {
    const { client, limiter, signal } = this.#connection;
    if (signal?.aborted) return undefined;
    let answer: QuickAnswer;
    try {
      const request = await this.#sign(key, query, message);
      const handler: HttpHandler = client.config.requestHandler;
      const { response } = await handler.handle(request);
      answer = { status: response.statusCode, headers: response.headers, body: response.body as Readable };
    } catch {
      return undefined;
    }
    const storeMs = Date.parse(answer.headers["date"] ?? "");
    if (Number.isFinite(storeMs)) this.#storeAheadMs = storeMs - Date.now();
    if (answer.status === 200 || answer.status === 206) {
      limiter.noteAnswer();
      return answer;
    }
    answer.body.on("error", () => undefined).resume();
    if (answer.status === 429 || answer.status >= 500) await this.#pause(answer);
    return undefined;
  }

  /** The store asked to slow down, or is not well: the client is not to ask again at once. */
  async #pause({ status, headers }: QuickAnswer): Promise<void> {
    const { limiter, retry, signal } = this.#connection;
    if (status === 429 || status === 503) limiter.noteThrottled();
    const pauseMs = parseRetryAfter(headers["retry-after"]) ?? Math.random() * retry.baseMs;
    if (pauseMs > retry.longestPauseMs) return;
    await delay(pauseMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }

  async #sign(
    key: string,
    query: readonly (readonly [string, string])[],
    { method, headers, body, sha256 }: Message,
  ): Promise<HttpRequest> {
    const { client } = this.#connection;
    const template = await (this.#template ??= this.#learn());
    const credentials = await client.config.credentials();
    const region = await this.#connection.region();
    const time = new Date(Date.now() + client.config.systemClockOffset)
      .toISOString()
      .replaceAll(/[-:]|\.\d+/g, "");
    const path = template.path + key.split("/").map(escape).join("/");
    const search = query.map(([name, value]) => `${escape(name)}=${escape(value)}`).join("&");
    const signed: Record<string, string> = {
      ...headers,
      host: template.port === undefined ? template.hostname : `${template.hostname}:${template.port}`,
      "x-amz-content-sha256": sha256,
      "x-amz-date": time,
      ...(credentials.sessionToken === undefined ? {} : { "x-amz-security-token": credentials.sessionToken }),
    };
    const names = Object.keys(signed).sort();
    const lines = names
      .map((name) => `${name}:${(signed[name] ?? "").trim().replaceAll(/\s+/g, " ")}\n`)
      .join("");
    const canonical = `${method}\n${path}\n${search}\n${lines}\n${names.join(";")}\n${sha256}`;
    const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
    const signature = createHmac("sha256", this.#keyFor(scope, credentials.secretAccessKey))
      .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash("sha256", canonical)}`)
      .digest("hex");
    const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
    return Object.assign(Object.create(Object.getPrototypeOf(template) as object) as HttpRequest, template, {
      path: search === "" ? path : `${path}?${search}`,
      method,
      headers: { ...signed, authorization },
      ...(body === undefined ? {} : { body }),
    });
  }

  #keyFor(scope: string, secret: string): Buffer {
    if (this.#signingKey?.scope === scope && this.#signingKey.secret === secret) return this.#signingKey.key;
    const key = scope
      .split("/")
      .reduce<Buffer>(
        (parent, part) => createHmac("sha256", parent).update(part).digest(),
        Buffer.from(`AWS4${secret}`),
      );
    this.#signingKey = { scope, secret, key };
    return key;
  }

  /** Where the client would send a request to, its path being that of the bucket with a slash at its end. */
  async #learn(): Promise<HttpRequest> {
    const { client, bucket } = this.#connection;
    const command = new GetObjectCommand({ Bucket: bucket, Key: "k" });
    let built: unknown;
    command.middlewareStack.add(
      () => (args) => {
        built = args.request;
        return Promise.resolve({ response: {}, output: { $metadata: {} } });
      },
      { name: "learnAddress", step: "build", priority: "low" },
    );
    await client.send(command);
    const request = built as HttpRequest;
    return Object.assign(request, { query: {}, path: request.path.slice(0, -1) });
  }
}

/** As signatures want it. */
const escape = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
