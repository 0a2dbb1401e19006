import type { Static } from "typebox";
import { backup, backupListQuery, backupPage } from "../contract/rest/backups.ts";
import { placeQuery } from "../contract/rest/contents.ts";
import type { BackupQuery } from "../contract/service.ts";
import type { App } from "./app.ts";
import { ofProject, permit } from "./authenticate.ts";
import { answer, problems } from "./describe-routes.ts";
import { addOperationReads } from "./operation-reads.ts";
import { defaultLimit, nextCursor, readCursor, readMoment } from "./paging.ts";
import type { HttpParts } from "./parts.ts";
import { backupPath, backupsBase as base, projectPath, referenceOf } from "./paths.ts";

/** Lists, shows and follows backups. */
export function addBackupReads(app: App, parts: HttpParts): void {
  const { service } = parts;
  app.get(
    base,
    {
      onRequest: permit("look"),
      schema: {
        tags: ["backups"],
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

  addOperationReads(app, parts, {
    noun: "Backup",
    plural: "Backups",
    one: `${base}/:backupId`,
    params: backupPath,
    querystring: placeQuery,
    schema: backup,
    find: (request) => {
      // The route's schema has checked it.
      const reference = referenceOf(parts, request, request.query as Static<typeof placeQuery>);
      return {
        read: async () => await service.getBackup(reference),
        readLog: async () => await service.backupLogs(reference),
      };
    },
  });
}
