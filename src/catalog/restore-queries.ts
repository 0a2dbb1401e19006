import type { Kysely, Selectable } from "kysely";
import type { FailureRecord } from "../core/failure.ts";
import type { Catalog, RestoreRecord } from "../core/ports/catalog.ts";
import { columnsOf, numberOf, parse, present, same } from "./columns.ts";
import type { CatalogTables, RestoresTable } from "./schema.ts";

type RestoreQueries = Pick<Catalog, "getRestore" | "putRestore" | "listRetiredDatabases" | "claimRetired">;

export function createRestoreQueries(database: Kysely<CatalogTables>): RestoreQueries {
  return {
    getRestore: async (restoreId) => {
      const row = await database
        .selectFrom("restores")
        .selectAll()
        .where("restore_id", "=", restoreId)
        .executeTakeFirst();
      return row === undefined ? undefined : toRestore(row);
    },

    putRestore: async (restoreId, change) => {
      const columns = columnsOf({ ...change });
      const insert = database.insertInto("restores").values({ restore_id: restoreId, ...columns });
      await insert
        .onConflict((conflict) =>
          Object.keys(columns).length === 0
            ? conflict.column("restore_id").doNothing()
            : conflict.column("restore_id").doUpdateSet(columns),
        )
        .execute();
    },

    listRetiredDatabases: async () => {
      const rows = await database
        .selectFrom("restores")
        .selectAll()
        .where("retired_database", "is not", null)
        .where("dropped_at_ms", "is", null)
        .orderBy("retired_at_ms")
        .execute();
      return rows.map(toRestore);
    },

    claimRetired: async (restoreId, nowMs, untilMs) => {
      const claimed = await database
        .updateTable("restores")
        .set({ claimed_until_ms: untilMs })
        .where("restore_id", "=", restoreId)
        .where("dropped_at_ms", "is", null)
        .where((eb) => eb.or([eb("claimed_until_ms", "is", null), eb("claimed_until_ms", "<=", nowMs)]))
        .executeTakeFirst();
      return claimed.numUpdatedRows > 0n;
    },
  };
}

function toRestore(row: Selectable<RestoresTable>): RestoreRecord {
  return {
    restoreId: row.restore_id,
    ...present("backupId", row.backup_id, same),
    ...present("plan", row.plan, parse<unknown>),
    ...present("approvedAtMs", row.approved_at_ms, numberOf),
    ...present("refusal", row.refusal, parse<FailureRecord>),
    ...present("retiredDatabase", row.retired_database, same),
    ...present("retiredAtMs", row.retired_at_ms, numberOf),
    ...present("dropDueAtMs", row.drop_due_at_ms, numberOf),
    ...present("droppedAtMs", row.dropped_at_ms, numberOf),
    ...present("undone", row.undone, parse<unknown>),
    ...present("undoneAtMs", row.undone_at_ms, numberOf),
  };
}
