import type pg from "pg";
import { Failure } from "../../core/failure.ts";
import type { DatabaseInventory, InventoryTable } from "../../core/repository/metadata.ts";
import { expectedCounts } from "../../core/restore/expected-counts.ts";
import type { RestoreEntry } from "../../core/restore/restore-entry.ts";
import { connect, type Connection } from "../../postgres/connection.ts";
import { quoteName } from "../../postgres/quote.ts";
import { readCounts } from "./read-inventory.ts";

/** What was counted in a restored database, and where it is not what the backup holds. */
export interface RestoreComparison {
  readonly tables: number;
  readonly rows: number;
  readonly sequences: number;
  readonly largeObjects: number;
  /** Sentences; empty when the restore is complete. */
  readonly differences: readonly string[];
}

export interface VerifyOptions {
  /** Sessions that count at the same time. */
  readonly jobs: number;
  readonly signal: AbortSignal;
  /** Refresh the planner's statistics of each table on the way, while its pages are at hand. */
  readonly analyze: boolean;
  /** What the plan left out; absent: the inventory's counts of objects are not compared. */
  readonly leftOut?: readonly RestoreEntry[];
  readonly onTable?: (done: number, total: number) => void;
}

/**
 * Compares a restored database with the inventory written from the archive: rows of every table (at the
 * root of a partition tree, for rows of hash partitions may land in other leaves), sequences, large
 * objects and their logical bytes, indexes that are not valid, and the number of constraints, indexes, triggers and
 * other objects. Reads only, except for ANALYZE.
 */
export async function verifyRestore(
  connection: Connection,
  inventory: DatabaseInventory,
  options: VerifyOptions,
): Promise<RestoreComparison> {
  const client = await connect(connection, { applicationName: "lc2 restore" });
  try {
    const wanted = countingPlan(inventory.tables);
    const counted = await countTables(connection, wanted, options);
    const sequences = await compareSequences(client, inventory);
    const largeObjects = await compareLargeObjects(client, inventory);
    if (options.analyze) await analyzeOthers(client, inventory);
    const indexes = await compareIndexes(client, inventory);
    const counts =
      options.leftOut === undefined ? [] : await compareCounts(client, inventory, options.leftOut);
    return {
      tables: inventory.tables.filter((table) => table.kind === "table").length,
      rows: counted.rows,
      sequences: inventory.sequences.length,
      largeObjects: largeObjects.count,
      differences: [...counted.differences, ...sequences, ...largeObjects.differences, ...indexes, ...counts],
    };
  } finally {
    await client.end();
  }
}

/** Rejects with `restore-incomplete`, naming what is missing. */
export function requireComplete(comparison: RestoreComparison, database: string): void {
  const { differences } = comparison;
  if (differences.length === 0) return;
  const shown = differences.slice(0, 10).join("; ");
  const more = differences.length > 10 ? `; and ${differences.length - 10} more` : "";
  throw new Failure(
    "restore-incomplete",
    `What was restored into "${database}" is not what the backup holds: ${shown}${more}. ` +
      "The target was left as it was. Check the backup with `lc2 backup verify`, and the target server's log.",
  );
}

/** Something whose rows are counted at once: a table, or the root of a partition tree. */
interface CountedTable {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  /** Of its rows in the archive; 0 where that is not known. */
  readonly bytes: number;
  /** A partition tree is counted whole; a table without the rows that other tables inherit from it. */
  readonly tree: boolean;
}

/** One count a partition tree. Trees with a leaf whose rows were left out are counted leaf by leaf. Pure. */
export function countingPlan(tables: readonly InventoryTable[]): CountedTable[] {
  const roots = new Map<string, Omit<CountedTable, "tree"> & { readonly complete: boolean }>();
  const single: CountedTable[] = [];
  for (const table of tables) {
    if (table.kind !== "table") continue;
    const bytes = table.bytes ?? 0;
    if (table.parent === undefined) {
      if (table.rows !== undefined) {
        single.push({ schema: table.schema, name: table.name, rows: table.rows, bytes, tree: false });
      }
      continue;
    }
    const { schema, name } = table.parent;
    const key = JSON.stringify([schema, name]);
    const root = roots.get(key) ?? { schema, name, rows: 0, bytes: 0, complete: true };
    roots.set(key, {
      ...root,
      rows: root.rows + (table.rows ?? 0),
      bytes: root.bytes + bytes,
      complete: root.complete && table.rows !== undefined,
    });
  }
  // A tree of which some leaf was left out has no count of its own that could be compared.
  const whole = [...roots.values()].filter((root) => root.complete);
  return [...single, ...whole.map(({ complete: _complete, ...root }) => ({ ...root, tree: true }))];
}

export async function countTables(
  connection: Connection,
  wanted: readonly CountedTable[],
  options: VerifyOptions,
): Promise<{ rows: number; differences: string[] }> {
  const queue = wanted.toSorted((a, b) => sampledBytes(a) - sampledBytes(b));
  const differences: string[] = [];
  let rows = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    const client = await connect(connection, { applicationName: "lc2 restore" });
    try {
      for (let table = queue.pop(); table !== undefined; table = queue.pop()) {
        options.signal.throwIfAborted();
        const found = await countRows(client, table);
        if (found === undefined) differences.push(`table ${table.schema}.${table.name} is not there`);
        else if (found !== table.rows) {
          differences.push(`${table.schema}.${table.name} has ${found} rows instead of ${table.rows}`);
        }
        rows += found ?? 0;
        if (options.analyze && found !== undefined) await analyze(client, table);
        options.onTable?.(++done, wanted.length);
      }
    } finally {
      await client.end();
    }
  };
  const workers = Math.max(1, Math.min(options.jobs, wanted.length));
  await Promise.all(Array.from({ length: workers }, work));
  return { rows, differences: differences.toSorted() };
}

/** Rows that ANALYZE looks at, with the server's own statistics target. */
const sampledRows = 30_000;

/** What ANALYZE has to look at, which takes much longer than to count: the longest begin first. */
const sampledBytes = ({ rows, bytes }: CountedTable): number =>
  rows <= sampledRows ? bytes : (bytes / rows) * sampledRows;

/** Undefined where there is no such table. Row security does not hide rows: it fails instead. */
async function countRows(client: pg.Client, table: CountedTable): Promise<number | undefined> {
  try {
    await client.query("SET row_security = off");
    const { rows } = await client.query<{ n: string }>(
      `SELECT count(*) AS n FROM ${table.tree ? "" : "ONLY "}${quoteName(table.schema, table.name)}`,
    );
    return Number(rows[0]?.n);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "42P01" || error.code === "3F000"))
      return undefined;
    throw cannotCompare(error, `${table.schema}.${table.name}`);
  }
}

function cannotCompare(error: unknown, what: string): Failure {
  const message = error instanceof Error ? error.message : String(error);
  return new Failure("restore-target-failed", `${what} cannot be counted after the restore: ${message}.`, {
    cause: error,
  });
}

async function analyze(client: pg.Client, table: CountedTable): Promise<void> {
  await client.query(`ANALYZE ${quoteName(table.schema, table.name)}`);
}

/** Materialised views, and what was not counted because its rows were left out. */
async function analyzeOthers(client: pg.Client, inventory: DatabaseInventory): Promise<void> {
  for (const table of inventory.tables) {
    if (table.kind !== "materialized-view") continue;
    const { rows } = await client.query<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [
      quoteName(table.schema, table.name),
    ]);
    if (rows[0]?.there) await client.query(`ANALYZE ${quoteName(table.schema, table.name)}`);
  }
}

async function compareSequences(client: pg.Client, inventory: DatabaseInventory): Promise<string[]> {
  const differences: string[] = [];
  for (let start = 0; start < inventory.sequences.length; start += 500) {
    const part = inventory.sequences.slice(start, start + 500);
    const { rows } = await client.query<{ schema: string; name: string }>(
      `SELECT n.nspname AS schema, c.relname AS name
         FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
         JOIN pg_namespace n ON n.nspname = wanted.schema
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind = 'S'`,
      [part.map((sequence) => sequence.schema), part.map((sequence) => sequence.name)],
    );
    const there = new Set(rows.map((row) => JSON.stringify([row.schema, row.name])));
    for (const sequence of part) {
      const shown = `sequence ${sequence.schema}.${sequence.name}`;
      if (!there.has(JSON.stringify([sequence.schema, sequence.name]))) {
        differences.push(`${shown} is not there`);
        continue;
      }
      const found = await client.query<{ value: string; called: boolean }>(
        `SELECT last_value::text AS value, is_called AS called FROM ${quoteName(sequence.schema, sequence.name)}`,
      );
      const row = found.rows[0];
      if (row?.value !== sequence.lastValue || row.called !== sequence.isCalled) {
        differences.push(`${shown} stands at ${row?.value} instead of ${sequence.lastValue}`);
      }
    }
  }
  return differences;
}

async function compareLargeObjects(
  client: pg.Client,
  inventory: DatabaseInventory,
): Promise<{ count: number; differences: string[] }> {
  // pg_largeobject itself is superuser's; the end of each object is its size, and each is closed at once.
  const { rows } = await client.query<{ count: string; bytes: string | null }>(
    `SELECT count(*) AS count, sum(lo_lseek64(fd, 0, 2) + 0 * lo_close(fd)) AS bytes
       FROM (SELECT lo_open(oid, 262144) AS fd FROM pg_largeobject_metadata OFFSET 0) AS opened`,
  );
  const count = Number(rows[0]?.count ?? 0);
  const bytes = Number(rows[0]?.bytes ?? 0);
  const expected = inventory.largeObjects;
  const differences: string[] = [];
  if (count !== expected.count)
    differences.push(`there are ${count} large objects instead of ${expected.count}`);
  else if (bytes !== expected.bytes) {
    differences.push(`the large objects hold ${bytes} bytes instead of ${expected.bytes}`);
  }
  return { count, differences };
}

async function compareIndexes(client: pg.Client, inventory: DatabaseInventory): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE NOT (i.indisvalid AND i.indisready) AND n.nspname !~ '^pg_' ORDER BY 1`,
  );
  const known = new Set(inventory.invalidIndexes);
  return rows.filter((row) => !known.has(row.name)).map((row) => `index ${row.name} is not valid`);
}

async function compareCounts(
  client: pg.Client,
  inventory: DatabaseInventory,
  leftOut: readonly RestoreEntry[],
): Promise<string[]> {
  const { rows } = await client.query<{ number: number }>(
    "SELECT current_setting('server_version_num')::int AS number",
  );
  const expected = expectedCounts(inventory, leftOut, Math.floor((rows[0]?.number ?? 0) / 10_000));
  if (expected.length === 0) return [];
  const found = await readCounts(client);
  return expected
    .filter(({ kind, atLeast }) => (found[kind] ?? 0) < atLeast)
    .map(({ kind, name, atLeast }) => `there are ${found[kind] ?? 0} ${name} instead of ${atLeast}`);
}
