import { availableParallelism } from "node:os";
import type { DatabaseSourceSpec } from "../../contract/operations.ts";
import type { AccountedTable } from "../../core/database/account-for-tables.ts";
import { balanceStreams, chooseStreams } from "../../core/database/balance-streams.ts";
import { matchTables, type TableMatches } from "../../core/database/match-tables.ts";
import { readLargeObjectsSize, readTableSizes, type CatalogTable } from "../../databases/postgres/catalog.ts";
import { mainSelection, readOwnedSequences, rowsSelection } from "../../databases/postgres/dump-selection.ts";
import type { HeldSnapshot } from "../../databases/postgres/snapshot.ts";

/** Which archives a backup is made of. */
export interface ArchivesPlan {
  /** Arguments for pg_dump: the main archive's first, then those with rows of big tables. */
  readonly selections: readonly (readonly string[])[];
  /** What the archives must hold, all together. */
  readonly accounting: readonly AccountedTable[];
  readonly excluded: ReadonlySet<number>;
  readonly hits: TableMatches<CatalogTable>["hits"];
  /** Bytes on disk of what will be read; the archive has more or less. */
  readonly estimatedBytes: number;
}

/** Plans the archives of a backup from the catalog as the snapshot sees it. Reads only. */
export async function planArchives(
  snapshot: HeldSnapshot,
  source: DatabaseSourceSpec,
): Promise<ArchivesPlan> {
  const { client, facts, tables } = snapshot;
  const { matched, hits } = matchTables(source.excludeTables, tables);
  const excluded = new Set(matched.map((table) => table.oid));
  const holding = tables.filter((table) => !table.partitioned);
  const sizes = await readTableSizes(
    client,
    holding.map((table) => table.oid),
  );
  const objectBytes = await readLargeObjectsSize(client);
  const read = holding.filter((table) => !excluded.has(table.oid));
  const sized = read.map((table) => ({ table, oid: table.oid, sizeBytes: sizes.get(table.oid) ?? 0 }));
  const estimatedBytes = objectBytes + sized.reduce((sum, table) => sum + table.sizeBytes, 0);

  const streams = source.streams ?? chooseStreams(estimatedBytes, availableParallelism());
  // An extension's own table cannot be selected by name; a standby has no rows of an unlogged one.
  const movable = sized.filter(({ table }) => !table.ofExtension && !(facts.isStandby && table.unlogged));
  const kept = estimatedBytes - movable.reduce((sum, table) => sum + table.sizeBytes, 0);
  const { rows } = balanceStreams(movable, kept, streams);

  const moved = new Set(rows.flat());
  const withoutRows = holding.filter((table) => excluded.has(table.oid) || moved.has(table.oid));
  const selections = [mainSelection(withoutRows, facts.encoding)];
  for (const oids of rows) {
    const chosen = holding.filter((table) => oids.includes(table.oid));
    selections.push(rowsSelection(chosen, await readOwnedSequences(client, oids), facts.encoding));
  }
  const accounting = holding.map((table): AccountedTable => {
    const { oid, schema, name } = table;
    if (excluded.has(oid)) return { oid, schema, name, rows: "excluded" };
    const optional = table.ofExtension || (facts.isStandby && table.unlogged);
    return { oid, schema, name, rows: optional ? "optional" : "expected" };
  });
  return { selections, accounting, excluded, hits, estimatedBytes };
}
