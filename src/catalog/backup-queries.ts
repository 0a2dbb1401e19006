import type { Kysely, Selectable } from "kysely";
import type { Outcome } from "../core/operation/operation.ts";
import type { BackupIndexQuery, Catalog, IndexedBackup, SealedBackup } from "../core/ports/catalog.ts";
import { columnsOf, numberOf, parse, present, same } from "./columns.ts";
import type { BackupsTable, CatalogTables } from "./schema.ts";

type BackupQueries = Pick<
  Catalog,
  "putBackup" | "listBackups" | "getBackup" | "getBackupMetadata" | "markBackup"
>;

export function createBackupQueries(database: Kysely<CatalogTables>): BackupQueries {
  return {
    putBackup: async (backup) => {
      const facts = toColumns(backup);
      const metadata = JSON.stringify(backup.metadata);
      const key = { project_id: backup.projectId, backup_id: backup.backupId };
      await database.transaction().execute(async (transaction) => {
        await transaction
          .insertInto("backups")
          .values({ ...key, ...facts })
          .onConflict((conflict) =>
            conflict.columns(["project_id", "backup_id"]).doUpdateSet({ ...facts, deleted_at_ms: null }),
          )
          .execute();
        await transaction
          .insertInto("backup_metadata")
          .values({ ...key, metadata })
          .onConflict((conflict) => conflict.columns(["project_id", "backup_id"]).doUpdateSet({ metadata }))
          .execute();
      });
    },

    listBackups: async (query) => {
      const { limit, offset = 0 } = query;
      const matching = selectBackups(database, query);
      const count = matching.select((eb) => eb.fn.countAll().as("total"));
      // In one statement: a server that is far away, or at work, is asked once.
      const rows = await matching
        .selectAll()
        .select(count.as("total"))
        .orderBy("created_at_ms", "desc")
        .orderBy("backup_id", "desc")
        .limit(limit)
        .offset(offset)
        .execute();
      const backups = rows.map(toBackup);
      // A page behind the last one has no row that could say how many there are.
      const counted = rows[0] ?? (offset > 0 ? await count.executeTakeFirst() : undefined);
      return { backups, total: Number(counted?.total ?? 0) };
    },

    getBackup: async (backupId, projectId) => {
      let matching = database.selectFrom("backups").selectAll().where("backup_id", "=", backupId);
      if (projectId !== undefined) matching = matching.where("project_id", "=", projectId);
      const row = await matching.orderBy("created_at_ms", "desc").limit(1).executeTakeFirst();
      return row === undefined ? undefined : toBackup(row);
    },

    getBackupMetadata: async (backupId, projectId) => {
      const row = await database
        .selectFrom("backup_metadata")
        .select("metadata")
        .where("backup_id", "=", backupId)
        .where("project_id", "=", projectId)
        .executeTakeFirst();
      return row === undefined ? undefined : parse<unknown>(row.metadata);
    },

    markBackup: async (backupId, projectId, change) => {
      await database
        .updateTable("backups")
        .set(columnsOf({ ...change }))
        .where("backup_id", "=", backupId)
        .where("project_id", "=", projectId)
        .execute();
    },
  };
}

function selectBackups(database: Kysely<CatalogTables>, query: BackupIndexQuery) {
  let matching = database.selectFrom("backups").where("deleted_at_ms", "is", null);
  if (query.projectId !== undefined) matching = matching.where("project_id", "=", query.projectId);
  if (query.application !== undefined) matching = matching.where("application", "=", query.application);
  if (query.environment !== undefined) matching = matching.where("environment", "=", query.environment);
  const { repository } = query;
  if (repository !== undefined) {
    matching = matching.where((eb) =>
      eb.or([
        eb("repository", "=", repository),
        eb.exists(
          eb
            .selectFrom("backup_copies as copy")
            .select("copy.repository")
            .whereRef("copy.project_id", "=", "backups.project_id")
            .whereRef("copy.backup_id", "=", "backups.backup_id")
            .where("copy.repository", "=", repository),
        ),
      ]),
    );
  }
  if (query.sinceMs !== undefined) matching = matching.where("created_at_ms", ">=", query.sinceMs);
  if (query.untilMs !== undefined) matching = matching.where("created_at_ms", "<=", query.untilMs);
  if (query.outcome === "open") return matching.where("outcome", "is", null);
  return query.outcome === undefined ? matching : matching.where("outcome", "=", query.outcome);
}

function toColumns(backup: SealedBackup) {
  return {
    application: backup.application ?? null,
    environment: backup.environment ?? null,
    repository: backup.repository,
    created_at_ms: backup.createdAtMs,
    outcome: "Completed",
    finished_at_ms: backup.sealedAtMs,
    stored_bytes: backup.storedBytes,
  };
}

function toBackup(row: Selectable<BackupsTable>): IndexedBackup {
  return {
    backupId: row.backup_id,
    projectId: row.project_id,
    ...present("application", row.application, same),
    ...present("environment", row.environment, same),
    repository: row.repository,
    createdAtMs: numberOf(row.created_at_ms),
    ...present("outcome", row.outcome, (outcome) => outcome as Outcome),
    ...present("finishedAtMs", row.finished_at_ms, numberOf),
    ...present("storedBytes", row.stored_bytes, numberOf),
    ...present("verifiedAtMs", row.verified_at_ms, numberOf),
    ...present("deletedAtMs", row.deleted_at_ms, numberOf),
  };
}
