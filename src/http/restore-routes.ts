import { plan, planRequest, restore, restoreRequest, toRestoreWish } from "../contract/rest/restores.ts";
import { refuseProblems } from "../core/problem.ts";
import { validateRestoreWish } from "../core/environment/resolve-restore.ts";
import type { App } from "./app.ts";
import { ofProject, permit, refusePlaces } from "./authenticate.ts";
import { answer, problems, waitingAnswer } from "./describe-routes.ts";
import { sendWaiting } from "./event-stream.ts";
import { hideOthers } from "./hide-others.ts";
import { claim, idempotencyHeader } from "./idempotency.ts";
import type { HttpParts } from "./parts.ts";
import { projectPath, restorePath, restoresBase as base } from "./paths.ts";
import { readRestore } from "./restore-reads.ts";

const tags = ["restores"];
const one = `${base}/:restoreId`;

/** Plans, runs and undoes restores. */
export function addRestoreRoutes(app: App, parts: HttpParts): void {
  const { service } = parts;
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
          ...problems(400, 403, 404, 412, 413, 415, 422),
        },
      },
    },
    async (request, reply) => {
      const { repository, approvedPlan, ...wish } = request.body;
      const asked = toRestoreWish(ofProject(request.params).projectId ?? "", wish);
      refuseProblems(validateRestoreWish(asked));
      refusePlaces(parts, request, [
        asked.database?.url,
        asked.storage?.url,
        repository,
        asked.preRestoreHooks,
        asked.postRestoreHooks,
      ]);
      const operationId = await claim(parts, request, "restore");
      const view = await service.submitRestore(asked, {
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
      const asked = toRestoreWish(ofProject(request.params).projectId ?? "", wish);
      refuseProblems(validateRestoreWish(asked));
      refusePlaces(parts, request, [
        asked.database?.url,
        asked.storage?.url,
        repository,
        asked.preRestoreHooks,
        asked.postRestoreHooks,
      ]);
      const place = repository === undefined ? {} : { repository };
      return await sendWaiting(
        parts,
        request,
        reply,
        async (waiting) => await service.planRestore(asked, place, waiting),
        { outlivesClient: false },
      );
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
      return await sendWaiting(
        parts,
        request,
        reply,
        async (waiting) => await service.undoRestore(request.params.restoreId, waiting),
        { outlivesClient: true },
      );
    },
  );
}
