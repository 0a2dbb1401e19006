import { restore, restoreListQuery, restorePage } from "../contract/rest/restores.ts";
import { log } from "../contract/rest/shared.ts";
import type { RestoreView } from "../contract/service.ts";
import { Failure } from "../core/failure.ts";
import type { App } from "./app.ts";
import { ofProject, permit } from "./authenticate.ts";
import { answer, problems } from "./describe-routes.ts";
import { openEventStream } from "./event-stream.ts";
import { followOperation } from "./follow-operation.ts";
import { hideOthers } from "./hide-others.ts";
import { defaultLimit, nextCursor, readCursor } from "./paging.ts";
import type { HttpParts } from "./parts.ts";
import { projectPath, restorePath, restoresBase as base } from "./paths.ts";

const tags = ["restores"];
const one = `${base}/:restoreId`;

/** Lists, shows and follows restores. */
export function addRestoreReads(app: App, parts: HttpParts): void {
  const { service } = parts;
  app.get(
    base,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "listRestores",
        summary: "List restores, newest first",
        params: projectPath,
        querystring: restoreListQuery,
        response: { 200: answer("A page of them.", restorePage), ...problems(400, 404) },
      },
    },
    async (request) => {
      const { limit = defaultLimit, cursor } = request.query;
      const position = readCursor(cursor, parts.nowMs());
      const { restores, total } = await service.listRestores({
        ...ofProject(request.params),
        limit,
        offset: position.offset,
      });
      const visible = restores.map((view) => hideOthers(request, view));
      return { restores: visible, total, ...nextCursor(position, restores.length, total) };
    },
  );

  app.get(
    one,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "getRestore",
        summary: "Show a restore",
        params: restorePath,
        response: { 200: answer("It.", restore), ...problems(404) },
      },
    },
    async (request) => hideOthers(request, await readRestore(parts, request.params)),
  );

  app.get(
    `${one}/logs`,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "getRestoreLogs",
        summary: "What was said while it ran",
        params: restorePath,
        response: { 200: answer("Oldest first.", log), ...problems(404) },
      },
    },
    async ({ params }) => {
      await readRestore(parts, params);
      return { lines: await service.restoreLogs(params.restoreId) };
    },
  );

  app.get(
    `${one}/events`,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "followRestore",
        summary: "Follow a restore",
        description: "Events `state` (the restore), `log` (a line) and, last, `end` (the restore).",
        params: restorePath,
        response: {
          200: {
            description: "Until it ended.",
            content: { "text/event-stream": { schema: { type: "string" } } },
          },
          ...problems(404),
        },
      },
    },
    async (request, reply) => {
      const { params } = request;
      const read = async () => hideOthers(request, await readRestore(parts, params));
      const first = await read();
      await followOperation(openEventStream(parts, request, reply), first, {
        read,
        readLog: async () => await service.restoreLogs(params.restoreId),
      });
      return reply;
    },
  );
}

/** The restore, if it is this project's. */
export async function readRestore(
  { service }: HttpParts,
  params: { readonly projectId: string; readonly restoreId: string },
): Promise<RestoreView> {
  const { restoreId } = params;
  const { projectId } = ofProject(params);
  const view = await service.getRestore(restoreId);
  if (projectId === undefined || view.projectId === projectId) return view;
  throw new Failure(
    "restore-not-found",
    `No restore "${restoreId}" is known. \`lc2 restore list\` shows what there is.`,
  );
}
