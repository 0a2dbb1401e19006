import { sql, type Kysely, type Selectable } from "kysely";
import type { Happening } from "../core/notification/happening.ts";
import type { Delivery, DeliveryState, NotificationRecords } from "../core/ports/notification-records.ts";
import { numberOf, parse } from "./columns.ts";
import { toOperation } from "./operation-queries.ts";
import type { CatalogTables, DeliveriesTable } from "./schema.ts";

export function createNotificationQueries(database: Kysely<CatalogTables>): NotificationRecords {
  return {
    listFinishedOperations: async ({ sinceMs, limit }) => {
      const rows = await database
        .selectFrom("operations")
        .selectAll()
        .where("finished_at_ms", ">=", sinceMs)
        .orderBy("finished_at_ms")
        .orderBy("id")
        .limit(limit)
        .execute();
      return rows.map(toOperation);
    },

    planDeliveries: async (deliveries) => {
      for (const { id, projectId, name, happening, createdAtMs } of deliveries) {
        await database
          .insertInto("deliveries")
          .values({
            id,
            project_id: projectId,
            name,
            happening: JSON.stringify(happening),
            created_at_ms: createdAtMs,
            state: "due",
            due_at_ms: createdAtMs,
            tries: 0,
          })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
    },

    claimDelivery: async (nowMs, untilMs) => {
      const due = database
        .selectFrom("deliveries")
        .select("id")
        .where("state", "=", "due")
        .where("due_at_ms", "<=", nowMs)
        .orderBy("due_at_ms")
        .orderBy("id")
        .limit(1);
      const row = await database
        .updateTable("deliveries")
        .set({ due_at_ms: untilMs, tries: sql<number>`tries + 1` })
        .where("id", "in", due)
        // Asked once more: another caller may have taken the same row between the look and the write.
        .where("state", "=", "due")
        .where("due_at_ms", "<=", nowMs)
        .returningAll()
        .executeTakeFirst();
      return row === undefined ? undefined : toDelivery(row);
    },

    recordDelivery: async (id, change) => {
      await database
        .updateTable("deliveries")
        .set({
          state: change.state,
          ...(change.state === "due" ? { due_at_ms: change.dueAtMs } : {}),
          ...(change.state === "delivered" ? { delivered_at_ms: change.deliveredAtMs } : {}),
          error: change.state === "delivered" ? null : change.error,
        })
        .where("id", "=", id)
        // What arrived has arrived, whatever a slower sender of the same says.
        .where("state", "!=", "delivered")
        .execute();
    },

    listDeliveries: async ({ projectId, name, limit }) => {
      const rows = await database
        .selectFrom("deliveries")
        .selectAll()
        .where("project_id", "=", projectId)
        .where("name", "=", name)
        .orderBy("created_at_ms", "desc")
        .orderBy("id")
        .limit(limit)
        .execute();
      return rows.map(toDelivery);
    },

    forgetDeliveries: async (beforeMs) => {
      await database.deleteFrom("deliveries").where("created_at_ms", "<", beforeMs).execute();
    },
  };
}

function toDelivery(row: Selectable<DeliveriesTable>): Delivery {
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    happening: parse<Happening>(row.happening),
    createdAtMs: numberOf(row.created_at_ms),
    state: row.state as DeliveryState,
    dueAtMs: numberOf(row.due_at_ms),
    tries: numberOf(row.tries),
    ...(row.delivered_at_ms === null ? {} : { deliveredAtMs: numberOf(row.delivered_at_ms) }),
    ...(row.error === null ? {} : { error: row.error }),
  };
}
