import { sql, type Kysely, type RawBuilder } from "kysely";
import type { Catalog } from "../core/ports/catalog.ts";
import type { CatalogTables } from "./schema.ts";

type LeaseQueries = Pick<
  Catalog,
  "renewLease" | "takeOver" | "requestCancel" | "startAttempt" | "finishOperation"
>;

/** What is done to an open operation; all but a request to cancel by its owner alone. */
export function createLeaseQueries(
  database: Kysely<CatalogTables>,
  hasty: Kysely<CatalogTables>,
  leaseNow: () => RawBuilder<number>,
): LeaseQueries {
  const leaseUntil = (seconds: number) => sql<number>`${leaseNow()} + ${seconds * 1000}`;
  return {
    renewLease: async (id, owner, seconds) => {
      const changed = await hasty
        .updateTable("operations")
        .set({ lease_until_ms: leaseUntil(seconds) })
        .where("id", "=", id)
        .where("lease_owner", "=", owner)
        .where("finished_at_ms", "is", null)
        .executeTakeFirst();
      return { held: changed.numUpdatedRows > 0n };
    },

    takeOver: async (id, from, to, lease) => {
      const changed = await database
        .updateTable("operations")
        .set({ lease_owner: to, lease_until_ms: leaseUntil(lease.seconds) })
        .where("id", "=", id)
        .where("lease_owner", "=", from)
        .where("finished_at_ms", "is", null)
        .executeTakeFirst();
      return changed.numUpdatedRows > 0n;
    },

    requestCancel: async (id) => {
      const changed = await database
        .updateTable("operations")
        .set({ cancel_requested: 1 })
        .where("id", "=", id)
        .where("finished_at_ms", "is", null)
        .executeTakeFirst();
      return changed.numUpdatedRows > 0n;
    },

    startAttempt: async (id, owner, attempt, notBeforeMs) => {
      const changed = await database
        .updateTable("operations")
        .set({ attempt, not_before_ms: notBeforeMs })
        .where("id", "=", id)
        .where("lease_owner", "=", owner)
        .where("attempt", "=", attempt - 1)
        .where("finished_at_ms", "is", null)
        .executeTakeFirst();
      return changed.numUpdatedRows > 0n;
    },

    finishOperation: async (id, owner, end) =>
      await database.transaction().execute(async (transaction) => {
        const changed = await transaction
          .updateTable("operations")
          .set({
            finished_at_ms: end.finishedAtMs,
            outcome: end.outcome,
            failure: end.failure === undefined ? null : JSON.stringify(end.failure),
          })
          .where("id", "=", id)
          .where("lease_owner", "=", owner)
          .where("finished_at_ms", "is", null)
          .executeTakeFirst();
        if (changed.numUpdatedRows === 0n) return false;
        await transaction
          .updateTable("backups")
          .set({ outcome: end.outcome, finished_at_ms: end.finishedAtMs })
          .where("backup_id", "=", id)
          .where("outcome", "is", null)
          .execute();
        return true;
      }),
  };
}
