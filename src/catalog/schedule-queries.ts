import { sql, type Kysely, type RawBuilder, type Selectable, type Transaction } from "kysely";
import { Failure } from "../core/failure.ts";
import { nobody, type Outcome } from "../core/operation/operation.ts";
import type { NewOperation } from "../core/ports/catalog.ts";
import type {
  ScheduleRecords,
  SlotCause,
  SlotRecord,
  SlotsToRecord,
} from "../core/ports/schedule-records.ts";
import { clocksApartMs, type ScheduleKey } from "../core/schedule/schedule.ts";
import { numberOf, present, same } from "./columns.ts";
import { insertOperation } from "./operation-queries.ts";
import type { CatalogTables, ScheduleSlotsTable } from "./schema.ts";

/** As many as an estimate looks back on. */
const endedBackups = 20;
/** Nobody owns what waits, so nothing expires. */
const noLease = { seconds: 0 };

export function createScheduleQueries(
  database: Kysely<CatalogTables>,
  leaseNow: () => RawBuilder<number>,
  lockQueue: RawBuilder<unknown> | undefined,
): ScheduleRecords {
  return {
    observeSchedule: async (key, nowMs) => {
      const accountedUntilMs = await accountedUntil(database, key, nowMs);
      const open = await readOpen(database, key);
      const ended = await readEnded(database, key);
      return { ...(accountedUntilMs === undefined ? {} : { accountedUntilMs }), open, ended };
    },

    recordSlots: async (record) =>
      await database.transaction().execute(async (transaction) => {
        await lockQueue?.execute(transaction);
        return await recordSlots(transaction, leaseNow, record);
      }),

    listSlots: async ({ projectId, name, outcome, recordedSinceMs, limit, offset = 0 }) => {
      let matching = database.selectFrom("schedule_slots");
      if (projectId !== undefined) matching = matching.where("project_id", "=", projectId);
      if (name !== undefined) matching = matching.where("schedule", "=", name);
      if (outcome !== undefined) matching = matching.where("outcome", "=", outcome);
      if (recordedSinceMs !== undefined) matching = matching.where("recorded_at_ms", ">=", recordedSinceMs);
      const rows = await matching
        .selectAll()
        .orderBy("slot_ms", "desc")
        .orderBy("project_id")
        .orderBy("schedule")
        .limit(limit)
        .offset(offset)
        .execute();
      const counted = await matching.select((eb) => eb.fn.countAll().as("total")).executeTakeFirstOrThrow();
      return { slots: rows.map(toSlot), total: Number(counted.total) };
    },

    findSlots: async (operationIds) => {
      if (operationIds.length === 0) return [];
      const rows = await database
        .selectFrom("schedule_slots")
        .selectAll()
        .where("operation_id", "in", operationIds)
        .execute();
      return rows.map(toSlot);
    },

    countSlots: async () => {
      const rows = await database
        .selectFrom("schedule_slots")
        .select((eb) => [
          "project_id",
          "schedule",
          "outcome",
          eb.fn.countAll().as("count"),
          eb.fn.max("slot_ms").as("newest_ms"),
        ])
        .groupBy(["project_id", "schedule", "outcome"])
        .execute();
      return rows.map((row) => ({
        projectId: row.project_id,
        name: row.schedule,
        outcome: row.outcome as SlotRecord["outcome"],
        count: Number(row.count),
        newestMs: numberOf(row.newest_ms ?? 0),
      }));
    },
  };
}

async function recordSlots(
  transaction: Transaction<CatalogTables>,
  leaseNow: () => RawBuilder<number>,
  { key, cause, accountedUntilMs, nowMs, slots }: SlotsToRecord,
): Promise<boolean> {
  if (cause === "due" && (await accountedUntil(transaction, key, nowMs)) !== accountedUntilMs) return false;
  const answered = await readAnswered(transaction, key, cause, { nowMs, slots });
  for (const { slotMs: wantedMs, outcome, message, operation } of slots) {
    if (cause === "due" && answered.has(wantedMs)) continue;
    const slotMs = cause === "due" ? wantedMs : await firstFreeInstant(transaction, key, wantedMs);
    const operationId =
      operation === undefined ? undefined : await insertFirstFree(transaction, leaseNow, operation);
    const columns = {
      outcome,
      message: message ?? null,
      operation_id: operationId ?? null,
      recorded_at_ms: nowMs,
    };
    await transaction
      .insertInto("schedule_slots")
      .values({ project_id: key.projectId, schedule: key.name, slot_ms: slotMs, cause, ...columns })
      .onConflict((conflict) =>
        conflict.columns(["project_id", "schedule", "cause", "slot_ms"]).doUpdateSet(columns),
      )
      .execute();
  }
  return true;
}

/** Two people may ask at once: each gets a backup, under an instant of its own. */
async function firstFreeInstant(
  transaction: Transaction<CatalogTables>,
  key: ScheduleKey,
  fromMs: number,
): Promise<number> {
  for (let slotMs = fromMs; ; slotMs += 1) {
    const taken = await transaction
      .selectFrom("schedule_slots")
      .select("slot_ms")
      .where(isOf(key))
      .where("cause", "=", "run-now")
      .where("slot_ms", "=", slotMs)
      .executeTakeFirst();
    if (taken === undefined) return slotMs;
  }
}

/** Slots among these whose answer stands. */
async function readAnswered(
  transaction: Transaction<CatalogTables>,
  key: ScheduleKey,
  cause: SlotCause,
  { nowMs, slots }: Pick<SlotsToRecord, "nowMs" | "slots">,
): Promise<ReadonlySet<number>> {
  const rows = await transaction
    .selectFrom("schedule_slots")
    .select("slot_ms")
    .where(isOf(key))
    .where("cause", "=", cause)
    .where("slot_ms", ">=", slots[0]?.slotMs ?? 0)
    .where("slot_ms", "<=", slots.at(-1)?.slotMs ?? 0)
    .where(stands(nowMs))
    .execute();
  return new Set(rows.map(({ slot_ms }) => numberOf(slot_ms)));
}

async function insertFirstFree(
  transaction: Transaction<CatalogTables>,
  leaseNow: () => RawBuilder<number>,
  operation: NonNullable<SlotsToRecord["slots"][number]["operation"]>,
): Promise<string> {
  for (let turn = 0; turn < 100; turn += 1) {
    const wanted = operation(turn);
    if (await isIndexed(transaction, wanted)) continue;
    if (await insertOperation(transaction, leaseNow, wanted, noLease)) return wanted.id;
  }
  throw new Failure("internal", `No id is free for ${operation(0).id}.`);
}

/** A catalog that was rebuilt from its repositories knows the backup, but neither its operation nor its slot. */
async function isIndexed(
  transaction: Transaction<CatalogTables>,
  { projectId, id }: NewOperation,
): Promise<boolean> {
  const found = await transaction
    .selectFrom("backups")
    .select("backup_id")
    .where("project_id", "=", projectId)
    .where("backup_id", "=", id)
    .executeTakeFirst();
  return found !== undefined;
}

async function accountedUntil(
  database: Kysely<CatalogTables>,
  key: ScheduleKey,
  nowMs: number,
): Promise<number | undefined> {
  const row = await database
    .selectFrom("schedule_slots")
    .select("slot_ms")
    .where(isOf(key))
    .where("cause", "=", "due")
    .where("slot_ms", "<=", nowMs)
    .where(stands(nowMs))
    .orderBy("slot_ms", "desc")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : numberOf(row.slot_ms);
}

async function readOpen(database: Kysely<CatalogTables>, key: ScheduleKey) {
  const rows = await ofSchedule(database, key)
    .select(["operations.id", "slot_ms", "lease_owner", "cancel_requested"])
    .where("finished_at_ms", "is", null)
    .orderBy("slot_ms")
    .execute();
  return rows.map((row) => ({
    id: row.id,
    slotMs: numberOf(row.slot_ms),
    isWaiting: row.lease_owner === nobody,
    cancelRequested: numberOf(row.cancel_requested) === 1,
  }));
}

async function readEnded(database: Kysely<CatalogTables>, key: ScheduleKey) {
  const rows = await ofSchedule(database, key)
    .select(["created_at_ms", "admitted_at_ms", "finished_at_ms", "operations.outcome as ended"])
    .where("finished_at_ms", "is not", null)
    .orderBy("slot_ms", "desc")
    .limit(endedBackups)
    .execute();
  return rows.map((row) => ({
    createdAtMs: numberOf(row.created_at_ms),
    begunAtMs: numberOf(row.admitted_at_ms ?? row.created_at_ms),
    finishedAtMs: numberOf(row.finished_at_ms ?? 0),
    outcome: row.ended as Outcome,
  }));
}

const ofSchedule = (database: Kysely<CatalogTables>, key: ScheduleKey) =>
  database
    .selectFrom("schedule_slots")
    .innerJoin("operations", "operations.id", "schedule_slots.operation_id")
    .where(isOf(key));

const isOf = ({ projectId, name }: ScheduleKey) =>
  sql<boolean>`schedule_slots.project_id = ${projectId} and schedule_slots.schedule = ${name}`;

/** What has a backup, and what was not recorded by a clock that ran ahead. */
const stands = (nowMs: number) =>
  sql<boolean>`(schedule_slots.operation_id is not null or schedule_slots.recorded_at_ms <= ${nowMs + clocksApartMs})`;

function toSlot(row: Selectable<ScheduleSlotsTable>): SlotRecord {
  return {
    projectId: row.project_id,
    name: row.schedule,
    slotMs: numberOf(row.slot_ms),
    cause: row.cause as SlotCause,
    outcome: row.outcome as SlotRecord["outcome"],
    ...present("message", row.message, same),
    ...present("operationId", row.operation_id, same),
    recordedAtMs: numberOf(row.recorded_at_ms),
  };
}
