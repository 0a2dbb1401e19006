import type { Kysely } from "kysely";
import type { Catalog } from "../core/ports/catalog.ts";
import { numberOf } from "./columns.ts";
import type { CatalogTables } from "./schema.ts";

/** Where backups are beside the repository that the index names. */
export function createCopyQueries(
  database: Kysely<CatalogTables>,
): Pick<Catalog, "putCopy" | "listCopies" | "removeCopy"> {
  return {
    putCopy: async ({ backupId, projectId, repository, copiedAtMs }) => {
      await database
        .insertInto("backup_copies")
        .values({ project_id: projectId, backup_id: backupId, repository, copied_at_ms: copiedAtMs })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },

    listCopies: async (backupId, projectId) => {
      const rows = await database
        .selectFrom("backup_copies")
        .selectAll()
        .where("backup_id", "=", backupId)
        .where("project_id", "=", projectId)
        .orderBy("copied_at_ms")
        .orderBy("repository")
        .execute();
      return rows.map((row) => ({
        backupId: row.backup_id,
        projectId: row.project_id,
        repository: row.repository,
        copiedAtMs: numberOf(row.copied_at_ms),
      }));
    },

    removeCopy: async (backupId, projectId, repository) => {
      await database
        .deleteFrom("backup_copies")
        .where("backup_id", "=", backupId)
        .where("project_id", "=", projectId)
        .where("repository", "=", repository)
        .execute();
    },
  };
}
