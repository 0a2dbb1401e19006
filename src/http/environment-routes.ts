import { Type } from "typebox";
import { dryRunQuery } from "../contract/rest/definitions.ts";
import { pageQuery } from "../contract/rest/shared.ts";
import {
  environment,
  environmentChange,
  environmentCheck,
  environmentCheckRequest,
  environmentPage,
  environmentRequest,
} from "../contract/rest/environments.ts";
import type { App } from "./app.ts";
import { ofProject, permit, refusePlaces } from "./authenticate.ts";
import {
  conditionHeaders,
  ifMatchHeader,
  readCondition,
  readRemoval,
  sendForgotten,
  sendWritten,
  tagOf,
} from "./conditions.ts";
import {
  answer,
  changeAnswers,
  forgetAnswers,
  makeAnswers,
  problems,
  waitingAnswer,
} from "./describe-routes.ts";
import { answerWaiting } from "./event-stream.ts";
import { defaultLimit, nextCursor, readCursor } from "./paging.ts";
import type { HttpParts } from "./parts.ts";
import { projectPath } from "./paths.ts";

const tags = ["environments"];
const environmentPath = Type.Object({ projectId: Type.String(), environment: Type.String() });
const base = "/api/v1/projects/:projectId/environments";
const one = `${base}/:environment`;
const locationOf = (projectId: string, name: string): string =>
  `/api/v1/projects/${projectId}/environments/${name}`;

/** Makes, shows, changes and deletes environments. */
export function addEnvironmentRoutes(app: App, parts: HttpParts): void {
  addEnvironmentReads(app, parts);
  addEnvironmentWrites(app, parts);
}

function addEnvironmentReads(app: App, { service, nowMs }: HttpParts): void {
  app.get(
    base,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "listEnvironments",
        summary: "List environments",
        params: projectPath,
        querystring: pageQuery,
        response: { 200: answer("A page of them.", environmentPage), ...problems(400, 404) },
      },
    },
    async ({ params, query }) => {
      const { limit = defaultLimit, cursor } = query;
      const position = readCursor(cursor, nowMs());
      const { environments, total } = await service.listEnvironments({
        ...ofProject(params),
        limit,
        offset: position.offset,
      });
      return { environments, total, ...nextCursor(position, environments.length, total) };
    },
  );

  app.get(
    one,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "getEnvironment",
        summary: "Show an environment",
        params: environmentPath,
        response: { 200: answer("It.", environment), ...problems(404) },
      },
    },
    async ({ params: { projectId, environment: name } }, reply) => {
      const view = await service.getEnvironment({ projectId, name });
      return await reply.header("etag", tagOf(view)).send(view);
    },
  );
}

function addEnvironmentWrites(app: App, parts: HttpParts): void {
  const { service } = parts;
  app.post(
    base,
    {
      onRequest: permit("administer"),
      schema: {
        tags,
        operationId: "createEnvironment",
        summary: "Make an environment",
        description: "The same request sent again changes nothing.",
        params: projectPath,
        querystring: dryRunQuery,
        body: environmentRequest,
        response: makeAnswers(environment),
      },
    },
    async (request, reply) => {
      const { projectId } = request.params;
      const { dryRun = false } = request.query;
      refusePlaces(parts, request, [request.body]);
      const wish = { ...request.body, projectId };
      const written = await service.putEnvironment(wish, { condition: "absent", dryRun });
      return await sendWritten(reply, written, { dryRun, location: locationOf(projectId, wish.name) });
    },
  );

  app.put(
    one,
    {
      onRequest: permit("administer"),
      schema: {
        tags,
        operationId: "putEnvironment",
        summary: "Change an environment, or make it",
        params: environmentPath,
        headers: conditionHeaders,
        querystring: dryRunQuery,
        body: environmentChange,
        response: changeAnswers(environment),
      },
    },
    async (request, reply) => {
      const { projectId, environment: name } = request.params;
      const { dryRun = false } = request.query;
      refusePlaces(parts, request, [request.body]);
      const wish = { ...request.body, projectId, name };
      const written = await service.putEnvironment(wish, { condition: readCondition(request), dryRun });
      return await sendWritten(reply, written, { dryRun, location: locationOf(projectId, name) });
    },
  );

  app.post(
    `${one}/check`,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "checkEnvironment",
        summary: "Prove each right that a backup or a restore will need",
        description: "What misses is an answer, not an error: see `result` and `remedy`.",
        params: environmentPath,
        body: Type.Optional(environmentCheckRequest),
        response: {
          200: waitingAnswer("What was found.", environmentCheck),
          ...problems(400, 403, 404, 413, 415, 422, 502),
        },
      },
    },
    async (request, reply) => {
      const { projectId, environment: name } = request.params;
      const wish = request.body ?? {};
      const found = await answerWaiting(
        parts,
        request,
        reply,
        async (waiting) => await service.checkEnvironment({ projectId, name }, wish, waiting),
        { outlivesClient: false },
      );
      return reply.sent ? reply : await reply.send(found);
    },
  );

  app.delete(
    one,
    {
      onRequest: permit("administer"),
      schema: {
        tags,
        operationId: "deleteEnvironment",
        summary: "Forget an environment; its backups stay",
        params: environmentPath,
        headers: ifMatchHeader,
        querystring: dryRunQuery,
        response: forgetAnswers(environment),
      },
    },
    async (request, reply) => {
      const { projectId, environment: name } = request.params;
      const { dryRun = false } = request.query;
      const view = await service.deleteEnvironment({ projectId, name }, readRemoval(request, dryRun));
      return await sendForgotten(reply, view, dryRun);
    },
  );
}
