import type { FastifyReply, FastifyRequest } from "fastify";
import type { Caller } from "../contract/access.ts";
import { mayCall, type Permission } from "../core/access/may-call.ts";
import { Failure } from "../core/failure.ts";
import { projectIdPattern } from "../core/repository/layout.ts";
import { AttemptLimiter, attemptsAllowed } from "./attempt-limiter.ts";
import type { HttpParts } from "./parts.ts";

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Finds out who calls, before anything of the request is read. A valid key always passes; of failed attempts an
 * address has a few in a minute. A secret of 32 random bytes is not guessed: the limit is for logs and the catalog.
 */
export function makeAuthentication(parts: HttpParts): Hook {
  const limiter = new AttemptLimiter(parts.nowMs);
  return async (request, reply) => {
    if (request.url.startsWith("/health/")) return;
    const secret = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? "")?.[1];
    const caller = secret === undefined ? undefined : await parts.gatekeeper.authenticate(secret);
    if (caller !== undefined) {
      request.caller = caller;
      return;
    }
    const { count, waitSeconds } = limiter.note(request.ip);
    // Beyond the limit one line in a hundred says that it goes on.
    if (count <= attemptsAllowed || count % 100 === 0) {
      parts.log({
        level: "WARN",
        logger: "lc2.http.access",
        message: `Refused a call ${secret === undefined ? "without an API key" : "with an invalid API key"}.`,
        fields: { address: request.ip, attempts: count, correlation_id: request.id },
      });
    }
    if (count > attemptsAllowed) {
      reply.header("retry-after", waitSeconds);
      throw new Failure(
        "too-many-attempts",
        `${count} calls without a valid API key came from ${request.ip} within a minute. Wait ${waitSeconds} s.`,
      );
    }
    throw new Failure(
      "unauthenticated",
      "The call carries no API key that is valid now. Send `Authorization: Bearer KEY`; `lc2 api-key create` makes one.",
    );
  };
}

/** In a path in place of a project: whichever the thing belongs to. For keys of all projects, or of one. */
const anyProject = "-";

/** What the service is asked with; nothing where the path names no project. */
export const ofProject = ({ projectId }: { readonly projectId: string }) =>
  projectId === anyProject ? {} : { projectId };

/** A hook for routes of one project: whoever may not see it hears that there is no such project. */
export function permit(permission: Permission): Hook {
  return async (request) => {
    const { projectId = "" } = request.params as { projectId?: string };
    const { caller } = request;
    if (caller === undefined) throw new Failure("unauthenticated", "The call carries no API key.");
    const only = caller.projects?.length === 1 ? caller.projects[0] : undefined;
    if (projectId === anyProject && only !== undefined)
      Object.assign(request.params as object, { projectId: only });
    const answer =
      projectIdPattern.test(projectId) || projectId === anyProject
        ? mayCall(caller, permission, projectId === anyProject ? only : projectId)
        : "hidden";
    if (answer === "yes") return;
    if (answer === "hidden") throw projectNotFound(projectId);
    throw roleMissing(caller, permission);
  };
}

/** A hook for routes that belong to no project, such as metrics of all of them. */
export function permitForAll(permission: Permission): Hook {
  return async ({ caller }) => {
    if (caller === undefined) return;
    if (caller.projects !== undefined) {
      throw new Failure(
        "forbidden",
        `The API key "${caller.name}" is for some projects only; this is about all.`,
      );
    }
    if (mayCall(caller, permission) !== "yes") throw roleMissing(caller, permission);
  };
}

const roleMissing = ({ name, role }: Caller, permission: Permission): Failure =>
  new Failure(
    "forbidden",
    `The API key "${name}" has the role ${role}, which may not do this; it needs ` +
      `${permission === "operate" ? "operator or admin" : "admin"}.`,
  );

/** Whether the caller may name what this server can reach beside their own projects' places. */
export const mayNamePlaces = ({ trustsOperators }: HttpParts, { caller }: FastifyRequest): boolean =>
  caller?.projects === undefined || trustsOperators;

/** Refuses places that this server can reach and that the caller may not name. Whoever may only look names none. */
export function refusePlaces(parts: HttpParts, request: FastifyRequest, named: readonly unknown[]): void {
  const { caller } = request;
  if (caller === undefined || named.every((place) => place === undefined)) return;
  if (mayCall({ role: caller.role }, "operate") !== "yes") throw roleMissing(caller, "operate");
  if (mayNamePlaces(parts, request)) return;
  throw new Failure(
    "forbidden",
    `The API key "${caller.name}" is for some projects only. It may not name a database, folder, bucket or ` +
      "repository by itself, because this server could reach those of other projects too. Use a key for all " +
      "projects, or start the server with --trust-operators.",
  );
}

export const projectNotFound = (projectId: string): Failure =>
  new Failure(
    "project-not-found",
    `There is no project "${projectId.slice(0, 80)}" for this API key. Check the id, and \`lc2 api-key list\`.`,
  );
