import { copy, copyListQuery, copyPage } from "../contract/rest/contents.ts";
import { log } from "../contract/rest/shared.ts";
import type { CopyView } from "../contract/copies.ts";
import { Failure } from "../core/failure.ts";
import type { App } from "./app.ts";
import { ofProject, permit } from "./authenticate.ts";
import { answer, problems } from "./describe-routes.ts";
import { hideOthers } from "./hide-others.ts";
import { defaultLimit, nextCursor, readCursor } from "./paging.ts";
import type { HttpParts } from "./parts.ts";
import { copiesBase as base, copyPath, projectPath } from "./paths.ts";

const tags = ["copies"];
const one = `${base}/:copyId`;

/** Lists, shows and cancels the copying of backups; it is begun at the backup. */
export function addCopyRoutes(app: App, parts: HttpParts): void {
  const { service } = parts;
  app.get(
    base,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "listCopies",
        summary: "List copies of backups, newest first",
        description: "Those under way, and those that ended, failed ones too.",
        params: projectPath,
        querystring: copyListQuery,
        response: { 200: answer("A page of them.", copyPage), ...problems(400, 404) },
      },
    },
    async (request) => {
      const { limit = defaultLimit, cursor } = request.query;
      const position = readCursor(cursor, parts.nowMs());
      const { copies, total } = await service.listCopies({
        ...ofProject(request.params),
        limit,
        offset: position.offset,
      });
      const visible = copies.map((view) => hideOthers(request, view));
      return { copies: visible, total, ...nextCursor(position, copies.length, total) };
    },
  );

  app.get(
    one,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "getCopy",
        summary: "Show how the copying of a backup goes, or went",
        params: copyPath,
        response: { 200: answer("It.", copy), ...problems(404) },
      },
    },
    async (request) => hideOthers(request, await readCopy(parts, request.params)),
  );

  app.get(
    `${one}/logs`,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "getCopyLogs",
        summary: "What was said while it ran",
        params: copyPath,
        response: { 200: answer("Oldest first.", log), ...problems(404) },
      },
    },
    async ({ params }) => {
      await readCopy(parts, params);
      return { lines: await service.copyLogs(params.copyId) };
    },
  );

  app.post(
    `${one}/cancel`,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "cancelCopy",
        summary: "Cancel a copy that is running",
        description: "What arrived whole stays there for the next one.",
        params: copyPath,
        response: { 200: answer("As it is now.", copy), ...problems(400, 403, 404, 409, 415) },
      },
    },
    async (request) => {
      await readCopy(parts, request.params);
      return hideOthers(request, await service.cancelCopy(request.params.copyId));
    },
  );
}

/** The copy, if it is this project's. */
async function readCopy(
  { service }: HttpParts,
  params: { readonly projectId: string; readonly copyId: string },
): Promise<CopyView> {
  const { copyId } = params;
  const { projectId } = ofProject(params);
  const view = await service.getCopy(copyId);
  if (projectId === undefined || view.projectId === projectId) return view;
  throw new Failure("copy-not-found", `No copy "${copyId}" is known. \`lc2 copy list\` shows what there is.`);
}
