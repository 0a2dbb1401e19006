import type { UndoEvidence } from "../../contract/operations.ts";
import type { DatabasePlan } from "../../core/restore/restore.ts";
import { connect, type Connection } from "../../postgres/connection.ts";
import { takeTablesBack } from "../../databases/postgres/place-tables.ts";

/** Takes restored tables out of their place and puts back what they replaced; keeps the restored ones aside. */
export async function undoTables(
  restoreId: string,
  plan: DatabasePlan,
  connection: Connection,
): Promise<NonNullable<UndoEvidence["database"]>> {
  const client = await connect(connection, { applicationName: "lc2 restore" });
  try {
    const keptAs = await takeTablesBack(client, restoreId, {
      tables: plan.tables ?? [],
      ...(plan.undoSchema === undefined ? {} : { undoSchema: plan.undoSchema }),
    });
    return { swappedBack: plan.undoSchema !== undefined, keptAs: `schema ${keptAs}` };
  } finally {
    await client.end();
  }
}
