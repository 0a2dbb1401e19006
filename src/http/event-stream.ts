import type { FastifyReply, FastifyRequest } from "fastify";
import type { Waiting } from "../contract/service.ts";
import { Failure } from "../core/failure.ts";
import type { HttpParts } from "./parts.ts";
import { describeProblem } from "./problems.ts";

/** Proxies and clients give a silent connection up; most wait for at least half a minute. */
const keepAliveMs = 15_000;

export interface EventStream {
  send(event: string, data: unknown): void;
  end(): void;
  /** Aborted when the client went away, or the server stops. */
  readonly signal: AbortSignal;
}

/** Server-sent events as the answer. From here on nothing else may answer. */
export function openEventStream(
  { stopping }: HttpParts,
  request: FastifyRequest,
  reply: FastifyReply,
): EventStream {
  reply.hijack();
  const { raw } = reply;
  const gone = new AbortController();
  raw.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-correlation-id": request.id,
    "x-accel-buffering": "no",
  });
  raw.write(": open\n\n");
  const timer = setInterval(() => raw.write(": alive\n\n"), keepAliveMs);
  raw.once("close", () => {
    clearInterval(timer);
    gone.abort();
  });
  return {
    send: (event, data) => {
      if (!raw.destroyed) raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    },
    end: () => void raw.end(),
    signal: AbortSignal.any([gone.signal, stopping]),
  };
}

/**
 * Answers with what `run` comes to. Who accepts `text/event-stream` is told meanwhile how it goes (`progress`,
 * `state`, `log`) and gets the outcome as `result` or `problem`. Work that must not stop half-way goes on when the
 * client goes away (`outlivesClient`).
 */
export async function answerWaiting<T>(
  parts: HttpParts,
  request: FastifyRequest,
  reply: FastifyReply,
  run: (waiting: Waiting) => Promise<T>,
  options: { readonly outlivesClient: boolean },
): Promise<T | undefined> {
  if (!(request.headers.accept ?? "").includes("text/event-stream")) {
    const gone = new AbortController();
    reply.raw.once("close", () => {
      if (!reply.raw.writableFinished) gone.abort(new Failure("cancelled", "The client went away."));
    });
    const signal = options.outlivesClient
      ? new AbortController().signal
      : AbortSignal.any([gone.signal, parts.stopping]);
    return await run({ signal, onEvent: () => undefined });
  }
  const stream = openEventStream(parts, request, reply);
  const signal = options.outlivesClient ? new AbortController().signal : stream.signal;
  try {
    const result = await run({ signal, onEvent: (event) => stream.send(event.type, event) });
    stream.send("result", result);
  } catch (error) {
    stream.send("problem", describeProblem(Failure.from(error), request));
  }
  stream.end();
  return undefined;
}

/** As `answerWaiting`, and answers with what came of it. */
export async function sendWaiting(
  parts: HttpParts,
  request: FastifyRequest,
  reply: FastifyReply,
  run: (waiting: Waiting) => Promise<unknown>,
  options: { readonly outlivesClient: boolean },
): Promise<FastifyReply> {
  const result = await answerWaiting(parts, request, reply, run, options);
  return reply.sent ? reply : await reply.send(result);
}
