import { Type } from "typebox";
import {
  backup,
  backupRequest,
  deleteQuery,
  deletion,
  toBackupWish,
  verification,
  verifyRequest,
} from "../contract/rest/backups.ts";
import { validateBackup } from "../core/backup/validate-backup.ts";
import { resolveBackup } from "../core/environment/resolve-backup.ts";
import { Failure } from "../core/failure.ts";
import type { App } from "./app.ts";
import { ofProject, permit, projectNotFound, refusePlaces } from "./authenticate.ts";
import { answer, noContent, problems, waitingAnswer } from "./describe-routes.ts";
import { answerWaiting } from "./event-stream.ts";
import { hideOthers } from "./hide-others.ts";
import { claim, idempotencyHeader } from "./idempotency.ts";
import type { HttpParts } from "./parts.ts";
import { backupPath, backupsBase as base, projectPath, referenceOf } from "./paths.ts";
import { refuse } from "./problems.ts";

const tags = ["backups"];
const one = `${base}/:backupId`;

/** Makes, checks and deletes backups. */
export function addBackupRoutes(app: App, parts: HttpParts): void {
  const { service } = parts;
  app.post(
    base,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "createBackup",
        summary: "Ask for a backup",
        description:
          "Answers when the request is recorded; the backup is made meanwhile. `Idempotency-Key`: the same request " +
          "sent again within a day makes nothing new.",
        params: projectPath,
        headers: idempotencyHeader,
        body: backupRequest,
        response: {
          201: answer("Recorded. `Location` is where it is followed.", backup),
          ...problems(400, 403, 404, 413, 415, 422),
        },
      },
    },
    async (request, reply) => {
      const { projectId } = request.params;
      if (ofProject(request.params).projectId === undefined) throw projectNotFound(projectId);
      const { provider = "local", repository, maxRateBytesPerSecond, ...wish } = request.body;
      if (provider !== "local") {
        throw new Failure(
          "not-available",
          `This version has no provider "${provider}"; use local, or leave it out.`,
        );
      }
      const asked = toBackupWish(projectId, wish);
      // Of an environment only the engine knows the places.
      if (asked.environment === undefined) {
        const { spec, problems } = resolveBackup(asked);
        refuse(problems.length > 0 ? problems : validateBackup(spec));
      }
      refusePlaces(parts, request, [
        asked.database?.url,
        asked.storage?.url,
        repository,
        asked.preBackupHooks,
        asked.postBackupHooks,
      ]);
      const operationId = await claim(parts, request, "backup");
      const view = await service.submitBackup(asked, {
        requestId: request.id,
        ...(operationId === undefined ? {} : { operationId }),
        ...(repository === undefined ? {} : { repository }),
        ...(maxRateBytesPerSecond === undefined ? {} : { maxRateBytesPerSecond }),
      });
      return await reply
        .code(201)
        .header("location", `/api/v1/projects/${projectId}/backups/${view.backupId}`)
        .send(hideOthers(request, view));
    },
  );

  app.delete(
    one,
    {
      onRequest: permit("administer"),
      schema: {
        tags,
        operationId: "deleteBackup",
        summary: "Delete a backup for good, its keys first",
        description: "`Prefer: return=representation` asks for what was deleted; `dryRun` only says it.",
        params: backupPath,
        querystring: deleteQuery,
        response: {
          200: waitingAnswer("What was, or would be, deleted.", deletion),
          204: noContent("Deleted."),
          ...problems(400, 403, 404, 409, 422, 502),
        },
      },
    },
    async (request, reply) => {
      const { dryRun = false } = request.query;
      const work = async (waiting: Parameters<typeof service.deleteBackup>[2]) =>
        await service.deleteBackup(referenceOf(request.params), { dryRun }, waiting);
      const deleted = await answerWaiting(parts, request, reply, work, { outlivesClient: !dryRun });
      if (reply.sent) return reply;
      const wantsBody = dryRun || String(request.headers["prefer"]).includes("return=representation");
      return wantsBody ? await reply.send(deleted) : await reply.code(204).send();
    },
  );

  app.post(
    `${one}/cancel`,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "cancelBackup",
        summary: "Cancel a backup that is being made",
        params: backupPath,
        response: { 200: answer("As it is now.", backup), ...problems(400, 403, 404, 409, 415) },
      },
    },
    async ({ params }) => await service.cancelBackup(referenceOf(params)),
  );

  app.post(
    `${one}/verify`,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "verifyBackup",
        summary: "Read back and check every stored byte",
        description: "Ends when all is read. Damage is an answer, not an error: see `damages`.",
        params: backupPath,
        body: Type.Optional(verifyRequest),
        response: {
          200: waitingAnswer("What was found.", verification),
          ...problems(400, 403, 404, 409, 413, 415, 422, 502),
        },
      },
    },
    async (request, reply) => {
      const wish = request.body ?? {};
      refusePlaces(parts, request, [wish.restoreInto]);
      const found = await answerWaiting(
        parts,
        request,
        reply,
        async (waiting) => await service.verifyBackup(referenceOf(request.params), wish, waiting),
        { outlivesClient: false },
      );
      return reply.sent ? reply : await reply.send(found);
    },
  );
}
