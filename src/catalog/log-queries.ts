import { sql, type Kysely } from "kysely";
import type { LogLine } from "../core/operation/operation.ts";
import { maximumLogLines, type Catalog } from "../core/ports/catalog.ts";
import type { CatalogTables } from "./schema.ts";

export function createLogQueries(database: Kysely<CatalogTables>): Pick<Catalog, "appendLog" | "listLog"> {
  return {
    appendLog: async (operationId, line) => {
      const message = line.message.replaceAll("\0", "\uFFFD"); // PostgreSQL stores no NUL.
      // Two that chose one number at the same moment: the second looks again.
      let added: bigint | undefined;
      while (added !== 1n) {
        const result = await database
          .insertInto("log_lines")
          .columns(["operation_id", "line_number", "at", "level", "message"])
          .expression(
            database
              .selectFrom("log_lines")
              .where("operation_id", "=", operationId)
              .select([
                sql<string>`${operationId}`.as("operation_id"),
                sql<number>`coalesce(max(line_number), 0) + 1`.as("line_number"),
                sql<string>`${line.at}`.as("at"),
                sql<string>`${line.level}`.as("level"),
                sql<string>`${message}`.as("message"),
              ]),
          )
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst();
        added = result.numInsertedOrUpdatedRows;
      }
      const newest = database
        .selectFrom("log_lines")
        .select((eb) => eb(eb.fn.max("line_number"), "-", maximumLogLines).as("number"))
        .where("operation_id", "=", operationId);
      await database
        .deleteFrom("log_lines")
        .where("operation_id", "=", operationId)
        .where("line_number", "<=", newest)
        .execute();
    },

    listLog: async (operationId) => {
      const rows = await database
        .selectFrom("log_lines")
        .select(["at", "level", "message"])
        .where("operation_id", "=", operationId)
        .orderBy("line_number")
        .execute();
      return rows.map((row) => ({ at: row.at, level: row.level as LogLine["level"], message: row.message }));
    },
  };
}
