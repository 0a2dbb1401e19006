import type { Kysely } from "kysely";
import type { LogLine } from "../core/operation/operation.ts";
import { maximumLogLines, type Catalog } from "../core/ports/catalog.ts";
import type { CatalogTables } from "./schema.ts";

export function createLogQueries(database: Kysely<CatalogTables>): Pick<Catalog, "appendLog" | "listLog"> {
  return {
    appendLog: async (operationId, line) => {
      await database.transaction().execute(async (transaction) => {
        const last = await transaction
          .selectFrom("log_lines")
          .select((eb) => eb.fn.max("line_number").as("number"))
          .where("operation_id", "=", operationId)
          .executeTakeFirst();
        const number = Number(last?.number ?? 0) + 1;
        await transaction
          .insertInto("log_lines")
          .values({ operation_id: operationId, line_number: number, ...line })
          .execute();
        await transaction
          .deleteFrom("log_lines")
          .where("operation_id", "=", operationId)
          .where("line_number", "<=", number - maximumLogLines)
          .execute();
      });
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
