import { Type } from "typebox";
import { backup, deleteQuery, deletion, verification, verifyRequest } from "../contract/rest/backups.ts";
import { copy, copyRequest, placeQuery } from "../contract/rest/contents.ts";
import type { Waiting } from "../contract/waiting.ts";
import type { App } from "./app.ts";
import { permit, refusePlaces } from "./authenticate.ts";
import { answer, noContent, problems, waitingAnswer } from "./describe-routes.ts";
import { answerWaiting, sendWaiting } from "./event-stream.ts";
import { hideOthers } from "./hide-others.ts";
import type { HttpParts } from "./parts.ts";
import { backupPath, backupsBase, referenceOf } from "./paths.ts";

const tags = ["backups"];
const one = `${backupsBase}/:backupId`;

/** What is done with a backup that there is: cancelled, verified, copied, deleted. */
export function addBackupVerbs(app: App, parts: HttpParts): void {
  addCancel(app, parts);
  addVerify(app, parts);
  addCopy(app, parts);
  addDelete(app, parts);
}

function addCancel(app: App, parts: HttpParts): void {
  app.post(
    `${one}/cancel`,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "cancelBackup",
        summary: "Cancel a backup that is being made",
        params: backupPath,
        querystring: placeQuery,
        response: { 200: answer("As it is now.", backup), ...problems(400, 403, 404, 409, 415) },
      },
    },
    async (request) => {
      const reference = referenceOf(parts, request, request.query);
      return hideOthers(request, await parts.service.cancelBackup(reference));
    },
  );
}

function addVerify(app: App, parts: HttpParts): void {
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
        querystring: placeQuery,
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
      const reference = referenceOf(parts, request, request.query);
      const work = async (waiting: Waiting) => await parts.service.verifyBackup(reference, wish, waiting);
      return await sendWaiting(parts, request, reply, work, { outlivesClient: false });
    },
  );
}

function addCopy(app: App, parts: HttpParts): void {
  app.post(
    `${one}/copy`,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "copyBackup",
        summary: "Copy a backup into another repository, and verify it there",
        description:
          "Ends when it is there whole; cancelled when the client goes away. Asked for again, it goes on where it stopped.",
        params: backupPath,
        querystring: placeQuery,
        body: Type.Optional(copyRequest),
        response: {
          200: waitingAnswer("The copy.", copy),
          ...problems(400, 403, 404, 409, 413, 415, 422, 502),
        },
      },
    },
    async (request, reply) => {
      const wish = request.body ?? {};
      // Where its repository says that copies go is said by whoever can write the repository.
      refusePlaces(parts, request, [wish.to ?? "the repository's own"]);
      const reference = referenceOf(parts, request, request.query);
      const work = async (waiting: Waiting) => await parts.service.copyBackup(reference, wish, waiting);
      return await sendWaiting(parts, request, reply, work, { outlivesClient: false });
    },
  );
}

function addDelete(app: App, parts: HttpParts): void {
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
      const { dryRun = false, ...place } = request.query;
      const reference = referenceOf(parts, request, place);
      const work = async (waiting: Waiting) =>
        await parts.service.deleteBackup(reference, { dryRun }, waiting);
      const deleted = await answerWaiting(parts, request, reply, work, { outlivesClient: !dryRun });
      if (reply.sent) return reply;
      const wantsBody = dryRun || String(request.headers["prefer"]).includes("return=representation");
      return wantsBody ? await reply.send(deleted) : await reply.code(204).send();
    },
  );
}
