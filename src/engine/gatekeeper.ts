import type { Gatekeeper } from "../contract/access.ts";
import { Failure } from "../core/failure.ts";
import { makeOperationId } from "../core/repository/layout.ts";
import { findCaller } from "./api-keys.ts";
import type { EngineParts } from "./parts.ts";

/** How long a repetition of a request is known as one. */
const requestKeyLifeMs = 24 * 3_600_000;

/** What a server asks about its callers. */
export function createGatekeeper(parts: EngineParts): Gatekeeper {
  return {
    authenticate: async (secret) => await findCaller(parts, secret),

    claimRequest: async (kind, request) => {
      const nowMs = parts.clock.nowMs();
      await parts.catalog.forgetRequestKeys(nowMs - requestKeyLifeMs);
      // The id is chosen here, so that a repetition after a crash finds what the first try had begun.
      const operationId = makeOperationId(kind, nowMs, parts.ids.hex(6));
      const kept = await parts.catalog.claimRequestKey({ ...request, operationId, createdAtMs: nowMs });
      if (kept.fingerprint === request.fingerprint) return kept.operationId;
      throw new Failure(
        "idempotency-key-reused",
        `The Idempotency-Key "${request.idempotencyKey}" was sent with another request before (it made ` +
          `${kept.operationId}). Choose a new one for a new request.`,
      );
    },
  };
}
