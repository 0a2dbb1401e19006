import { once } from "node:events";
import { PassThrough } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Failure } from "../core/failure.ts";
import type { HttpParts } from "./parts.ts";

export interface StreamedBody {
  /** Resolves when the client has taken enough for more; rejects when it went away. */
  write(piece: Uint8Array | string): Promise<void>;
  /** Aborted when the client went away, or the server stops. */
  readonly signal: AbortSignal;
}

/**
 * Answers with what `work` writes, in constant memory. What fails before the first piece is a problem like any other;
 * after it the connection is broken off: a body that ends as HTTP ends one is whole.
 */
export async function answerStreaming(
  parts: HttpParts,
  request: FastifyRequest,
  reply: FastifyReply,
  work: (body: StreamedBody) => Promise<void>,
): Promise<FastifyReply> {
  const body = new PassThrough();
  // Said by the work itself; what nobody listens for would end this process.
  body.on("error", () => undefined);
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort(new Failure("cancelled", "The client went away."));
  });
  const signal = AbortSignal.any([gone.signal, parts.stopping]);
  const begun = Promise.withResolvers<void>();
  const write: StreamedBody["write"] = async (piece) => {
    signal.throwIfAborted();
    begun.resolve();
    if (!body.write(piece)) await once(body, "drain", { signal });
  };
  const done = work({ write, signal }).then(
    () => void body.end(),
    (error: unknown) => {
      const failure = Failure.from(error);
      body.destroy(failure);
      throw failure;
    },
  );
  await Promise.race([begun.promise, done]);
  done.catch((error: unknown) => logBroken(parts, request, Failure.from(error)));
  return await reply.send(body);
}

function logBroken(parts: HttpParts, request: FastifyRequest, { code, message }: Failure): void {
  if (code === "cancelled") return;
  parts.log({
    level: "ERROR",
    logger: "lc2.http",
    message: `An answer was broken off (${code}): ${message}`,
    fields: { correlation_id: request.id },
  });
}
