import { contentsQuery, downloadQuery } from "../contract/rest/contents.ts";
import { Failure } from "../core/failure.ts";
import type { App } from "./app.ts";
import { permit } from "./authenticate.ts";
import { problems } from "./describe-routes.ts";
import type { HttpParts } from "./parts.ts";
import { backupPath, backupsBase, referenceOf } from "./paths.ts";
import { describeProblem } from "./problems.ts";
import { answerStreaming } from "./stream-answer.ts";

const tags = ["backups"];
const one = `${backupsBase}/:backupId`;

/** What a backup holds: a list of it, and single things out of it. */
export function addContentRoutes(app: App, parts: HttpParts): void {
  addContents(app, parts);
  addDownload(app, parts);
}

function addContents(app: App, parts: HttpParts): void {
  app.get(
    `${one}/contents`,
    {
      onRequest: permit("operate"),
      exposeHeadRoute: false,
      schema: {
        tags,
        operationId: "browseBackup",
        summary: "List the tables and files in a backup",
        description:
          "A JSON object a line: tables, then files in order; the last one has the type `end` and the totals, or is " +
          "`problem` and what went wrong.",
        params: backupPath,
        querystring: contentsQuery,
        response: {
          200: {
            description: "As it is read.",
            content: { "application/x-ndjson": { schema: { type: "string" } } },
          },
          ...problems(400, 403, 404, 409, 422, 502),
        },
      },
    },
    async (request, reply) => {
      const { pattern, ...place } = request.query;
      const reference = referenceOf(parts, request, place);
      reply.type("application/x-ndjson; charset=utf-8");
      return await answerStreaming(parts, request, reply, async ({ write, signal }) => {
        let isBegun = false;
        const line = async (value: object): Promise<void> => {
          isBegun = true;
          await write(`${JSON.stringify(value)}\n`);
        };
        const waiting = { signal, onEvent: () => undefined };
        try {
          const totals = await parts.service.browseBackup(reference, pattern, line, waiting);
          await line({ type: "end", ...totals });
        } catch (error) {
          if (!isBegun || signal.aborted) throw error;
          await line({ type: "problem", problem: describeProblem(Failure.from(error), request) });
        }
      });
    },
  );
}

function addDownload(app: App, parts: HttpParts): void {
  app.get(
    `${one}/download`,
    {
      onRequest: permit("operate"),
      exposeHeadRoute: false,
      schema: {
        tags,
        operationId: "downloadBackup",
        summary: "Get one file, or one database archive, out of a backup",
        description:
          "Every byte is checked as it passes. When something is found wrong on the way the connection is broken " +
          "off: what came is to be thrown away unless the body ended properly.",
        params: backupPath,
        querystring: downloadQuery,
        response: {
          200: {
            description: "Its bytes.",
            content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
          },
          ...problems(400, 403, 404, 409, 422, 502),
        },
      },
    },
    async (request, reply) => {
      const { path, ...place } = request.query;
      const reference = referenceOf(parts, request, place);
      reply.type("application/octet-stream").header("content-disposition", attachment(path));
      return await answerStreaming(parts, request, reply, async ({ write, signal }) => {
        const waiting = { signal, onEvent: () => undefined };
        await parts.service.downloadBackup(reference, path, write, waiting);
      });
    },
  );
}

/** RFC 6266, with the name as RFC 8187 writes any letters. */
function attachment(path: string): string {
  const name = path.split("/").findLast((part) => part !== "") ?? "download";
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename*=UTF-8''${encoded}`;
}
