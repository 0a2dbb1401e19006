/** A table as the catalog names it, unquoted. */
export interface NamedTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** The partitioned table this one is a partition of. */
  readonly parentOid?: number;
}

export interface TableMatches<T extends NamedTable> {
  readonly matched: readonly T[];
  /** How many tables each pattern hit, in the order given; 0: say so. */
  readonly hits: readonly { readonly pattern: string; readonly tables: number }[];
}

/**
 * Resolves globs (`*`: any characters, `?`: one) to tables. A pattern is compared with `schema.name` if it
 * has a dot, and with the bare name in any case. A partitioned table stands for all its partitions.
 * Upper and lower case differ, as they do in the catalog. Pure.
 */
export function matchTables<T extends NamedTable>(
  patterns: readonly string[],
  tables: readonly T[],
): TableMatches<T> {
  const byOid = new Map(tables.map((table) => [table.oid, table]));
  const matched = new Set<T>();
  const hits = patterns.map((pattern) => {
    const glob = globExpression(pattern);
    const fits = (table: T): boolean =>
      glob.test(table.name) || (pattern.includes(".") && glob.test(`${table.schema}.${table.name}`));
    const found = tables.filter((table) => ancestry(table, byOid).some(fits));
    for (const table of found) matched.add(table);
    return { pattern, tables: found.length };
  });
  return { matched: tables.filter((table) => matched.has(table)), hits };
}

/** The table, its parent, its parent's parent, … */
function ancestry<T extends NamedTable>(table: T, byOid: ReadonlyMap<number, T>): T[] {
  const line: T[] = [];
  for (let next: T | undefined = table; next; next = byOid.get(next.parentOid ?? -1)) {
    if (line.includes(next)) break;
    line.push(next);
  }
  return line;
}

function globExpression(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[\\^$.|+()[\]{}/-]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "su");
}
