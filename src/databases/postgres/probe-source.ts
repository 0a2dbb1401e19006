import type pg from "pg";
import { Failure } from "../../core/failure.ts";
import type { CatalogTable, ServerFacts } from "./catalog.ts";

/** Rejects with `standby-refused` when the server is a standby and that was not asked for, or the reverse. */
export function requireWantedRole(facts: ServerFacts, fromStandby: boolean): void {
  if (facts.isStandby && !fromStandby) {
    throw new Failure(
      "standby-refused",
      "The server is a standby: what it holds may be behind its primary. Add --from-standby if that is " +
        "wanted, or name the primary.",
    );
  }
  if (!facts.isStandby && fromStandby) {
    throw new Failure(
      "standby-refused",
      "The server is no standby (any more): --from-standby is there to keep the load off the primary. Name " +
        "a standby, or leave --from-standby out.",
    );
  }
}

/** Sentences about what an archive made by this role from this server cannot hold. */
export async function describeOmissions(
  client: pg.Client,
  facts: ServerFacts,
  tables: readonly CatalogTable[],
): Promise<string[]> {
  const unlogged = unloggedNote(facts, tables);
  const notes = unlogged === undefined ? [] : [unlogged];
  const { rows } = await client.query<{ subscriptions: string; foreign_tables: string; slots: string }>(`
    SELECT (SELECT count(*) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
             WHERE d.datname = current_database())::text AS subscriptions,
           (SELECT count(*) FROM pg_class WHERE relkind = 'f')::text AS foreign_tables,
           (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())::text AS slots`);
  const found = rows[0];
  if (Number(found?.subscriptions) > 0 && !facts.superuser) {
    notes.push(
      `${found?.subscriptions} subscription(s) are not in the archive: only a superuser can read them.`,
    );
  }
  if (Number(found?.foreign_tables) > 0) {
    notes.push(
      `${found?.foreign_tables} foreign table(s) are backed up as definitions; their rows live elsewhere.`,
    );
  }
  if (Number(found?.slots) > 0) {
    notes.push(`${found?.slots} replication slot(s) belong to the server and are not in a backup.`);
  }
  return notes;
}

/** What a standby lacks, or undefined. Pure. */
export function unloggedNote(facts: ServerFacts, tables: readonly CatalogTable[]): string | undefined {
  const unlogged = tables.filter((table) => table.unlogged && !table.partitioned);
  if (!facts.isStandby || unlogged.length === 0) return undefined;
  const names = unlogged.slice(0, 5).map((table) => `${table.schema}.${table.name}`);
  return (
    `A standby has no rows of unlogged tables; their definitions alone are backed up: ${names.join(", ")}` +
    `${unlogged.length > 5 ? `, and ${unlogged.length - 5} more` : ""}.`
  );
}
