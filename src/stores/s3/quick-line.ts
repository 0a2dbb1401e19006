import type { Dispatcher, Pool as PoolOf } from "undici";
// The whole package also loads fetch, WebSockets and more, at a quarter of what a worker costs to start.
import Pool from "undici/lib/dispatcher/pool.js";
import { AnswerBody } from "./answer-body.ts";
import type { S3Connection } from "./s3-connection.ts";

export interface LineAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** To be read to its end, or given up by `destroy`. Throws where it is cut. */
  readonly body: AnswerBody;
}

type Request = Pick<Dispatcher.DispatchOptions, "method" | "path" | "headers" | "body">;

/** Ways to one server that are kept open, as many as are asked for at once. `origin`: scheme, host and port. */
export function openLines(
  origin: string,
  { connectTimeoutMs, idleTimeoutMs, tls }: Pick<S3Connection, "connectTimeoutMs" | "idleTimeoutMs" | "tls">,
): PoolOf {
  return new Pool(origin, {
    allowH2: false,
    connect: { ...tls, timeout: connectTimeoutMs },
    headersTimeout: idleTimeoutMs,
    bodyTimeout: idleTimeoutMs,
  });
}

/** Sends a request once; resolves when the answer begins. The header `host` is part of `headers`. */
export async function ask(lines: PoolOf, request: Request): Promise<LineAnswer> {
  const answered = Promise.withResolvers<LineAnswer>();
  let body: AnswerBody | undefined;
  lines.dispatch(request, {
    onRequestStart: () => undefined,
    onResponseStart: (control, status, headers) => {
      if (status < 200) return;
      body = new AnswerBody(Number(headers["content-length"] ?? NaN), {
        pause: () => control.pause(),
        resume: () => control.resume(),
        destroy: () => control.abort(new Error("the answer was given up")),
      });
      answered.resolve({ status, headers: toText(headers), body });
    },
    onResponseData: (_control, bytes) => body?.add(bytes),
    onResponseEnd: () => body?.end(),
    onResponseError: (_control, error) => {
      const said = asNodeSaysIt(error);
      answered.reject(said);
      body?.end(said);
    },
  });
  return await answered.promise;
}

/** The library has codes of its own for a connection that is cut or does not answer; this passes, as Node's codes say. */
const asNodeSaysIt = (error: Error & { readonly code?: unknown }): Error =>
  typeof error.code === "string" && error.code.startsWith("UND_ERR_")
    ? Object.assign(new Error(error.message, { cause: error }), { code: "ECONNRESET" })
    : error;

type SentHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2];

const toText = (headers: SentHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
