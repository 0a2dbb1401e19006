/** A table that the catalog says the archives must hold the rows of, or must not. */
export interface AccountedTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** "optional": the dump tool decides (tables of extensions). */
  readonly rows: "expected" | "excluded" | "optional";
}

/**
 * Compares the tables found in a backup's archives with those the catalog has under the same snapshot.
 * Gives what does not fit, as sentences; empty when every table's rows are there once, and no others. Pure.
 */
export function accountForTables(
  catalog: readonly AccountedTable[],
  archived: readonly { readonly oid: number; readonly schema: string; readonly name: string }[],
): string[] {
  const known = new Map(catalog.map((table) => [table.oid, table]));
  const times = new Map<number, number>();
  const problems: string[] = [];
  for (const { oid, schema, name } of archived) {
    times.set(oid, (times.get(oid) ?? 0) + 1);
    const table = known.get(oid);
    if (!table) problems.push(`rows of ${schema}.${name} are there, which the catalog does not have`);
    else if (table.rows === "excluded")
      problems.push(`rows of ${schema}.${name} are there, which were to be left out`);
  }
  for (const table of catalog) {
    const found = times.get(table.oid) ?? 0;
    if (found > 1) problems.push(`rows of ${table.schema}.${table.name} are there ${found} times`);
    if (found === 0 && table.rows === "expected")
      problems.push(`rows of ${table.schema}.${table.name} are missing`);
  }
  return problems;
}
