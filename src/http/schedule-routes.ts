import { isDeepStrictEqual } from "node:util";
import { Type } from "typebox";
import { backup } from "../contract/rest/backups.ts";
import { dryRunQuery } from "../contract/rest/definitions.ts";
import { pageQuery } from "../contract/rest/shared.ts";
import {
  preview,
  previewQuery,
  schedule,
  scheduleChange,
  schedulePage,
  scheduleRequest,
  slotListQuery,
  slotPage,
  toScheduleWish,
} from "../contract/rest/schedules.ts";
import type { ScheduleKey, ScheduleView } from "../contract/schedules.ts";
import { Failure } from "../core/failure.ts";
import type { App } from "./app.ts";
import { ofProject, permit, refusePlaces } from "./authenticate.ts";
import {
  conditionHeaders,
  ifMatchHeader,
  readCondition,
  readRemoval,
  sendForgotten,
  sendWritten,
  shownTagOf,
} from "./conditions.ts";
import { answer, changeAnswers, forgetAnswers, makeAnswers, problems } from "./describe-routes.ts";
import { hideOthers } from "./hide-others.ts";
import { claim, idempotencyHeader } from "./idempotency.ts";
import { defaultLimit, nextCursor, readCursor } from "./paging.ts";
import type { HttpParts } from "./parts.ts";
import { projectPath } from "./paths.ts";

const tags = ["schedules"];
const schedulePath = Type.Object({ projectId: Type.String(), schedule: Type.String() });
const base = "/api/v1/projects/:projectId/schedules";
const one = `${base}/:schedule`;
const locationOf = (projectId: string, name: string): string =>
  `/api/v1/projects/${projectId}/schedules/${name}`;

/** As much of a schedule as may name what a server reaches. */
interface NamesPlaces {
  readonly backup: {
    readonly database?: { readonly url?: unknown; readonly preBackupHooks?: unknown } | undefined;
    readonly storage?: { readonly url?: unknown } | undefined;
    readonly preBackupHooks?: unknown;
    readonly postBackupHooks?: unknown;
  };
  readonly repository?: unknown;
}

/** What keys for some projects only may not name. */
const placesOf = ({ backup: { database, storage, ...asked }, repository }: NamesPlaces) => [
  database?.url,
  storage?.url,
  database?.preBackupHooks,
  asked.preBackupHooks,
  asked.postBackupHooks,
  repository,
];

/** Places that the schedule does not have already: whoever changes its times sends back what they read. */
function newPlaces(change: NamesPlaces, standing: NamesPlaces | undefined): unknown[] {
  const known = standing === undefined ? [] : placesOf(standing);
  return placesOf(change).filter((place, index) => !isDeepStrictEqual(place, known[index]));
}

async function findStanding({ service }: HttpParts, key: ScheduleKey): Promise<ScheduleView | undefined> {
  try {
    return await service.getSchedule(key);
  } catch (error) {
    if (error instanceof Failure && error.code === "schedule-not-found") return undefined;
    throw error;
  }
}

/** Makes, shows, changes, suspends and deletes schedules, and tells what came of them. */
export function addScheduleRoutes(app: App, parts: HttpParts): void {
  addScheduleReads(app, parts);
  addSlotReads(app, parts);
  addScheduleWrites(app, parts);
  addScheduleRemoval(app, parts);
  addScheduleActions(app, parts);
}

function addScheduleReads(app: App, { service, nowMs }: HttpParts): void {
  app.get(
    base,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "listSchedules",
        summary: "List schedules",
        params: projectPath,
        querystring: pageQuery,
        response: { 200: answer("A page of them.", schedulePage), ...problems(400, 404) },
      },
    },
    async ({ params, query }) => {
      const { limit = defaultLimit, cursor } = query;
      const position = readCursor(cursor, nowMs());
      const wanted = { ...ofProject(params), limit, offset: position.offset };
      const { schedules, total } = await service.listSchedules(wanted);
      return { schedules, total, ...nextCursor(position, schedules.length, total) };
    },
  );

  app.get(
    one,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "getSchedule",
        summary: "Show a schedule",
        params: schedulePath,
        response: { 200: answer("It.", schedule), ...problems(404) },
      },
    },
    async ({ params: { projectId, schedule: name } }, reply) => {
      const view = await service.getSchedule({ projectId, name });
      return await reply.header("etag", shownTagOf(view)).send(view);
    },
  );

  app.get(
    `${one}/next`,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "previewSchedule",
        summary: "Show when a schedule is due next",
        description: "Of one with a recovery point objective: the next time, as far as it can be told.",
        params: schedulePath,
        querystring: previewQuery,
        response: { 200: answer("The next times.", preview), ...problems(400, 404) },
      },
    },
    async ({ params: { projectId, schedule: name }, query: { count = 10 } }) => ({
      slots: await service.previewSchedule({ projectId, name }, count),
    }),
  );
}

function addSlotReads(app: App, { service, nowMs }: HttpParts): void {
  app.get(
    `${one}/slots`,
    {
      onRequest: permit("look"),
      schema: {
        tags,
        operationId: "listSlots",
        summary: "List what came of a schedule's times, newest first",
        params: schedulePath,
        querystring: slotListQuery,
        response: { 200: answer("A page of them.", slotPage), ...problems(400, 404) },
      },
    },
    async ({ params: { projectId, schedule: name }, query }) => {
      const { limit = defaultLimit, cursor, outcome } = query;
      const position = readCursor(cursor, nowMs());
      await service.getSchedule({ projectId, name });
      const { slots, total } = await service.listSlots({
        projectId,
        schedule: name,
        ...(outcome === undefined ? {} : { outcome }),
        limit,
        offset: position.offset,
      });
      return { slots, total, ...nextCursor(position, slots.length, total) };
    },
  );
}

function addScheduleWrites(app: App, parts: HttpParts): void {
  const { service } = parts;
  app.post(
    base,
    {
      onRequest: permit("administer"),
      schema: {
        tags,
        operationId: "createSchedule",
        summary: "Make a schedule",
        description: "The same request sent again changes nothing.",
        params: projectPath,
        querystring: dryRunQuery,
        body: scheduleRequest,
        response: makeAnswers(schedule),
      },
    },
    async (request, reply) => {
      const { projectId } = request.params;
      const { dryRun = false } = request.query;
      const { name, ...change } = request.body;
      refusePlaces(parts, request, placesOf(change));
      const wish = toScheduleWish(projectId, name, change);
      const written = await service.putSchedule(wish, { condition: "absent", dryRun });
      return await sendWritten(reply, written, { dryRun, location: locationOf(projectId, name) });
    },
  );

  app.put(
    one,
    {
      onRequest: permit("administer"),
      schema: {
        tags,
        operationId: "putSchedule",
        summary: "Change a schedule, or make it",
        params: schedulePath,
        headers: conditionHeaders,
        querystring: dryRunQuery,
        body: scheduleChange,
        response: changeAnswers(schedule),
      },
    },
    async (request, reply) => {
      const { projectId, schedule: name } = request.params;
      const { dryRun = false } = request.query;
      const standing = await findStanding(parts, { projectId, name });
      refusePlaces(parts, request, newPlaces(request.body, standing));
      const wish = toScheduleWish(projectId, name, request.body);
      const written = await service.putSchedule(wish, { condition: readCondition(request), dryRun });
      return await sendWritten(reply, written, { dryRun, location: locationOf(projectId, name) });
    },
  );
}

function addScheduleRemoval(app: App, { service }: HttpParts): void {
  app.delete(
    one,
    {
      onRequest: permit("administer"),
      schema: {
        tags,
        operationId: "deleteSchedule",
        summary: "Forget a schedule; its backups stay",
        params: schedulePath,
        headers: ifMatchHeader,
        querystring: dryRunQuery,
        response: forgetAnswers(schedule),
      },
    },
    async (request, reply) => {
      const { projectId, schedule: name } = request.params;
      const { dryRun = false } = request.query;
      const view = await service.deleteSchedule({ projectId, name }, readRemoval(request, dryRun));
      return await sendForgotten(reply, view, dryRun);
    },
  );
}

function addScheduleActions(app: App, parts: HttpParts): void {
  const { service } = parts;
  for (const [verb, suspended] of [
    ["suspend", true],
    ["resume", false],
  ] as const) {
    app.post(
      `${one}/${verb}`,
      {
        onRequest: permit("operate"),
        schema: {
          tags,
          operationId: `${verb}Schedule`,
          summary: suspended ? "Suspend a schedule: its times are recorded as skipped" : "Let it go on",
          params: schedulePath,
          response: { 200: answer("As it is now.", schedule), ...problems(400, 403, 404, 415) },
        },
      },
      async ({ params: { projectId, schedule: name } }) =>
        await service.suspendSchedule({ projectId, name }, suspended),
    );
  }

  app.post(
    `${one}/run`,
    {
      onRequest: permit("operate"),
      schema: {
        tags,
        operationId: "runSchedule",
        summary: "Ask for a backup of a schedule now",
        description: "Whatever its times, windows and rules for overlap say.",
        params: schedulePath,
        headers: idempotencyHeader,
        response: {
          201: answer("Recorded. `Location` is where it is followed.", backup),
          ...problems(400, 403, 404, 409, 415, 422),
        },
      },
    },
    async (request, reply) => {
      const { projectId, schedule: name } = request.params;
      const key = { projectId, name };
      await service.getSchedule(key);
      const operationId = await claim(parts, request, "backup");
      const view = await service.runSchedule(key, {
        requestId: request.id,
        ...(operationId === undefined ? {} : { operationId }),
      });
      return await reply
        .code(201)
        .header("location", `/api/v1/projects/${projectId}/backups/${view.backupId}`)
        .send(hideOthers(request, view));
    },
  );
}
