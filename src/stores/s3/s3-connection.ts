import { readFileSync } from "node:fs";
import { getCACertificates, type SecureContextOptions } from "node:tls";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { Failure } from "../../core/failure.ts";
import { formatBucketUrl, type BucketPlace } from "../../core/files/bucket-url.ts";
import { ConcurrencyLimiter } from "./concurrency-limiter.ts";
import { sendHeadersAsGiven } from "./object-headers.ts";
import { defaultRetryPolicy, sendPatiently, type RetryHost, type RetryPolicy } from "./s3-retry.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** `warn`: something is not as it should be; `info`: good to know. */
type NoticeLevel = "info" | "warn";

export interface S3Options {
  /** Ends every request and every pause between them. */
  readonly signal?: AbortSignal;
  /**
   * The most requests under way at this store at once, over all that this process does there: the least of what
   * was asked for, or 16 where nothing was.
   */
  readonly maxConcurrency?: number;
  readonly retry?: Partial<RetryPolicy>;
  /** Until a connection stands; default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Without a byte in either direction; default 60 s. */
  readonly idleTimeoutMs?: number;
  /** Sentences for people, e.g. that the way to the store is not encrypted. */
  readonly onNotice?: (message: string, level: NoticeLevel) => void;
}

/** The way to one bucket. Everything that is sent through `client` passes its limiter and its retries. */
export interface S3Connection {
  readonly client: S3Client;
  readonly bucket: string;
  /** Text before every key, with its slash; empty for the whole bucket. */
  readonly prefix: string;
  readonly place: BucketPlace;
  /** Canonical; for messages and metadata. */
  readonly url: string;
  readonly region: () => Promise<string>;
  readonly retry: RetryPolicy;
  readonly limiter: ConcurrencyLimiter;
  readonly signal: AbortSignal | undefined;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** How certificates are checked, where the way is encrypted. */
  readonly tls: TlsChecks;
  /** Aborted when the connection is closed, and with `signal`. */
  readonly closed: AbortSignal;
  /** Whether the store has answered anything yet. */
  readonly hasAnswered: () => boolean;
  /** Whoever is on the way can change what is sent, but for what its signature covers. */
  readonly isExposed: boolean;
  /** Default level: `warn`. */
  readonly notice: (message: string, level?: NoticeLevel) => void;
  /** How clean-up is sent: it goes on after `signal` was aborted, for a few seconds, no longer. */
  readonly cleaningUp: () => { readonly abortSignal?: AbortSignal };
  readonly close: () => void;
}

export type TlsChecks = Pick<SecureContextOptions, "ca" | "minVersion"> & {
  readonly rejectUnauthorized: true;
};

const defaultMaxConcurrency = 16;
const cleanUpMs = 3_000;

/** One for each store that this process talks to: its own source and its repository may be the same one. */
const limiters = new Map<string, { readonly limiter: ConcurrencyLimiter; asked: number | undefined }>();

/**
 * Opens the way to a bucket; sends nothing. Credentials come by the AWS chain: the environment, else the profile,
 * a web identity, the container's or the machine's role. Rejects with `store-tls-failed` when the file of
 * certificates cannot be read.
 */
export function openS3(place: BucketPlace, env: Environment, options: S3Options = {}): S3Connection {
  const notice = (message: string, level: NoticeLevel = "warn") => options.onNotice?.(message, level);
  const isExposed = isExposedWay(place.endpoint);
  if (isExposed) {
    notice(`The way to ${place.endpoint} is not encrypted. Use an https endpoint.`);
  }
  const retry = { ...defaultRetryPolicy, ...options.retry };
  const limiter = limiterFor(place, options.maxConcurrency);
  const way = {
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    idleTimeoutMs: options.idleTimeoutMs ?? 60_000,
    tls: tlsChecks(place),
  };
  const handler = new LimitedHandler(makeHandler(way), limiter, options.signal);
  const client = new S3Client(clientConfig(place, env, handler));
  sendHeadersAsGiven(client);
  const closing = new AbortController();
  let answered = false;
  const hasAnswered = () => answered;
  retryInOnePlace(client, options.signal, {
    policy: retry,
    limiter,
    hasAnswered,
    noteAnswer: () => void (answered = true),
    refreshCredentials: () => refreshCredentials(client),
  });
  return {
    client,
    bucket: place.bucket,
    prefix: place.prefix,
    place,
    url: formatBucketUrl(place),
    region: () => client.config.region(),
    retry,
    limiter,
    signal: options.signal,
    ...way,
    closed: options.signal === undefined ? closing.signal : AbortSignal.any([options.signal, closing.signal]),
    hasAnswered,
    isExposed,
    notice,
    cleaningUp: () => (options.signal?.aborted ? { abortSignal: AbortSignal.timeout(cleanUpMs) } : {}),
    close: () => {
      closing.abort();
      client.destroy();
    },
  };
}

/** Plain HTTP to another machine. */
export function isExposedWay(endpoint: string | undefined): boolean {
  if (endpoint?.startsWith("http:") !== true) return false;
  return !/^http:\/\/(?:localhost|127\.[0-9.]+|\[::1\])(?::|\/|$)/.test(endpoint);
}

function limiterFor(place: BucketPlace, asked: number | undefined): ConcurrencyLimiter {
  const store = place.endpoint ?? `aws ${place.bucket}`;
  const known = limiters.get(store);
  if (known === undefined) {
    const limiter = new ConcurrencyLimiter(asked ?? defaultMaxConcurrency);
    limiters.set(store, { limiter, asked });
    return limiter;
  }
  if (asked !== undefined) {
    known.asked = Math.min(asked, known.asked ?? asked);
    known.limiter.setCeiling(known.asked);
  }
  return known.limiter;
}

function clientConfig(place: BucketPlace, env: Environment, requestHandler: LimitedHandler): S3ClientConfig {
  const region = place.region ?? (place.endpoint === undefined ? undefined : "us-east-1");
  const given = place.profile === undefined ? environmentCredentials(env) : undefined;
  return {
    ...(place.endpoint === undefined ? {} : { endpoint: place.endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(place.profile === undefined ? {} : { profile: place.profile }),
    ...(given === undefined ? {} : { credentials: given }),
    forcePathStyle: place.pathStyle ?? place.endpoint !== undefined,
    requestHandler,
    requestChecksumCalculation: "WHEN_SUPPORTED",
    responseChecksumValidation: "WHEN_SUPPORTED",
    // Costs a round trip for every part.
    expectContinueHeader: false,
    logger: silent,
  };
}

function environmentCredentials(env: Environment): S3ClientConfig["credentials"] {
  const [accessKeyId, secretAccessKey] = [env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]];
  if (!accessKeyId || !secretAccessKey || env["AWS_PROFILE"]) return undefined;
  const sessionToken = env["AWS_SESSION_TOKEN"];
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

/** Certificates are always checked, whatever the environment says. */
function tlsChecks(place: BucketPlace): TlsChecks {
  const trusted = place.caFile === undefined ? undefined : readCertificates(place.caFile);
  return {
    rejectUnauthorized: true,
    minVersion: place.minimumTls === "1.3" ? "TLSv1.3" : "TLSv1.2",
    ...(trusted === undefined ? {} : { ca: [...getCACertificates("default"), trusted] }),
  };
}

/**
 * Agents are described, not made: to import `node:http` as a module loads all that it names, Node's WebSockets too,
 * which takes 12 MiB and a third of the time until the client is there.
 */
function makeHandler(way: Pick<S3Connection, "connectTimeoutMs" | "idleTimeoutMs" | "tls">): NodeHttpHandler {
  const agent = { keepAlive: true, maxSockets: 256 };
  return new NodeHttpHandler({
    connectionTimeout: way.connectTimeoutMs,
    socketTimeout: way.idleTimeoutMs,
    httpAgent: agent,
    httpsAgent: { ...agent, ...way.tls },
  });
}

function readCertificates(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure("store-tls-failed", `Cannot read the certificates that ca= names: ${reason}.`, {
      cause,
    });
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new Failure(
    "store-tls-failed",
    `${path}, named by ca=, holds no certificate in PEM form (-----BEGIN CERTIFICATE-----).`,
  );
}

const silent = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

type Handled = Awaited<ReturnType<NodeHttpHandler["handle"]>>;
type HandledRequest = Parameters<NodeHttpHandler["handle"]>[0];
type HandlerOptions = NonNullable<Parameters<NodeHttpHandler["handle"]>[1]>;

/**
 * Lets a request go when the limiter does, until its answer begins. The body of an answer holds no place: whoever
 * reads one object to write another would wait for himself.
 */
class LimitedHandler {
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly #inner: NodeHttpHandler;
  readonly #limiter: ConcurrencyLimiter;
  readonly #signal: AbortSignal | undefined;

  constructor(inner: NodeHttpHandler, limiter: ConcurrencyLimiter, signal: AbortSignal | undefined) {
    this.#inner = inner;
    this.#limiter = limiter;
    this.#signal = signal;
  }

  async handle(request: HandledRequest, options: HandlerOptions = {}): Promise<Handled> {
    // A request with a signal of its own is ended by that alone: clean-up outlives what is cleaned up.
    const signal = (options.abortSignal as AbortSignal | undefined) ?? this.#signal;
    await this.#limiter.acquire(signal);
    try {
      return await this.#inner.handle(request, {
        ...options,
        ...(signal === undefined ? {} : { abortSignal: signal }),
      });
    } finally {
      this.#limiter.release();
    }
  }

  updateHttpClientConfig(...change: Parameters<NodeHttpHandler["updateHttpClientConfig"]>): void {
    this.#inner.updateHttpClientConfig(...change);
  }

  httpHandlerConfigs(): ReturnType<NodeHttpHandler["httpHandlerConfigs"]> {
    return this.#inner.httpHandlerConfigs();
  }

  destroy(): void {
    this.#inner.destroy();
  }
}

/** Takes the place of the client's own retries. */
function retryInOnePlace(client: S3Client, signal: AbortSignal | undefined, host: RetryHost): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      const own = (context["__smithy_context"] as { abortSignal?: AbortSignal } | undefined)?.abortSignal;
      return sendPatiently(host, own ?? signal, () => next(args));
    },
    { name: "retryMiddleware", tags: ["RETRY"], step: "finalizeRequest", priority: "high", override: true },
  );
}

async function refreshCredentials(client: S3Client): Promise<boolean> {
  try {
    const before = await client.config.credentials();
    const after = await client.config.credentials({ forceRefresh: true });
    return before.accessKeyId !== after.accessKeyId || before.sessionToken !== after.sessionToken;
  } catch {
    return false;
  }
}
