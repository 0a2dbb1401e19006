import { Type } from "typebox";
import {
  log,
  plan,
  planRequest,
  restore,
  restoreListQuery,
  restorePage,
  restoreRequest,
  toRestoreSpec,
} from "../contract/rest.ts";
import type { RestoreView } from "../contract/service.ts";
import { Failure } from "../core/failure.ts";
import { validateRestore } from "../core/restore/validate-restore.ts";
import type { App } from "./app.ts";
import { ofProject, permit, refusePlaces } from "./authenticate.ts";
import { claim, idempotencyHeader, refuse } from "./backup-routes.ts";
import { answer, problems, waitingAnswer } from "./describe-routes.ts";
import { answerWaiting, openEventStream } from "./event-stream.ts";
import { followOperation } from "./follow-operation.ts";
import { hideOthers } from "./hide-others.ts";
import { defaultLimit, nextCursor, readCursor } from "./paging.ts";
import type { HttpParts } from "./parts.ts";

const projectPath = Type.Object({ projectId: Type.String() });
const restorePath = Type.Object({ projectId: Type.String(), restoreId: Type.String() });
const tags = ["restores"];
const base = "/api/v1/projects/:projectId/restores";
const one = `${base}/:restoreId`;

/** Plans, runs, follows and undoes restores. */
export function addRestoreRoutes(app: App, parts: HttpParts): void {
  const { service } = parts;
  addRestoreReads(app, parts);

  app.post(
    base,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "createRestore",
        summary: "Ask for a restore",
        description:
          "Answers when the request is recorded; it is planned and carried out meanwhile, and refused on obstacles. " +
          "`Idempotency-Key`: the same request sent again within a day makes nothing new.",
        params: projectPath,
        headers: idempotencyHeader,
        body: restoreRequest,
        response: {
          201: answer("Recorded. `Location` is where it is followed.", restore),
          ...problems(400, 403, 404, 413, 415, 422),
        },
      },
    },
    async (request, reply) => {
      const { repository, approvedPlan, ...wish } = request.body;
      const spec = toRestoreSpec(ofProject(request.params).projectId ?? "", wish);
      refuse(validateRestore(spec.projectId === "" ? { ...spec, projectId: "unknown" } : spec));
      refusePlaces(parts, request, [spec.database, spec.storage, repository]);
      const operationId = await claim(parts, request, "restore");
      const view = await service.submitRestore(spec, {
        requestId: request.id,
        ...(operationId === undefined ? {} : { operationId }),
        ...(repository === undefined ? {} : { repository }),
        ...(approvedPlan === undefined ? {} : { approve: approvedPlan }),
      });
      return await reply
        .code(201)
        .header("location", `/api/v1/projects/${view.projectId}/restores/${view.restoreId}`)
        .send(hideOthers(request, view));
    },
  );

  app.post(
    `${base}/plan`,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "planRestore",
        summary: "Say everything a restore would do, and do nothing",
        params: projectPath,
        body: planRequest,
        response: {
          200: waitingAnswer("The plan.", plan),
          ...problems(400, 403, 404, 409, 413, 415, 422, 502),
        },
      },
    },
    async (request, reply) => {
      const { repository, ...wish } = request.body;
      const spec = toRestoreSpec(ofProject(request.params).projectId ?? "", wish);
      refuse(validateRestore(spec.projectId === "" ? { ...spec, projectId: "unknown" } : spec));
      refusePlaces(parts, request, [spec.database, spec.storage, repository]);
      const place = repository === undefined ? {} : { repository };
      const planned = await answerWaiting(
        parts,
        request,
        reply,
        async (waiting) => await service.planRestore(spec, place, waiting),
        { outlivesClient: false },
      );
      return reply.sent ? reply : await reply.send(planned);
    },
  );

  app.post(
    `${one}/cancel`,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "cancelRestore",
        summary: "Cancel a restore that is running",
        params: restorePath,
        response: { 200: answer("As it is now.", restore), ...problems(400, 403, 404, 409, 415) },
      },
    },
    async ({ params }) => {
      await readRestore(parts, params);
      return await service.cancelRestore(params.restoreId);
    },
  );

  app.post(
    `${one}/undo`,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "undoRestore",
        summary: "Put back what a restore replaced",
        description: "Ends when it is put back; goes on when the client goes away.",
        params: restorePath,
        response: {
          200: waitingAnswer("The restore, undone.", restore),
          ...problems(400, 403, 404, 409, 415, 422, 502),
        },
      },
    },
    async (request, reply) => {
      await readRestore(parts, request.params);
      const undone = await answerWaiting(
        parts,
        request,
        reply,
        async (waiting) => await service.undoRestore(request.params.restoreId, waiting),
        { outlivesClient: true },
      );
      return reply.sent ? reply : await reply.send(undone);
    },
  );
}

function addRestoreReads(app: App, parts: HttpParts): void {
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
async function readRestore(
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
