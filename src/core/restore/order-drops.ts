import type { RestoreEntry } from "./restore-entry.ts";

/**
 * Not dropped by name: schemas and extensions, which may hold or serve other things, and what goes with the table
 * it belongs to (of which partitions' own indexes and constraints cannot be dropped alone).
 */
const keptKinds: ReadonlySet<string> = new Set([
  "SCHEMA",
  "EXTENSION",
  "DATABASE",
  "DATABASE PROPERTIES",
  "ENCODING",
  "STDSTRINGS",
  "SEARCHPATH",
  "COMMENT",
  "ACL",
  "DEFAULT ACL",
  "SECURITY LABEL",
  "INDEX",
  "INDEX ATTACH",
  "TABLE ATTACH",
  "CONSTRAINT",
  "CHECK CONSTRAINT",
  "ROW SECURITY",
  "SEQUENCE OWNED BY",
  "PUBLICATION TABLE",
]);

const tableKinds: ReadonlySet<string> = new Set(["TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW"]);

/**
 * The entries that a restore in place drops before it makes them anew, in the order of an archive, which is dropped
 * backwards: triggers, rules and foreign keys go first, then tables and what is made of them, then what tables may
 * use without the archive saying so (functions of triggers and indexes, sequences of defaults, types). Pure.
 */
export function orderDrops(entries: readonly RestoreEntry[]): RestoreEntry[] {
  const madeOfTables = new Set<number>();
  for (const { dumpId, kind, dependencies } of entries) {
    if (tableKinds.has(kind) || dependencies.some((id) => madeOfTables.has(id))) madeOfTables.add(dumpId);
  }
  const dropped = entries.filter((entry) => !keptKinds.has(entry.kind));
  return [
    ...dropped.filter((entry) => !madeOfTables.has(entry.dumpId)),
    ...dropped.filter((entry) => madeOfTables.has(entry.dumpId)),
  ];
}
