import { createHmac, hash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import type { Pool } from "undici";
import { ask, openLines, type LineAnswer } from "./quick-line.ts";
import type { S3Connection } from "./s3-connection.ts";
import { parseRetryAfter } from "./store-error.ts";

type Headers = Readonly<Record<string, string>>;

/** Where the client would send a request to; the bucket's path ends with a slash. */
interface Address {
  readonly isSecure: boolean;
  readonly hostname: string;
  readonly port: number | undefined;
  readonly path: string;
}

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
  readonly method: "GET" | "HEAD" | "PUT";
  readonly headers: Headers;
  readonly body?: Uint8Array;
  /** Lower-case hex, of the body. */
  readonly sha256: string;
}

/**
 * Sends GETs and HEADs of a bucket, and PUTs of small objects, with the connection's limiter, its certificates and its
 * credentials, and without the client's work on each, which for a small object takes longer than all the rest. Only a
 * good answer is one: `undefined` means to ask again by the client, which says what is wrong and retries.
 */
class QuickRequests {
  readonly #connection: S3Connection;
  #storeAheadMs = 0;
  #address: Promise<Address> | undefined;
  #lines: Pool | undefined;
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
  ): Promise<LineAnswer | undefined> {
    return this.#send(key, query, { method: "GET", headers, sha256: emptyHash });
  }

  /** As `get`. That there is no such object, or no bucket, is a good answer too: it has no words to read. */
  async head(key: string, headers: Headers): Promise<LineAnswer | undefined> {
    return this.#send(key, [], { method: "HEAD", headers, sha256: emptyHash });
  }

  /** Sends an object whole. `sha256`: of its bytes, in lower-case hex; it is signed, so it is compared. */
  async put(
    key: string,
    headers: Headers,
    body: Uint8Array,
    sha256: string,
  ): Promise<LineAnswer | undefined> {
    const length = { "content-length": String(body.length) };
    return this.#send(key, [], { method: "PUT", headers: { ...headers, ...length }, body, sha256 });
  }

  async #send(
    key: string,
    query: readonly (readonly [string, string])[],
    message: Message,
  ): Promise<LineAnswer | undefined> {
    const { limiter, closed } = this.#connection;
    // How such a header is signed is for the client to know.
    if (closed.aborted || Object.values(message.headers).some((value) => /[^\x20-\x7e]/.test(value)))
      return undefined;
    let answer: LineAnswer;
    try {
      const request = await this.#sign(key, query, message);
      await limiter.acquire(closed);
      try {
        answer = await ask(this.#openLines(await this.#learn()), request);
      } finally {
        limiter.release();
      }
    } catch {
      return undefined;
    }
    const storeMs = Date.parse(answer.headers["date"] ?? "");
    if (Number.isFinite(storeMs)) this.#storeAheadMs = storeMs - Date.now();
    const isGood = answer.status === 200 || answer.status === 206;
    if (isGood || (answer.status === 404 && message.method === "HEAD")) {
      limiter.noteAnswer();
      return answer;
    }
    answer.body.destroy();
    if (answer.status === 429 || answer.status >= 500) await this.#pause(answer);
    return undefined;
  }

  /** The store asked to slow down, or is not well: the client is not to ask again at once. */
  async #pause({ status, headers }: LineAnswer): Promise<void> {
    const { limiter, retry, signal } = this.#connection;
    if (status === 429 || status === 503) limiter.noteThrottled();
    const pauseMs = parseRetryAfter(headers["retry-after"]) ?? Math.random() * retry.baseMs;
    if (pauseMs > retry.longestPauseMs) return;
    await delay(pauseMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }

  #openLines({ hostname, port, isSecure }: Address): Pool {
    if (this.#lines !== undefined) return this.#lines;
    const { closed } = this.#connection;
    const at = port === undefined ? hostname : `${hostname}:${port}`;
    const lines = openLines(`${isSecure ? "https" : "http"}://${at}`, this.#connection);
    closed.addEventListener("abort", () => void lines.destroy().catch(() => undefined), { once: true });
    return (this.#lines = lines);
  }

  async #sign(
    key: string,
    query: readonly (readonly [string, string])[],
    { method, headers, body, sha256 }: Message,
  ): Promise<Parameters<typeof ask>[1]> {
    const { client } = this.#connection;
    const address = await this.#learn();
    const credentials = await client.config.credentials();
    const region = await this.#connection.region();
    const time = new Date(Date.now() + client.config.systemClockOffset)
      .toISOString()
      .replaceAll(/[-:]|\.\d+/g, "");
    const path = address.path + key.split("/").map(escape).join("/");
    const search = query.map(([name, value]) => `${escape(name)}=${escape(value)}`).join("&");
    const signed: Record<string, string> = {
      ...headers,
      host: address.port === undefined ? address.hostname : `${address.hostname}:${address.port}`,
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
    return {
      method,
      path: search === "" ? path : `${path}?${search}`,
      headers: { ...signed, authorization },
      ...(body === undefined ? {} : { body }),
    };
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

  #learn(): Promise<Address> {
    return (this.#address ??= this.#askClient());
  }

  async #askClient(): Promise<Address> {
    const { client, bucket } = this.#connection;
    const command = new GetObjectCommand({ Bucket: bucket, Key: "k" });
    const built = Promise.withResolvers<Built>();
    command.middlewareStack.add(
      () => (args) => {
        built.resolve(args.request as Built);
        return Promise.resolve({ response: {}, output: { $metadata: {} } });
      },
      { name: "learnAddress", step: "build", priority: "low" },
    );
    await client.send(command);
    const { protocol, hostname, port, path } = await built.promise;
    return { isSecure: protocol === "https:", hostname, port, path: path.slice(0, -1) };
  }
}

/** As far as it matters. */
interface Built {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
}

/** As signatures want it. */
const escape = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
