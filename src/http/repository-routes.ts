import type { FastifyReply, FastifyRequest } from "fastify";
import type { Static, TSchema } from "typebox";
import { Type } from "typebox";
import {
  checkRequest,
  copyTarget,
  copyTargetRequest,
  probeRequest,
  repositoryCheck,
  repositoryProbe,
  repositoryScan,
  repositorySweep,
  scanRequest,
  sweepRequest,
} from "../contract/rest/repositories.ts";
import type { Waiting } from "../contract/waiting.ts";
import type { App } from "./app.ts";
import { permitForAll } from "./authenticate.ts";
import { problems, waitingAnswer } from "./describe-routes.ts";
import { sendWaiting } from "./event-stream.ts";
import type { HttpParts } from "./parts.ts";

const base = "/api/v1/repository";

interface Verb<Body extends TSchema> {
  readonly method: "POST" | "PUT";
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly body: Body;
  readonly found: string;
  readonly answer: TSchema;
  /** What must not stop half-way goes on when the client goes away. */
  readonly outlivesClient: boolean;
  readonly run: (wish: Partial<Static<Body>>, waiting: Waiting) => Promise<object>;
}

/** The verbs about a whole repository: for admins of all projects, because a repository holds those of many. */
export function addRepositoryRoutes(app: App, parts: HttpParts): void {
  const { service } = parts;
  addVerb(app, parts, {
    method: "POST",
    path: "check",
    operationId: "checkRepository",
    summary: "Look for damage in a repository",
    description: "Damage is an answer, not an error: see `damages`.",
    body: checkRequest,
    found: "What was found.",
    answer: repositoryCheck,
    outlivesClient: false,
    run: async ({ repository, readData, ...wish }, waiting) => {
      const options = { ...wish, readData: readData === true || wish.subset !== undefined };
      return await service.checkRepository(repository, options, waiting);
    },
  });
  addVerb(app, parts, {
    method: "POST",
    path: "scan",
    operationId: "scanRepository",
    summary: "Find every backup in a repository and put it into the catalog",
    body: scanRequest,
    found: "What was found.",
    answer: repositoryScan,
    outlivesClient: false,
    run: async ({ repository, ...wish }, waiting) => await service.scanRepository(repository, wish, waiting),
  });
  addVerb(app, parts, {
    method: "POST",
    path: "sweep",
    operationId: "sweepRepository",
    summary: "Remove what no sealed backup needs",
    body: sweepRequest,
    found: "What was, or would be, removed.",
    answer: repositorySweep,
    outlivesClient: false,
    run: async ({ repository, dryRun = false, minimumAgeSeconds = 86_400 }, waiting) =>
      await service.sweepRepository(repository, { dryRun, minimumAgeSeconds }, waiting),
  });
  addVerb(app, parts, {
    method: "POST",
    path: "probe",
    operationId: "probeRepository",
    summary: "Try out what the store of a repository can do",
    body: probeRequest,
    found: "What it can do.",
    answer: repositoryProbe,
    outlivesClient: false,
    run: async ({ repository }, waiting) => await service.probeRepository(repository, waiting),
  });
  addVerb(app, parts, {
    method: "PUT",
    path: "copy-target",
    operationId: "setCopyTarget",
    summary: "Say where the backups of a repository are copied to",
    body: copyTargetRequest,
    found: "As it is now.",
    answer: copyTarget,
    outlivesClient: true,
    run: async ({ repository, ...wish }, waiting) => await service.setCopyTarget(repository, wish, waiting),
  });
}

function addVerb<Body extends TSchema>(app: App, parts: HttpParts, verb: Verb<Body>): void {
  const { method, path, operationId, summary, description, run, outlivesClient } = verb;
  app.route({
    method,
    url: `${base}/${path}`,
    onRequest: permitForAll("administer"),
    schema: {
      tags: ["repositories"],
      operationId,
      summary,
      ...(description === undefined ? {} : { description }),
      body: Type.Optional(verb.body),
      response: {
        200: waitingAnswer(verb.found, verb.answer),
        ...problems(400, 403, 404, 409, 413, 415, 422, 502),
      },
    },
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      // The schema has checked it.
      const wish = (request.body ?? {}) as Partial<Static<Body>>;
      const work = async (waiting: Waiting) => await run(wish, waiting);
      return await sendWaiting(parts, request, reply, work, { outlivesClient });
    },
  });
}
