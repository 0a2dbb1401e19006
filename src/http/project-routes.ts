import type { FastifyRequest } from "fastify";
import type { ProjectView } from "../contract/projects.ts";
import { dryRunQuery } from "../contract/rest/definitions.ts";
import { pageQuery } from "../contract/rest/shared.ts";
import { project, projectChange, projectPage, projectRequest } from "../contract/rest/projects.ts";
import type { WriteCondition } from "../core/ports/definition-records.ts";
import { Failure } from "../core/failure.ts";
import type { App } from "./app.ts";
import { mayNamePlaces, permit, permitForAll, refusePlaces } from "./authenticate.ts";
import {
  conditionHeaders,
  ifMatchHeader,
  readCondition,
  readRemoval,
  sendForgotten,
  sendWritten,
  tagOf,
} from "./conditions.ts";
import { answer, changeAnswers, forgetAnswers, makeAnswers, problems } from "./describe-routes.ts";
import { defaultLimit, nextCursor, readCursor } from "./paging.ts";
import type { HttpParts } from "./parts.ts";
import { projectPath } from "./paths.ts";

const tags = ["projects"];
const base = "/api/v1/projects";
const one = `${base}/:projectId`;

/** Makes, shows, changes and deletes projects. */
export function addProjectRoutes(app: App, parts: HttpParts): void {
  addProjectReads(app, parts);
  addProjectWrites(app, parts);
}

function addProjectReads(app: App, { service, nowMs }: HttpParts): void {
  app.get(
    base,
    {
      schema: {
        tags,
        operationId: "listProjects",
        summary: "List the projects that the API key is for",
        querystring: pageQuery,
        response: { 200: answer("A page of them.", projectPage), ...problems(400) },
      },
    },
    async ({ query, caller }) => {
      const { limit = defaultLimit, cursor } = query;
      const position = readCursor(cursor, nowMs());
      const projectIds = caller?.projects;
      const { projects, total } = await service.listProjects({
        ...(projectIds === undefined ? {} : { projectIds: [...projectIds] }),
        limit,
        offset: position.offset,
      });
      return { projects, total, ...nextCursor(position, projects.length, total) };
    },
  );

  app.get(
    one,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "getProject",
        summary: "Show a project",
        params: projectPath,
        response: { 200: answer("It.", project), ...problems(404) },
      },
    },
    async ({ params }, reply) => {
      const view = await service.getProject(params.projectId);
      return await reply.header("etag", tagOf(view)).send(view);
    },
  );
}

function addProjectWrites(app: App, parts: HttpParts): void {
  const { service } = parts;
  app.post(
    base,
    {
      onRequest: permitForAll("administer"),
      schema: {
        tags,
        operationId: "createProject",
        summary: "Make a project",
        description:
          "The same request sent again changes nothing. A project that is named by a backup is made by that.",
        querystring: dryRunQuery,
        body: projectRequest,
        response: makeAnswers(project),
      },
    },
    async ({ body, query: { dryRun = false } }, reply) => {
      const written = await service.putProject(body, { condition: "absent", dryRun });
      return await sendWritten(reply, written, { dryRun, location: `${base}/${body.projectId}` });
    },
  );

  app.put(
    one,
    {
      onRequest: permit("administer"),
      schema: {
        tags,
        operationId: "putProject",
        summary: "Change a project, or make it",
        params: projectPath,
        headers: conditionHeaders,
        querystring: dryRunQuery,
        body: projectChange,
        response: changeAnswers(project),
      },
    },
    async (request, reply) => {
      const { projectId } = request.params;
      const { dryRun = false } = request.query;
      const { repository, ...change } = request.body;
      const { condition, ...place } = await settleRepository(parts, request, { projectId, repository });
      const written = await service.putProject({ ...change, ...place, projectId }, { condition, dryRun });
      return await sendWritten(reply, written, { dryRun, location: `${base}/${projectId}` });
    },
  );

  app.delete(
    one,
    {
      onRequest: [permit("administer"), permitForAll("administer")],
      schema: {
        tags,
        operationId: "deleteProject",
        summary: "Forget a project; its backups stay",
        params: projectPath,
        headers: ifMatchHeader,
        querystring: dryRunQuery,
        response: forgetAnswers(project),
      },
    },
    async (request, reply) => {
      const { dryRun = false } = request.query;
      const view = await service.deleteProject(request.params.projectId, readRemoval(request, dryRun));
      return await sendForgotten(reply, view, dryRun);
    },
  );
}

/**
 * Where the project's backups are to be kept, and what the write must find. Whoever may not name places keeps the
 * repository that is there, whether they repeat it or not.
 */
async function settleRepository(
  parts: HttpParts,
  request: FastifyRequest,
  { projectId, repository }: { readonly projectId: string; readonly repository: string | undefined },
): Promise<{ readonly condition: WriteCondition; readonly repository?: string }> {
  const condition = readCondition(request);
  if (mayNamePlaces(parts, request))
    return { condition, ...(repository === undefined ? {} : { repository }) };
  const current = await findProject(parts, projectId);
  if (repository !== current?.repository) refusePlaces(parts, request, [repository]);
  if (typeof condition === "object" && condition.revision !== current?.revision) {
    const now = current === undefined ? "is not there" : `has revision ${current.revision}`;
    throw new Failure(
      "definition-changed",
      `The project "${projectId}" ${now}, and you have seen revision ${condition.revision}. Read it again, then change it.`,
    );
  }
  if (current === undefined) return { condition: "absent" };
  return {
    condition: condition === "any" ? { revision: current.revision } : condition,
    ...(current.repository === undefined ? {} : { repository: current.repository }),
  };
}

async function findProject({ service }: HttpParts, projectId: string): Promise<ProjectView | undefined> {
  try {
    return await service.getProject(projectId);
  } catch (error) {
    if (error instanceof Failure && error.code === "project-not-found") return undefined;
    throw error;
  }
}
