import { sql, type Kysely, type RawBuilder, type Selectable } from "kysely";
import type { FailureRecord } from "../core/failure.ts";
import type { OperationTask, TaskState } from "../core/operation/operation.ts";
import type { Catalog } from "../core/ports/catalog.ts";
import { columnsOf, numberOf, parse, present, same } from "./columns.ts";
import type { CatalogTables, TasksTable } from "./schema.ts";

type TaskQueries = Pick<Catalog, "startTask" | "updateTask" | "removeTask" | "listTasks">;

export function createTaskQueries(
  database: Kysely<CatalogTables>,
  hasty: Kysely<CatalogTables>,
  keepRow: RawBuilder<unknown>,
): TaskQueries {
  /**
   * Open operations of this id that `owner` holds: none or one. It cannot be taken over while the statement
   * runs: what an owner wrote is there before the next one looks.
   */
  const held = (operationId: string, owner: string) =>
    database
      .selectFrom("operations")
      .where("operations.id", "=", operationId)
      .where("operations.lease_owner", "=", owner)
      .where("operations.finished_at_ms", "is", null)
      .modifyEnd(keepRow);

  return {
    startTask: async (task, owner) => {
      const added = await database
        .insertInto("tasks")
        .columns(["operation_id", "attempt", "name", "state", "started_at_ms"])
        .expression(
          held(task.operationId, owner).select([
            "operations.id",
            sql<number>`${task.attempt}`.as("attempt"),
            sql<string>`${task.name}`.as("name"),
            sql<string>`'running'`.as("state"),
            sql<number>`${task.startedAtMs}`.as("started_at_ms"),
          ]),
        )
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      return (added.numInsertedOrUpdatedRows ?? 0n) > 0n;
    },

    updateTask: async (key, owner, change) => {
      const isProgress = Object.keys(change).every((name) => name === "progress");
      const changed = await (isProgress ? hasty : database)
        .updateTable("tasks")
        .set(toColumns(change))
        .where("operation_id", "=", key.operationId)
        .where("attempt", "=", key.attempt)
        .where("name", "=", key.name)
        .where((eb) => eb.exists(held(key.operationId, owner).select("operations.id")))
        .executeTakeFirst();
      return changed.numUpdatedRows > 0n;
    },

    removeTask: async (key, owner) => {
      const removed = await database
        .deleteFrom("tasks")
        .where("operation_id", "=", key.operationId)
        .where("attempt", "=", key.attempt)
        .where("name", "=", key.name)
        .where((eb) => eb.exists(held(key.operationId, owner).select("operations.id")))
        .executeTakeFirst();
      return removed.numDeletedRows > 0n;
    },

    listTasks: async (operationId) => {
      const rows = await database
        .selectFrom("tasks")
        .selectAll()
        .where("operation_id", "=", operationId)
        .orderBy("attempt")
        .orderBy("started_at_ms")
        .execute();
      return rows.map(toTask);
    },
  };
}

function toColumns(change: Parameters<Catalog["updateTask"]>[2]): Record<string, string | number | null> {
  const { progress, result, ...rest } = change;
  return {
    ...columnsOf(rest),
    ...(progress === undefined ? {} : { progress: JSON.stringify(progress) }),
    ...(result === undefined ? {} : { result: JSON.stringify(result) }),
  };
}

function toTask(row: Selectable<TasksTable>): OperationTask {
  return {
    operationId: row.operation_id,
    attempt: numberOf(row.attempt),
    name: row.name,
    state: row.state as TaskState,
    ...present("worker", row.worker, same),
    startedAtMs: numberOf(row.started_at_ms),
    ...present("finishedAtMs", row.finished_at_ms, numberOf),
    ...present("progress", row.progress, parse<unknown>),
    ...present("recoveryPoint", row.recovery_point, same),
    ...present("result", row.result, parse<unknown>),
    ...present("failure", row.failure, parse<FailureRecord>),
  };
}
