import { randomUUID } from "node:crypto";
import type { Submission } from "../contract/service.ts";

/** Sent again under the same words when no answer came, so that the work is begun once. */
export const submissionOf = ({ requestId, operationId }: Submission) => ({
  repeatable: true,
  headers: {
    "idempotency-key": operationId ?? randomUUID(),
    ...(requestId === undefined ? {} : { "x-correlation-id": requestId }),
  },
});
