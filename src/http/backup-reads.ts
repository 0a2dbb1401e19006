import { backup, backupListQuery, backupPage } from "../contract/rest/backups.ts";
import { placeQuery } from "../contract/rest/contents.ts";
import { log } from "../contract/rest/shared.ts";
import type { BackupQuery } from "../contract/service.ts";
import type { App } from "./app.ts";
import { ofProject, permit } from "./authenticate.ts";
import { answer, problems } from "./describe-routes.ts";
import { openEventStream } from "./event-stream.ts";
import { followOperation } from "./follow-operation.ts";
import { hideOthers } from "./hide-others.ts";
import { defaultLimit, nextCursor, readCursor, readMoment } from "./paging.ts";
import type { HttpParts } from "./parts.ts";
import { backupPath, backupsBase as base, projectPath, referenceOf } from "./paths.ts";

const tags = ["backups"];
const one = `${base}/:backupId`;

/** Lists, shows and follows backups. */
export function addBackupReads(app: App, parts: HttpParts): void {
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
        querystring: placeQuery,
        response: { 200: answer("It.", backup), ...problems(400, 403, 404) },
      },
    },
    async (request) => {
      const reference = referenceOf(parts, request, request.query);
      return hideOthers(request, await service.getBackup(reference));
    },
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
        querystring: placeQuery,
        response: { 200: answer("Oldest first.", log), ...problems(400, 403, 404) },
      },
    },
    async (request) => ({
      lines: await service.backupLogs(referenceOf(parts, request, request.query)),
    }),
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
        querystring: placeQuery,
        response: {
          200: {
            description: "Until it ended.",
            content: { "text/event-stream": { schema: { type: "string" } } },
          },
          ...problems(400, 403, 404),
        },
      },
    },
    async (request, reply) => {
      const reference = referenceOf(parts, request, request.query);
      const read = async () => hideOthers(request, await service.getBackup(reference));
      const first = await read();
      await followOperation(openEventStream(parts, request, reply), first, {
        read,
        readLog: async () => await service.backupLogs(reference),
      });
      return reply;
    },
  );
}
