/**
 * What is asked about work that is carried out elsewhere: how it goes, what was said, to be told of every change,
 * and lists of it. Backups, restores and copies are asked in the same words.
 */
import type { FastifyRequest } from "fastify";
import type { TObject, TSchema } from "typebox";
import { log, pageQuery } from "../contract/rest/shared.ts";
import type { LogLine } from "../contract/service.ts";
import type { App } from "./app.ts";
import { ofProject, permit } from "./authenticate.ts";
import { answer, problems } from "./describe-routes.ts";
import { openEventStream } from "./event-stream.ts";
import { followOperation, type Followed } from "./follow-operation.ts";
import { hideOthers } from "./hide-others.ts";
import { defaultLimit, nextCursor, readCursor } from "./paging.ts";
import type { HttpParts } from "./parts.ts";
import { projectPath } from "./paths.ts";

/** The words for a kind of work, and the shape of what is told of it. */
export interface OperationKind {
  /** `Backup`: the end of operation ids. */
  readonly noun: string;
  readonly plural: string;
  /** The path of one: `/api/v1/…/:backupId`. */
  readonly one: string;
  readonly params: TObject;
  readonly schema: TSchema;
}

/** One of them that a request names. Both refuse what is not there, or not of the request's project. */
interface Found<View extends Followed> {
  readonly read: () => Promise<View>;
  readonly readLog: () => Promise<readonly LogLine[]>;
}

/** `find` refuses what the caller may not name; `querystring` is what it reads beside the path. */
export function addOperationReads<View extends Followed>(
  app: App,
  parts: HttpParts,
  kind: OperationKind & {
    readonly querystring?: TObject;
    readonly find: (request: FastifyRequest) => Found<View>;
  },
): void {
  const { noun, plural, one, params, schema, find, querystring } = kind;
  const [thing, tags] = [noun.toLowerCase(), [plural.toLowerCase()]];
  const asked = { params, ...(querystring === undefined ? {} : { querystring }) };
  // Who names a place can name it wrong, or one that is not theirs to name.
  const refusals = problems(404, ...(querystring === undefined ? [] : [400, 403]));
  const seen =
    (request: FastifyRequest, { read }: Found<View>) =>
    async () =>
      hideOthers(request, await read());

  app.get(
    one,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: `get${noun}`,
        summary: `Show a ${thing}`,
        ...asked,
        response: { 200: answer("It.", schema), ...refusals },
      },
    },
    async (request) => await seen(request, find(request))(),
  );

  app.get(
    `${one}/logs`,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: `get${noun}Logs`,
        summary: "What was said while it ran",
        ...asked,
        response: { 200: answer("Oldest first.", log), ...refusals },
      },
    },
    async (request) => ({ lines: await find(request).readLog() }),
  );

  app.get(
    `${one}/events`,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: `follow${noun}`,
        summary: `Follow a ${thing}`,
        description: `Events \`state\` (the ${thing}), \`log\` (a line) and, last, \`end\` (the ${thing}).`,
        ...asked,
        response: {
          200: {
            description: "Until it ended.",
            content: { "text/event-stream": { schema: { type: "string" } } },
          },
          ...refusals,
        },
      },
    },
    async (request, reply) => {
      const found = find(request);
      const read = seen(request, found);
      const first = await read();
      await followOperation(openEventStream(parts, request, reply), first, { ...found, read });
      return reply;
    },
  );
}

/** A project's, newest first, a page at a time. */
export function addOperationList<View extends Followed>(
  app: App,
  parts: HttpParts,
  kind: Pick<OperationKind, "plural"> & {
    readonly base: string;
    readonly schema: TSchema;
    readonly list: (query: {
      readonly projectId?: string;
      readonly limit: number;
      readonly offset: number;
    }) => Promise<{ readonly views: readonly View[]; readonly total: number }>;
  },
): void {
  const { plural, base, schema, list } = kind;
  const things = plural.toLowerCase();
  app.get(
    base,
    {
      onRequest: permit("look"),
      schema: {
        tags: [things],
        operationId: `list${plural}`,
        summary: `List ${things}, newest first`,
        description: "Those under way, and those that ended, failed ones too.",
        params: projectPath,
        querystring: pageQuery,
        response: { 200: answer("A page of them.", schema), ...problems(400, 404) },
      },
    },
    async (request) => {
      const { limit = defaultLimit, cursor } = request.query;
      const { offset, ...position } = readCursor(cursor, parts.nowMs());
      const { views, total } = await list({ ...ofProject(request.params), limit, offset });
      const visible = views.map((view) => hideOthers(request, view));
      return { [things]: visible, total, ...nextCursor({ offset, ...position }, views.length, total) };
    },
  );
}
