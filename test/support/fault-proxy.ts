/**
 * A proxy on loopback in front of a real S3 server, that misbehaves by rule and passes everything else on as
 * it is. Requests keep their Host header, so the server accepts signatures that were made for the proxy.
 */
import { once } from "node:events";
import { createServer, request as startRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { readS3Request, type S3Operation, type S3Request } from "./s3-request.ts";

export interface FaultRule {
  /** Which requests; each condition that is absent holds for all. */
  readonly operation?: S3Operation | readonly S3Operation[];
  /** Of the key: the start of it, or a pattern. */
  readonly key?: string | RegExp;
  readonly where?: (request: S3Request) => boolean;
  /** So many matching requests pass first; default 0. */
  readonly after?: number;
  /** So many matching requests then suffer; default: every one. */
  readonly times?: number;
  readonly fault: Fault;
}

/** Answers a request in the server's stead, or passes it on in its own way. Made by the functions of s3-faults.ts. */
export type Fault = (exchange: Exchange) => Promise<void>;

export interface Exchange {
  readonly request: S3Request;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  /** Sends the request on; resolves with the server's answer, of which nothing was read yet. */
  forward(body?: AsyncIterable<Uint8Array> | Uint8Array): Promise<IncomingMessage>;
  /** Sends the request on and the answer back, unchanged. */
  pass(): Promise<void>;
}

export interface ActiveRule {
  /** Requests that suffered so far. */
  readonly hits: number;
  remove(): void;
}

export interface FaultProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  /** Every request that arrived, in order; those that a rule hit included. */
  readonly requests: readonly S3Request[];
  /** The first rule that holds for a request decides; rules added later come first. */
  add(rule: FaultRule): ActiveRule;
  countOf(operation: S3Operation, key?: string | RegExp): number;
  close(): Promise<void>;
}

/** `upstream` is an endpoint without TLS, such as `http://127.0.0.1:7070`. */
export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  const rules: RuleState[] = [];
  const requests: S3Request[] = [];
  const server = createServer((incoming, response) => {
    const request = readS3Request(incoming);
    const { socket } = incoming;
    requests.push(request);
    const exchange = openExchange(upstream, request, incoming, response);
    const rule = rules.find((one) => one.takes(request));
    (rule === undefined ? exchange.pass() : rule.fault(exchange)).catch(() => {
      // One of the two hung up; the other is to see it too.
      socket.destroy();
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port for the proxy");
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    add(rule) {
      const state = new RuleState(rule);
      rules.unshift(state);
      return {
        get hits() {
          return state.hits;
        },
        remove: () => rules.splice(rules.indexOf(state), 1),
      };
    },
    countOf: (operation, key) =>
      requests.filter((one) => one.operation === operation && keyMatches(one.key, key)).length,
    close,
    [Symbol.asyncDispose]: close,
  };
}

class RuleState {
  hits = 0;
  readonly fault: Fault;
  readonly #rule: FaultRule;
  #passed = 0;

  constructor(rule: FaultRule) {
    this.#rule = rule;
    this.fault = rule.fault;
  }

  /** Whether the request is to suffer; counts it. */
  takes(request: S3Request): boolean {
    const { operation, key, where, after = 0, times = Infinity } = this.#rule;
    const operations = operation === undefined ? undefined : [operation].flat();
    if (operations?.includes(request.operation) === false) return false;
    if (!keyMatches(request.key, key) || where?.(request) === false) return false;
    if (this.#passed < after) {
      this.#passed += 1;
      return false;
    }
    if (this.hits >= times) return false;
    this.hits += 1;
    return true;
  }
}

function keyMatches(key: string, wanted: string | RegExp | undefined): boolean {
  if (wanted === undefined) return true;
  return typeof wanted === "string" ? key.startsWith(wanted) : wanted.test(key);
}

function openExchange(
  upstream: string,
  request: S3Request,
  incoming: IncomingMessage,
  response: ServerResponse,
): Exchange {
  const forward = async (
    body: AsyncIterable<Uint8Array> | Uint8Array = incoming,
  ): Promise<IncomingMessage> => {
    const { hostname, port } = new URL(upstream);
    const headers = rawHeadersWithout(incoming, ["expect"]);
    const outgoing = startRequest({
      hostname,
      port,
      method: request.method,
      path: incoming.url,
      headers,
      agent: false,
      setHost: false,
    });
    const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
    answered.catch(() => undefined);
    response.once("close", () => outgoing.destroy());
    try {
      for await (const piece of body instanceof Uint8Array ? [body] : body) {
        if (!outgoing.write(piece)) await once(outgoing, "drain");
      }
      outgoing.end();
    } catch (error) {
      outgoing.destroy();
      throw error;
    }
    return (await answered)[0];
  };
  const pass = async (): Promise<void> => {
    const answer = await forward();
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    for await (const piece of answer as AsyncIterable<Uint8Array>) {
      if (!response.write(piece)) await once(response, "drain");
    }
    response.end();
  };
  return { request, incoming, response, forward, pass };
}

function rawHeadersWithout(message: IncomingMessage, names: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < message.rawHeaders.length; i += 2) {
    const [name = "", value = ""] = message.rawHeaders.slice(i, i + 2);
    if (!names.includes(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}
