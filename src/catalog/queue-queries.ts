import { sql, type Kysely, type RawBuilder } from "kysely";
import { nobody, type Operation, type OperationKind } from "../core/operation/operation.ts";
import type { Catalog, QueueObservation } from "../core/ports/catalog.ts";
import { numberOf, parse } from "./columns.ts";
import { listKnownPlaces } from "./place-queries.ts";
import { toOperation } from "./operation-queries.ts";
import type { CatalogTables } from "./schema.ts";

type QueueQueries = Pick<
  Catalog,
  "observeQueue" | "admit" | "returnToQueue" | "putStoreWait" | "removeStoreWait"
>;

/** The queue is no table of its own: it is the open operations that have no owner. */
export function createQueueQueries(
  database: Kysely<CatalogTables>,
  leaseNow: () => RawBuilder<number>,
  lockQueue: RawBuilder<unknown> | undefined,
): QueueQueries {
  return {
    observeQueue: async () => await observe(database),

    admit: async (choose, { seconds, nowMs }) =>
      await database.transaction().execute(async (transaction) => {
        await lockQueue?.execute(transaction);
        const queue = await observe(transaction);
        const admitted: Operation[] = [];
        for (const { id, owner } of choose(queue)) {
          const row = await transaction
            .updateTable("operations")
            .set({
              lease_owner: owner,
              lease_until_ms: sql<number>`${leaseNow()} + ${seconds * 1000}`,
              admitted_at_ms: nowMs,
            })
            .where("id", "=", id)
            // It may have been cancelled since it was looked at.
            .where("lease_owner", "=", nobody)
            .where("finished_at_ms", "is", null)
            .returningAll()
            .executeTakeFirst();
          if (row !== undefined) admitted.push(toOperation(row));
        }
        return admitted;
      }),

    returnToQueue: async (id, owner, notBeforeMs) => {
      const changed = await database
        .updateTable("operations")
        .set({ lease_owner: nobody, attempt: sql<number>`attempt + 1`, not_before_ms: notBeforeMs ?? null })
        .where("id", "=", id)
        .where("lease_owner", "=", owner)
        .where("finished_at_ms", "is", null)
        .executeTakeFirst();
      return changed.numUpdatedRows > 0n;
    },

    putStoreWait: async ({ store, kind, sinceMs, untilMs, tries }) => {
      const facts = { kind, since_ms: sinceMs, until_ms: untilMs, tries };
      await database
        .insertInto("store_waits")
        .values({ store, ...facts })
        .onConflict((conflict) => conflict.column("store").doUpdateSet(facts))
        .execute();
    },

    removeStoreWait: async (store) => {
      await database.deleteFrom("store_waits").where("store", "=", store).execute();
    },
  };
}

async function observe(database: Kysely<CatalogTables>): Promise<QueueObservation> {
  const rows = await database
    .selectFrom("operations")
    .selectAll()
    .where("finished_at_ms", "is", null)
    .orderBy("created_at_ms")
    .orderBy("id")
    .execute();
  const open = rows.map(toOperation);
  if (!open.some(({ leaseOwner }) => leaseOwner === nobody))
    return { open, served: [], storeWaits: [], knownPlaces: [], projects: [] };
  const waitingProjects = database
    .selectFrom("operations as waiting")
    .select("waiting.project_id")
    .where("waiting.finished_at_ms", "is", null)
    .where("waiting.lease_owner", "=", nobody);
  const served = await database
    .selectFrom("operations")
    .select((eb) => ["project_id", "kind", eb.fn.max("admitted_at_ms").as("at_ms")])
    .where("admitted_at_ms", "is not", null)
    .where("project_id", "in", waitingProjects)
    .groupBy(["project_id", "kind"])
    .execute();
  const projects = await database
    .selectFrom("definitions")
    .select(["project_id", "spec"])
    .where("kind", "=", "project")
    .where("deleted_at_ms", "is", null)
    .where("project_id", "in", waitingProjects)
    .execute();
  const storeWaits = await database.selectFrom("store_waits").selectAll().execute();
  return {
    open,
    knownPlaces: await listKnownPlaces(database),
    projects: projects.map((row) => ({ projectId: row.project_id, spec: parse<unknown>(row.spec) })),
    storeWaits: storeWaits.map((row) => ({
      store: row.store,
      kind: row.kind === "throttled" ? "throttled" : "away",
      sinceMs: numberOf(row.since_ms),
      untilMs: numberOf(row.until_ms),
      tries: numberOf(row.tries),
    })),
    served: served.map((row) => ({
      projectId: row.project_id,
      kind: row.kind as OperationKind,
      atMs: numberOf(row.at_ms ?? 0),
    })),
  };
}
