import type { FastifyReply, FastifyRequest } from "fastify";
import type { ProblemDocument } from "../contract/rest/problem.ts";
import { InvalidRequest, type Problem } from "../core/problem.ts";
import { Failure, failures, type FailureCode } from "../core/failure.ts";

/** A request that does not have the shape of its schema: the messages of a schema need the field beside them. */
export const misshapen = (problems: readonly Problem[]): InvalidRequest =>
  new InvalidRequest(problems, problems.map(({ field, message }) => `${field}: ${message}`).join(" "));

/** A failure whose HTTP status is not its code's own: what the protocol itself refused. */
export class ProtocolRefusal extends Failure {
  readonly status: number;

  constructor(status: number, code: FailureCode, message: string) {
    super(code, message);
    this.status = status;
  }
}

const statusOfKind = {
  usage: 400,
  refused: 422,
  "not-found": 404,
  "timed-out": 504,
  integrity: 500,
  failed: 500,
} as const;

/** Where a code says more than its kind. */
const statusOfCode: Partial<Record<FailureCode, number>> = {
  unauthenticated: 401,
  forbidden: 403,
  "too-many-attempts": 429,
  "already-finished": 409,
  "still-running": 409,
  "nothing-to-undo": 409,
  "repository-busy": 409,
  "place-busy": 409,
  cancelled: 409,
  interrupted: 409,
  "definition-exists": 409,
  "definition-in-use": 409,
  "definition-changed": 412,
  "plan-not-approved": 412,
  "not-available": 422,
  "catalog-unreachable": 503,
  "catalog-failed": 503,
  "server-stopping": 503,
  "server-busy": 503,
  "store-throttled": 503,
  "store-unreachable": 502,
  "store-failed": 502,
  "store-tls-failed": 502,
  "database-unreachable": 502,
  "database-busy": 503,
  "database-login-refused": 502,
  "database-access-refused": 502,
  "database-query-failed": 502,
  "database-tls-failed": 502,
};

/** The one place where a failure becomes an HTTP status. */
function statusOf(failure: Failure): number {
  if (failure instanceof ProtocolRefusal) return failure.status;
  return statusOfCode[failure.code] ?? statusOfKind[failure.kind];
}

/** Seconds after which the same request may succeed, for statuses that say so. */
export const retryAfterSeconds = 5;

/** An RFC 9457 problem document. What is a defect of ours says no more than that: the log has the rest. */
export function describeProblem(failure: Failure, request: FastifyRequest): ProblemDocument {
  const isDefect = failure.code === "internal";
  return {
    type: `urn:lc2:problem:${failure.code}`,
    title: failures[failure.code].meaning,
    status: statusOf(failure),
    detail: isDefect
      ? "A defect in this software. The server's log has more under this correlation id."
      : failure.message,
    instance: request.url.split("?", 1)[0] ?? "",
    code: failure.code,
    retry: failure.retry,
    correlationId: request.id,
    ...(failure instanceof InvalidRequest ? { problems: [...failure.problems] } : {}),
  };
}

export async function sendProblem(
  failure: Failure,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const document = describeProblem(failure, request);
  if (document.status === 401) reply.header("www-authenticate", 'Bearer realm="lc2"');
  if (document.status === 503) reply.header("retry-after", retryAfterSeconds);
  await reply.code(document.status).type("application/problem+json").send(document);
}
