import { setTimeout as sleep } from "node:timers/promises";
import type { ProblemDocument } from "../contract/rest/problem.ts";
import type { ServiceEvent, Waiting } from "../contract/service.ts";
import { Failure, failures, type FailureCode } from "../core/failure.ts";

export interface ServerAddress {
  /** `https://backup.example.com:8443` */
  readonly url: string;
  readonly apiKey: string;
}

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below `/api/v1/`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** May be sent again when no answer came: it changes nothing twice. */
  readonly repeatable?: boolean;
}

const tries = 4;
const firstPauseMs = 250;

/** Calls of one server. Every answer that is not what was asked for becomes the `Failure` that the server had. */
export class HttpConnection {
  readonly #base: URL;
  readonly #address: ServerAddress;

  constructor(address: ServerAddress) {
    this.#address = address;
    this.#base = new URL("/api/v1/", address.url);
  }

  async call<T>(call: Call): Promise<T> {
    const response = await this.#send(call, "application/json");
    if (response.status === 204) return undefined as T;
    return await this.#readJson<T>(response);
  }

  /** A call that takes its time: what happens meanwhile are events. */
  async callWaiting<T>(call: Call, waiting: Waiting): Promise<T> {
    const response = await this.#send(call, "text/event-stream", waiting.signal);
    for await (const { event, data } of this.#readEvents(response, waiting.signal)) {
      if (event === "result") return data as T;
      if (event === "problem") throw toFailure(data);
      waiting.onEvent(data as ServiceEvent);
    }
    throw this.unreachable("the answer ended before its end");
  }

  /** The body of an answer, piece by piece. Rejects with `server-unreachable` when it breaks off. */
  async *bytes(call: Call, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const response = await this.#send(call, "*/*", signal);
    yield* this.#readBody(response, signal);
  }

  /** The lines of an answer, as they come. */
  async *lines(call: Call, signal: AbortSignal): AsyncGenerator<string> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const piece of this.bytes(call, signal)) {
      const lines = `${rest}${decoder.decode(piece, { stream: true })}`.split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
    if (rest !== "") yield rest;
  }

  /** Events of something that is followed. */
  async *follow(path: string): AsyncGenerator<{ readonly event: string; readonly data: unknown }> {
    const response = await this.#send({ method: "GET", path, repeatable: true }, "text/event-stream");
    yield* this.#readEvents(response, new AbortController().signal);
  }

  async #send(call: Call, accept: string, signal?: AbortSignal): Promise<Response> {
    const url = new URL(call.path, this.#base);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const request: RequestInit = {
      method: call.method,
      // The key is for this server alone.
      redirect: "error",
      headers: {
        authorization: `Bearer ${this.#address.apiKey}`,
        accept: `${accept}, application/problem+json`,
        ...(call.body === undefined ? {} : { "content-type": "application/json" }),
        ...call.headers,
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      ...(signal === undefined ? {} : { signal }),
    };
    for (let attempt = 1; ; attempt += 1) {
      const isLast = call.repeatable !== true || attempt === tries;
      try {
        const response = await fetch(url, request);
        if (response.ok) return response;
        if (response.status !== 503 || isLast) throw await this.#readProblem(response);
      } catch (error) {
        if (signal?.aborted === true) throw new Failure("cancelled", "Cancelled.", { cause: error });
        if (error instanceof Failure) throw error;
        if (isLast) throw this.unreachable(reasonOf(error), error);
      }
      await sleep(firstPauseMs * 2 ** attempt);
    }
  }

  async #readJson<T>(response: Response): Promise<T> {
    try {
      return (await response.json()) as T;
    } catch (cause) {
      throw this.unreachable("its answer is no JSON", cause);
    }
  }

  async #readProblem(response: Response): Promise<Failure> {
    const type = response.headers.get("content-type") ?? "";
    if (type.startsWith("application/problem+json")) return toFailure(await this.#readJson(response));
    return this.unreachable(`it answered with status ${response.status} and no problem document`);
  }

  async *#readEvents(response: Response, signal: AbortSignal) {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const piece of this.#readBody(response, signal)) {
      const messages = `${rest}${decoder.decode(piece, { stream: true })}`.split("\n\n");
      rest = messages.pop() ?? "";
      for (const message of messages) yield* parseEvent(message);
    }
  }

  async *#readBody(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    if (response.body === null) return;
    const pieces = response.body[Symbol.asyncIterator]();
    for (;;) {
      const next: IteratorResult<Uint8Array, unknown> = await pieces.next().catch((error: unknown) => {
        if (signal.aborted) throw new Failure("cancelled", "Cancelled.", { cause: error });
        throw this.unreachable(reasonOf(error), error);
      });
      if (next.done === true) return;
      yield next.value;
    }
  }

  /** What the server left unsaid. */
  unreachable(reason: string, cause?: unknown): Failure {
    return new Failure(
      "server-unreachable",
      `The server at ${this.#base.origin} gave no answer: ${reason}. Check the address (LC2_SERVER, or ` +
        "`lc2 context list`) and that `lc2 serve` runs there.",
      { cause, retry: "backoff" },
    );
  }
}

function* parseEvent(message: string): Generator<{ readonly event: string; readonly data: unknown }> {
  const event = /^event: (.*)$/m.exec(message)?.[1];
  const data = /^data: (.*)$/m.exec(message)?.[1];
  if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) as unknown };
}

/** The failure that a problem document tells of. */
export function toFailure(document: unknown): Failure {
  const { code, detail, retry } = document as ProblemDocument;
  if (code in failures) return new Failure(code as FailureCode, detail, { retry });
  // A newer server has codes of its own.
  return new Failure("internal", `${detail} (${code})`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? cause.message || cause.name : error.message;
}
