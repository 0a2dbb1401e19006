import type pg from "pg";
import { quoteName } from "../../postgres/quote.ts";

/** A table or sequence to name to pg_dump. */
export interface SelectedTable {
  readonly schema: string;
  readonly name: string;
}

/**
 * A pattern for pg_dump's options that fits exactly this name: inside quotes nothing is special. Arguments
 * are UTF-8, while pg_dump compares in the database's encoding; where that is another one, each letter
 * beyond ASCII becomes "any one character". Pure.
 */
export function exactPattern(table: SelectedTable, encoding: string): string {
  const quoted = quoteName(table.schema, table.name);
  return encoding === "UTF8" ? quoted : quoted.replaceAll(/[^\p{ASCII}]/gu, '"?"');
}

/** Arguments for the main archive: all but the rows of some tables. Pure. */
export function mainSelection(withoutRowsOf: readonly SelectedTable[], encoding: string): string[] {
  // Large objects are named on their own: some selections drop them without a word.
  return [
    "--blobs",
    ...withoutRowsOf.map((table) => `--exclude-table-data=${exactPattern(table, encoding)}`),
  ];
}

/**
 * Arguments for an archive with the rows of some tables. The values of their sequences are kept out: they
 * are not under the snapshot, and the main archive has them. (To exclude the sequences themselves does not
 * help: a table brings along those it owns.) Pure.
 */
export function rowsSelection(
  tables: readonly SelectedTable[],
  ownedSequences: readonly SelectedTable[],
  encoding: string,
): string[] {
  return [
    "--data-only",
    "--strict-names",
    ...tables.map((table) => `--table=${exactPattern(table, encoding)}`),
    ...ownedSequences.map((sequence) => `--exclude-table-data=${exactPattern(sequence, encoding)}`),
  ];
}

/** Sequences of serial and identity columns of these tables. */
export async function readOwnedSequences(
  client: pg.Client,
  oids: readonly number[],
): Promise<SelectedTable[]> {
  const { rows } = await client.query<SelectedTable>(
    `SELECT DISTINCT n.nspname AS schema, c.relname AS name
       FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
       JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.deptype IN ('a', 'i') AND d.refobjid = ANY ($1::oid[]) ORDER BY 1, 2`,
    [oids],
  );
  return rows;
}

/**
 * Drops what pg_dump says of every archive without definitions: that foreign keys in a circle may be in the
 * way. They are not; constraints are made after all rows. False for a line to drop.
 */
export function rowsWarningFilter(): (line: string) => boolean {
  let dropping = false;
  return (line) => {
    if (line.includes("circular foreign-key constraints")) dropping = true;
    else if (!/^(?:pg_dump: (?:detail|hint):|\s)/.test(line)) dropping = false;
    return !dropping;
  };
}
