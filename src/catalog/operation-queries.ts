import { sql, type Kysely, type RawBuilder, type Selectable } from "kysely";
import type { FailureRecord } from "../core/failure.ts";
import type { Operation, OperationKind, Outcome } from "../core/operation/operation.ts";
import type { Catalog, NewOperation } from "../core/ports/catalog.ts";
import { numberOf, parse, present, same } from "./columns.ts";
import type { CatalogTables, OperationsTable } from "./schema.ts";

type OperationQueries = Pick<
  Catalog,
  | "createOperation"
  | "getOperation"
  | "findOperations"
  | "listOperations"
  | "listOpenOperations"
  | "countOperations"
>;

export function createOperationQueries(
  database: Kysely<CatalogTables>,
  leaseNow: () => RawBuilder<number>,
): OperationQueries {
  return {
    createOperation: async (operation, lease) =>
      await database
        .transaction()
        .execute(async (transaction) => await insertOperation(transaction, leaseNow, operation, lease)),

    getOperation: async (id) => {
      const row = await database.selectFrom("operations").selectAll().where("id", "=", id).executeTakeFirst();
      return row === undefined ? undefined : toOperation(row);
    },

    findOperations: async (ids) => {
      if (ids.length === 0) return [];
      const rows = await database.selectFrom("operations").selectAll().where("id", "in", ids).execute();
      return rows.map(toOperation);
    },

    listOperations: async (query) => {
      let matching = database.selectFrom("operations").where("kind", "=", query.kind);
      if (query.projectId !== undefined) matching = matching.where("project_id", "=", query.projectId);
      const rows = await matching
        .selectAll()
        .orderBy("created_at_ms", "desc")
        .orderBy("id", "desc")
        .limit(query.limit)
        .offset(query.offset ?? 0)
        .execute();
      const counted = await matching.select((eb) => eb.fn.countAll().as("total")).executeTakeFirstOrThrow();
      return { operations: rows.map(toOperation), total: Number(counted.total) };
    },

    listOpenOperations: async () => {
      const rows = await database
        .selectFrom("operations")
        .selectAll()
        .select(sql<number>`lease_until_ms - ${leaseNow()}`.as("lease_left_ms"))
        .where("finished_at_ms", "is", null)
        .orderBy("created_at_ms")
        .execute();
      return rows.map((row) => ({ operation: toOperation(row), leaseLeftMs: numberOf(row.lease_left_ms) }));
    },

    countOperations: async () => {
      const rows = await database
        .selectFrom("operations")
        .select((eb) => [
          "kind",
          "project_id",
          "application",
          "outcome",
          eb.fn.countAll().as("count"),
          sql<number | string>`coalesce(sum(finished_at_ms - created_at_ms), 0)`.as("duration_ms"),
        ])
        .groupBy(["kind", "project_id", "application", "outcome"])
        .execute();
      return rows.map((row) => ({
        kind: row.kind as OperationKind,
        projectId: row.project_id,
        ...present("application", row.application, same),
        ...present("outcome", row.outcome, (outcome) => outcome as Outcome),
        count: Number(row.count),
        durationMs: numberOf(row.duration_ms),
      }));
    },
  };
}

/** Within a transaction. False when there is one of this id. */
export async function insertOperation(
  transaction: Kysely<CatalogTables>,
  leaseNow: () => RawBuilder<number>,
  operation: NewOperation,
  lease: { readonly seconds: number },
): Promise<boolean> {
  const added = await transaction
    .insertInto("operations")
    .values({
      ...toRow(operation),
      lease_until_ms: sql<number>`${leaseNow()} + ${lease.seconds * 1000}`,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if ((added.numInsertedOrUpdatedRows ?? 0n) === 0n) return false;
  if (operation.kind !== "backup") return true;
  await transaction
    .insertInto("backups")
    .values({
      project_id: operation.projectId,
      backup_id: operation.id,
      application: operation.application ?? null,
      environment: operation.environment ?? null,
      repository: operation.repository,
      created_at_ms: operation.createdAtMs,
    })
    .execute();
  return true;
}

function toRow(operation: NewOperation) {
  return {
    id: operation.id,
    kind: operation.kind,
    project_id: operation.projectId,
    application: operation.application ?? null,
    environment: operation.environment ?? null,
    request_id: operation.requestId,
    spec: JSON.stringify(operation.spec),
    repository: operation.repository,
    created_at_ms: operation.createdAtMs,
    attempt: 1,
    lease_owner: operation.leaseOwner,
    cancel_requested: 0,
  };
}

export function toOperation(row: Selectable<OperationsTable>): Operation {
  const operation: Operation = {
    id: row.id,
    kind: row.kind as OperationKind,
    projectId: row.project_id,
    ...present("application", row.application, same),
    ...present("environment", row.environment, same),
    requestId: row.request_id,
    spec: parse(row.spec),
    repository: row.repository,
    createdAtMs: numberOf(row.created_at_ms),
    attempt: numberOf(row.attempt),
    ...present("notBeforeMs", row.not_before_ms, numberOf),
    leaseOwner: row.lease_owner,
    ...present("admittedAtMs", row.admitted_at_ms, numberOf),
    cancelRequested: numberOf(row.cancel_requested) === 1,
    ...present("heldPlaces", row.held_places, parse<string[]>),
  };
  if (row.finished_at_ms === null) return operation;
  return {
    ...operation,
    end: {
      finishedAtMs: numberOf(row.finished_at_ms),
      outcome: row.outcome as Outcome,
      ...present("failure", row.failure, parse<FailureRecord>),
    },
  };
}
