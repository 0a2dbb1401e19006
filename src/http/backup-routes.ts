import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import {
  backup,
  backupListQuery,
  backupPage,
  backupRequest,
  deleteQuery,
  deletion,
  log,
  toBackupSpec,
  verification,
  verifyRequest,
} from "../contract/rest.ts";
import type { BackupQuery, BackupReference } from "../contract/service.ts";
import { validateBackup } from "../core/backup/validate-backup.ts";
import { Failure } from "../core/failure.ts";
import type { App } from "./app.ts";
import { ofProject, permit, projectNotFound, refusePlaces } from "./authenticate.ts";
import { answer, noContent, problems, waitingAnswer } from "./describe-routes.ts";
import { answerWaiting, openEventStream } from "./event-stream.ts";
import { followOperation } from "./follow-operation.ts";
import { hideOthers } from "./hide-others.ts";
import { defaultLimit, nextCursor, readCursor, readMoment } from "./paging.ts";
import type { HttpParts } from "./parts.ts";
import { InvalidRequest } from "./problems.ts";

const projectPath = Type.Object({ projectId: Type.String() });
const backupPath = Type.Object({ projectId: Type.String(), backupId: Type.String() });
const tags = ["backups"];
const base = "/api/v1/projects/:projectId/backups";
const one = `${base}/:backupId`;

const referenceOf = (params: { readonly projectId: string; readonly backupId: string }): BackupReference => ({
  backupId: params.backupId,
  ...ofProject(params),
});

/** Makes, shows, checks and deletes backups. */
export function addBackupRoutes(app: App, parts: HttpParts): void {
  const { service } = parts;
  addBackupReads(app, parts);

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
      const spec = toBackupSpec(projectId, wish);
      refuse(validateBackup(spec));
      refusePlaces(parts, request, [spec.database, spec.storage, repository]);
      const operationId = await claim(parts, request, "backup");
      const view = await service.submitBackup(spec, {
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

function addBackupReads(app: App, parts: HttpParts): void {
  const { service } = parts;
  app.get(
    base,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "listBackups",
        summary: "List backups, newest first",
        params: projectPath,
        querystring: backupListQuery,
        response: { 200: answer("A page of them.", backupPage), ...problems(400, 404) },
      },
    },
    async (request) => {
      const { limit = defaultLimit, cursor, startDate, endDate, ...filters } = request.query;
      const position = readCursor(cursor, parts.nowMs());
      const sinceMs = readMoment("startDate", startDate, "start");
      const untilMs = readMoment("endDate", endDate, "end");
      const query: BackupQuery = {
        ...filters,
        ...ofProject(request.params),
        limit,
        offset: position.offset,
        untilMs: Math.min(position.untilMs, untilMs ?? position.untilMs),
        ...(sinceMs === undefined ? {} : { sinceMs }),
      };
      const { backups, total } = await service.listBackups(query);
      return { backups, total, ...nextCursor(position, backups.length, total) };
    },
  );

  app.get(
    one,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "getBackup",
        summary: "Show a backup",
        params: backupPath,
        response: { 200: answer("It.", backup), ...problems(404) },
      },
    },
    async (request) => hideOthers(request, await service.getBackup(referenceOf(request.params))),
  );

  app.get(
    `${one}/logs`,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "getBackupLogs",
        summary: "What was said while it was made",
        params: backupPath,
        response: { 200: answer("Oldest first.", log), ...problems(404) },
      },
    },
    async ({ params }) => ({ lines: await service.backupLogs(referenceOf(params)) }),
  );

  app.get(
    `${one}/events`,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "followBackup",
        summary: "Follow a backup",
        description: "Events `state` (the backup), `log` (a line) and, last, `end` (the backup).",
        params: backupPath,
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
      const read = async () => hideOthers(request, await service.getBackup(referenceOf(params)));
      const first = await read();
      await followOperation(openEventStream(parts, request, reply), first, {
        read,
        readLog: async () => await service.backupLogs(referenceOf(params)),
      });
      return reply;
    },
  );
}

export const idempotencyHeader = Type.Object({
  "idempotency-key": Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description: "Chosen by the sender: the request is done once, however often it is sent.",
    }),
  ),
});

/** The id that repetitions of this request share; undefined where the sender does not say that it repeats. */
export async function claim(
  parts: HttpParts,
  request: FastifyRequest,
  kind: "backup" | "restore",
): Promise<string | undefined> {
  const idempotencyKey = request.headers["idempotency-key"];
  if (typeof idempotencyKey !== "string" || request.caller === undefined) return undefined;
  const asked = JSON.stringify([kind, request.params, request.body]);
  const fingerprint = createHash("sha256").update(asked).digest("hex");
  const { keyId } = request.caller;
  return await parts.gatekeeper.claimRequest(kind, { keyId, idempotencyKey, fingerprint });
}

export function refuse(problems: ReturnType<typeof validateBackup>): void {
  if (problems.length > 0) throw new InvalidRequest(problems);
}
