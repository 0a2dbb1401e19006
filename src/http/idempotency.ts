/** Requests that their sender may repeat. */
import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { HttpParts } from "./parts.ts";

export const idempotencyHeader = Type.Object({
  "idempotency-key": Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description: "Chosen by the sender: the request is done once, however often it is sent.",
    }),
  ),
});

/** The id that repetitions of this request share; undefined where the sender does not say that it repeats. */
export async function claim(
  parts: HttpParts,
  request: FastifyRequest,
  kind: "backup" | "restore",
): Promise<string | undefined> {
  const idempotencyKey = request.headers["idempotency-key"];
  if (typeof idempotencyKey !== "string" || request.caller === undefined) return undefined;
  const asked = JSON.stringify([kind, request.params, request.body]);
  const fingerprint = createHash("sha256").update(asked).digest("hex");
  const { keyId } = request.caller;
  return await parts.gatekeeper.claimRequest(kind, { keyId, idempotencyKey, fingerprint });
}
