import type { FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { backup, backupRequest, toBackupWish } from "../contract/rest/backups.ts";
import { backupSteps } from "../contract/rest/contents.ts";
import type { BackupWish } from "../contract/operations.ts";
import { refuseProblems } from "../core/problem.ts";
import { validateBackup } from "../core/backup/validate-backup.ts";
import { resolveBackup } from "../core/environment/resolve-backup.ts";
import { Failure } from "../core/failure.ts";
import type { App } from "./app.ts";
import { ofProject, permit, projectNotFound, refusePlaces } from "./authenticate.ts";
import { answer, problems, waitingAnswer } from "./describe-routes.ts";
import { sendWaiting } from "./event-stream.ts";
import { hideOthers } from "./hide-others.ts";
import { claim, idempotencyHeader } from "./idempotency.ts";
import type { HttpParts } from "./parts.ts";
import { backupsBase as base, projectPath } from "./paths.ts";

const tags = ["backups"];

/** Makes backups, or says what one would do. */
export function addBackupRoutes(app: App, parts: HttpParts): void {
  addCreate(app, parts);
  addDryRun(app, parts);
}

function addCreate(app: App, parts: HttpParts): void {
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
      const wish = readWish(parts, request, request.params.projectId, request.body);
      const { repository, maxRateBytesPerSecond } = request.body;
      const operationId = await claim(parts, request, "backup");
      const view = await parts.service.submitBackup(wish, {
        requestId: request.id,
        ...(operationId === undefined ? {} : { operationId }),
        ...(repository === undefined ? {} : { repository }),
        ...(maxRateBytesPerSecond === undefined ? {} : { maxRateBytesPerSecond }),
      });
      return await reply
        .code(201)
        .header("location", `/api/v1/projects/${view.projectId}/backups/${view.backupId}`)
        .send(hideOthers(request, view));
    },
  );
}

function addDryRun(app: App, parts: HttpParts): void {
  app.post(
    `${base}/dry-run`,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "dryRunBackup",
        summary: "Say everything a backup would do, and do nothing",
        params: projectPath,
        body: backupRequest,
        response: {
          200: waitingAnswer("What it would do.", backupSteps),
          ...problems(400, 403, 404, 409, 413, 415, 422, 502),
        },
      },
    },
    async (request, reply) => {
      const wish = readWish(parts, request, request.params.projectId, request.body);
      const { repository } = request.body;
      const place = repository === undefined ? {} : { repository };
      return await sendWaiting(
        parts,
        request,
        reply,
        async (waiting) => ({
          dryRun: true,
          steps: await parts.service.dryRunBackup(wish, place, waiting),
        }),
        { outlivesClient: false },
      );
    },
  );
}

/** What is asked for, as far as it can be known to be possible here, and the caller's to ask. */
function readWish(
  parts: HttpParts,
  request: FastifyRequest,
  projectId: string,
  { provider = "local", repository, ...wish }: Static<typeof backupRequest>,
): BackupWish {
  if (ofProject({ projectId }).projectId === undefined) throw projectNotFound(projectId);
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
    refuseProblems(problems.length > 0 ? problems : validateBackup(spec));
  }
  refusePlaces(parts, request, [
    asked.database?.url,
    asked.storage?.url,
    repository,
    asked.preBackupHooks,
    asked.postBackupHooks,
  ]);
  return asked;
}
