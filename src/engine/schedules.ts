import { isDeepStrictEqual } from "node:util";
import type { ScheduleKey, Schedules, ScheduleView, SlotView } from "../contract/schedules.ts";
import type { WriteOptions, Written } from "../contract/definitions.ts";
import type { DefinitionKey, DefinitionRecord } from "../core/ports/definition-records.ts";
import type { ScheduleFacts, SlotRecord } from "../core/ports/schedule-records.ts";
import { decideSchedule } from "../core/schedule/decide-schedules.ts";
import { previewSlots } from "../core/schedule/preview-slots.ts";
import type { Schedule } from "../core/schedule/schedule.ts";
import { effectiveCron } from "../core/schedule/spread.ts";
import { fromSchedule, toSchedule, type ScheduleWish } from "../core/schedule/to-schedule.ts";
import { validateSchedule } from "../core/schedule/validate-schedule.ts";
import { toIso } from "./backup-views.ts";
import { factsOf, readDefinition, removeDefinition, writeDefinition } from "./definitions.ts";
import type { EngineParts } from "./parts.ts";
import { ensureProject, readProject } from "./read-project.ts";
import { readBackupView } from "./read-backups.ts";
import { resolveWish } from "./record-backup.ts";
import { normalizeRepositoryUrl } from "./repository-url.ts";
import { prepareSlotBackup } from "./schedule-backup.ts";

const definitionOf = ({ projectId, name }: ScheduleKey): DefinitionKey => ({
  kind: "schedule",
  projectId,
  name,
});

/** What stands in the catalog of a schedule: everything but what names it. */
type Stored = Omit<ScheduleWish, "projectId" | "name"> & Pick<Schedule, "timeZone" | "fromMs">;

export function scheduleOf({ projectId, name, spec }: DefinitionRecord): Schedule {
  const { fromMs, ...wish } = spec as Stored;
  return toSchedule({ ...wish, projectId, name }, { timeZone: wish.timeZone, fromMs });
}

/** The verbs of schedules. */
export function createScheduleService(parts: EngineParts): Schedules {
  return {
    putSchedule: async (wish, options) => await putSchedule(parts, wish, options),

    listSchedules: async (query) => {
      const { definitions, total } = await parts.catalog.listDefinitions({ kind: "schedule", ...query });
      return { schedules: await Promise.all(definitions.map(async (one) => await view(parts, one))), total };
    },

    getSchedule: async (key) => await view(parts, await read(parts, key)),

    deleteSchedule: async (key, options) => {
      const removed = await removeDefinition(parts, definitionOf(key), options, "schedule-not-found");
      return await view(parts, removed);
    },

    suspendSchedule: async (key, suspended) => {
      for (;;) {
        const { spec, revision, ...found } = await read(parts, key);
        const nowMs = parts.clock.nowMs();
        const changed = { ...definitionOf(key), spec: { ...(spec as Stored), suspended }, nowMs };
        const written =
          (spec as Stored).suspended === suspended
            ? { ...found, spec, revision }
            : await parts.catalog.putDefinition(changed, { revision });
        if (written === undefined) continue;
        parts.scheduleBell.ring();
        return await view(parts, written);
      }
    },

    runSchedule: async (key, { operationId, requestId }) => {
      const schedule = scheduleOf(await read(parts, key));
      const nowMs = parts.clock.nowMs();
      const prepared = await prepareSlotBackup(parts, schedule, { slotMs: nowMs, limits: {} });
      const first = {
        ...(operationId === undefined ? {} : { id: operationId }),
        ...(requestId === undefined ? {} : { requestId }),
      };
      let id = operationId ?? "";
      const known = operationId === undefined ? undefined : await parts.catalog.getOperation(operationId);
      if (known === undefined) {
        const operation = (turn: number) => {
          const made = { ...prepared(turn), ...first };
          id = made.id;
          return made;
        };
        const slots = [{ slotMs: nowMs, outcome: "ran", operation }] as const;
        await parts.catalog.recordSlots({ key, cause: "run-now", accountedUntilMs: undefined, nowMs, slots });
        parts.queue.ring();
      }
      const { repository } = (await parts.catalog.getOperation(id)) ?? prepared(0);
      return await readBackupView(parts, { backupId: id, projectId: key.projectId, repository });
    },

    previewSchedule: async (key, count) => {
      const schedule = scheduleOf(await read(parts, key));
      const nowMs = parts.clock.nowMs();
      if (schedule.cron !== undefined) return previewSlots(schedule, nowMs, count).map(viewComing);
      const facts = await parts.catalog.observeSchedule(key, nowMs);
      const { slots, lookAtMs } = decideSchedule(nowMs, { schedule, ...facts });
      const slotMs = slots[0]?.slotMs ?? lookAtMs;
      return slotMs === undefined ? [] : [viewComing({ slotMs, startMs: Math.max(slotMs, nowMs) })];
    },

    listSlots: async ({ schedule, ...query }) => {
      const name = schedule === undefined ? {} : { name: schedule };
      const { slots, total } = await parts.catalog.listSlots({ ...query, ...name });
      return { slots: slots.map(viewSlot), total };
    },
  };
}

const read = async (parts: EngineParts, key: ScheduleKey): Promise<DefinitionRecord> =>
  await readDefinition(parts, definitionOf(key), "schedule-not-found");

async function putSchedule(
  parts: EngineParts,
  wish: ScheduleWish,
  options: WriteOptions,
): Promise<Written<ScheduleView>> {
  const { timeZone } = await readProject(parts, wish.projectId);
  const nowMs = parts.clock.nowMs();
  const wanted = toSchedule(wish, { timeZone, fromMs: nowMs });
  await resolveWish(parts, { ...wanted.backup, projectId: wanted.projectId }, validateSchedule(wanted));
  const found = await parts.catalog.getDefinition(definitionOf(wish));
  const before = found === undefined ? undefined : scheduleOf(found);
  const isTimedAlike = before !== undefined && isDeepStrictEqual(timesOf(before), timesOf(wanted));
  const { projectId, name, repository, ...spec } = fromSchedule(wanted);
  const stored: Stored = {
    ...spec,
    ...(repository === undefined ? {} : { repository: normalizeRepositoryUrl(repository) }),
    // Another time begins with no past of its own.
    fromMs: isTimedAlike ? before.fromMs : nowMs,
  };
  if (options.dryRun !== true) await ensureProject(parts, projectId);
  const written = await writeDefinition(parts, definitionOf({ projectId, name }), stored, options);
  parts.scheduleBell.ring();
  return { outcome: written.outcome, view: await view(parts, written.view) };
}

const timesOf = ({ cron, rpoSeconds, timeZone }: Schedule) => ({ cron, rpoSeconds, timeZone });

async function view(parts: EngineParts, definition: DefinitionRecord): Promise<ScheduleView> {
  const schedule = scheduleOf(definition);
  const nowMs = parts.clock.nowMs();
  const facts = await parts.catalog.observeSchedule(definition, nowMs);
  const { projectId, name } = definition;
  const { slots } = await parts.catalog.listSlots({ projectId, name, limit: 1 });
  return {
    ...fromSchedule(schedule),
    ...factsOf(definition),
    ...viewTimes(nowMs, schedule, facts),
    ...(slots[0] === undefined ? {} : { last: viewSlot(slots[0]) }),
    open: facts.open.map(({ id }) => id),
  };
}

function viewTimes(nowMs: number, schedule: Schedule, facts: ScheduleFacts): Partial<ScheduleView> {
  const { cron, suspended } = schedule;
  const cronView = cron?.endsWith("-random") === true ? { effectiveCron: effectiveCron(cron, schedule) } : {};
  if (suspended) return cronView;
  const { waits, slots, lookAtMs } = decideSchedule(nowMs, { schedule, ...facts });
  const dueMs = slots.some(({ run }) => run) ? nowMs : (waits?.untilMs ?? lookAtMs);
  return {
    ...cronView,
    ...(dueMs === undefined ? {} : { nextAt: toIso(dueMs) }),
    ...(waits === undefined ? {} : { waits: waits.reason }),
  };
}

const viewSlot = (slot: SlotRecord): SlotView => ({
  projectId: slot.projectId,
  schedule: slot.name,
  slot: toIso(slot.slotMs),
  cause: slot.cause,
  outcome: slot.outcome,
  ...(slot.message === undefined ? {} : { message: slot.message }),
  ...(slot.operationId === undefined ? {} : { backupId: slot.operationId }),
  recordedAt: toIso(slot.recordedAtMs),
});

const viewComing = ({ slotMs, startMs }: { slotMs: number; startMs?: number }) => ({
  slot: toIso(slotMs),
  ...(startMs === undefined ? {} : { startsAt: toIso(startMs) }),
});
