import { restorePointListQuery, restorePointPage } from "../contract/rest/restore-points.ts";
import type { App } from "./app.ts";
import { ofProject, permit, projectNotFound } from "./authenticate.ts";
import { answer, problems } from "./describe-routes.ts";
import { defaultLimit, nextCursor, readCursor, readMoment } from "./paging.ts";
import type { HttpParts } from "./parts.ts";
import { projectPath } from "./paths.ts";

/** What can be gone back to. */
export function addRestorePointRoutes(app: App, { service, nowMs }: HttpParts): void {
  app.get(
    "/api/v1/projects/:projectId/restore-points",
    {
      onRequest: permit("look"),
      schema: {
        tags: ["restores"],
        operationId: "listRestorePoints",
        summary: "List the states that can be gone back to, newest first, and why others cannot",
        description: "Backups that failed are none; `total` counts the backups that were looked at.",
        params: projectPath,
        querystring: restorePointListQuery,
        response: { 200: answer("A page of them.", restorePointPage), ...problems(400, 404) },
      },
    },
    async ({ params, query }) => {
      const { projectId } = ofProject(params);
      if (projectId === undefined) throw projectNotFound(params.projectId);
      const { limit = defaultLimit, cursor, at, environment, for: target } = query;
      const position = readCursor(cursor, nowMs());
      const atMs = Math.min(position.untilMs, readMoment("at", at, "end") ?? position.untilMs);
      const { restorePoints, total } = await service.listRestorePoints({
        projectId,
        ...(environment === undefined ? {} : { environment }),
        ...(target === undefined ? {} : { target }),
        atMs,
        limit,
        offset: position.offset,
      });
      return { restorePoints, total, ...nextCursor(position, Math.min(limit, total), total) };
    },
  );
}
