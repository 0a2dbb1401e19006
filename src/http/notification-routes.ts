import { Type } from "typebox";
import { dryRunQuery } from "../contract/rest/definitions.ts";
import { pageQuery } from "../contract/rest/shared.ts";
import {
  notification,
  notificationChange,
  notificationPage,
  notificationRequest,
  notificationTest,
} from "../contract/rest/notifications.ts";
import type { App } from "./app.ts";
import { ofProject, permit, permitForAll, refusePlaces } from "./authenticate.ts";
import {
  conditionHeaders,
  ifMatchHeader,
  readCondition,
  readRemoval,
  sendForgotten,
  sendWritten,
  tagOf,
} from "./conditions.ts";
import { answer, changeAnswers, forgetAnswers, makeAnswers, problems } from "./describe-routes.ts";
import { defaultLimit, nextCursor, readCursor } from "./paging.ts";
import type { HttpParts } from "./parts.ts";

const tags = ["notifications"];

/** Whose notifications: of one project, or of the installation. */
interface Scope {
  readonly base: string;
  /** Ends the operations' names. */
  readonly suffix: string;
  readonly says: string;
  readonly look: ReturnType<typeof permit>;
  readonly change: ReturnType<typeof permit>;
  /** Where the path names no project: the installation. */
  readonly path: { readonly projectId?: ReturnType<typeof Type.String> };
}

const scopes: readonly Scope[] = [
  {
    base: "/api/v1/projects/:projectId/notifications",
    suffix: "",
    says: "of a project",
    look: permit("look"),
    change: permit("administer"),
    path: { projectId: Type.String() },
  },
  {
    base: "/api/v1/notifications",
    suffix: "OfInstallation",
    says: "of the installation, which hear of all projects",
    look: permitForAll("look"),
    change: permitForAll("administer"),
    path: {},
  },
];

type Named = { readonly projectId?: string; readonly notification: string };
const referenceOf = ({ projectId = "", notification: name }: Named) => ({ projectId, name });

/** Makes, shows, tries, changes and deletes notifications. */
export function addNotificationRoutes(app: App, parts: HttpParts): void {
  for (const scope of scopes) {
    addReads(app, parts, scope);
    addWrites(app, parts, scope);
    addTest(app, parts, scope);
  }
}

function addReads(app: App, { service, nowMs }: HttpParts, { base, suffix, says, look, path }: Scope): void {
  app.get(
    base,
    {
      onRequest: look,
      schema: {
        tags,
        operationId: `listNotifications${suffix}`,
        summary: `List notifications ${says}`,
        params: Type.Object(path),
        querystring: pageQuery,
        response: { 200: answer("A page of them.", notificationPage), ...problems(400, 403, 404) },
      },
    },
    async ({ params, query }) => {
      const { limit = defaultLimit, cursor } = query;
      const position = readCursor(cursor, nowMs());
      const { projectId } = params as { projectId?: string };
      const whose = projectId === undefined ? { projectId: "" } : ofProject({ projectId });
      const { notifications, total } = await service.listNotifications({
        ...whose,
        limit,
        offset: position.offset,
      });
      return {
        notifications: [...notifications],
        total,
        ...nextCursor(position, notifications.length, total),
      };
    },
  );

  app.get(
    `${base}/:notification`,
    {
      onRequest: look,
      schema: {
        tags,
        operationId: `getNotification${suffix}`,
        summary: `Show a notification ${says}, and what it told last`,
        params: Type.Object({ ...path, notification: Type.String() }),
        response: { 200: answer("It.", notification), ...problems(403, 404) },
      },
    },
    async ({ params }, reply) => {
      const view = await service.getNotification(referenceOf(params as Named));
      return await reply.header("etag", tagOf(view)).send(view);
    },
  );
}

function addWrites(app: App, parts: HttpParts, { base, suffix, says, change, path }: Scope): void {
  const { service } = parts;
  const one = `${base}/:notification`;
  const onePath = Type.Object({ ...path, notification: Type.String() });
  const locationOf = (reference: { readonly projectId: string; readonly name: string }): string =>
    `${base.replace(":projectId", reference.projectId)}/${reference.name}`;
  app.post(
    base,
    {
      onRequest: change,
      schema: {
        tags,
        operationId: `createNotification${suffix}`,
        summary: `Make a notification ${says}`,
        description: "The same request sent again changes nothing.",
        params: Type.Object(path),
        querystring: dryRunQuery,
        body: notificationRequest,
        response: makeAnswers(notification),
      },
    },
    async (request, reply) => {
      const { projectId = "" } = request.params as { projectId?: string };
      const { dryRun = false } = request.query;
      refusePlaces(parts, request, [request.body]);
      const wish = { ...request.body, projectId };
      const written = await service.putNotification(wish, { condition: "absent", dryRun });
      return await sendWritten(reply, written, { dryRun, location: locationOf(wish) });
    },
  );

  app.put(
    one,
    {
      onRequest: change,
      schema: {
        tags,
        operationId: `putNotification${suffix}`,
        summary: `Change a notification ${says}, or make it`,
        params: onePath,
        headers: conditionHeaders,
        querystring: dryRunQuery,
        body: notificationChange,
        response: changeAnswers(notification),
      },
    },
    async (request, reply) => {
      const reference = referenceOf(request.params as Named);
      const { dryRun = false } = request.query;
      refusePlaces(parts, request, [request.body]);
      const wish = { ...request.body, ...reference };
      const written = await service.putNotification(wish, { condition: readCondition(request), dryRun });
      return await sendWritten(reply, written, { dryRun, location: locationOf(reference) });
    },
  );

  app.delete(
    one,
    {
      onRequest: change,
      schema: {
        tags,
        operationId: `deleteNotification${suffix}`,
        summary: `Forget a notification ${says}`,
        params: onePath,
        headers: ifMatchHeader,
        querystring: dryRunQuery,
        response: forgetAnswers(notification),
      },
    },
    async (request, reply) => {
      const { dryRun = false } = request.query;
      const reference = referenceOf(request.params as Named);
      const view = await service.deleteNotification(reference, readRemoval(request, dryRun));
      return await sendForgotten(reply, view, dryRun);
    },
  );
}

function addTest(app: App, { service }: HttpParts, { base, suffix, says, change, path }: Scope): void {
  app.post(
    `${base}/:notification/test`,
    {
      onRequest: change,
      schema: {
        tags,
        operationId: `testNotification${suffix}`,
        summary: `Send a test message to a notification ${says}`,
        description: "Once, now; answers when the receiver has answered.",
        params: Type.Object({ ...path, notification: Type.String() }),
        response: {
          200: answer("It arrived.", notificationTest),
          ...problems(403, 404, 409, 415, 422, 500, 502),
        },
      },
    },
    async ({ params }) => await service.testNotification(referenceOf(params as Named)),
  );
}
