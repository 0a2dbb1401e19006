import type { InventoryTable } from "../repository/metadata.ts";
import { selectTables } from "./plan-restore.ts";

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** An entry of the table of contents, as far as choosing tables needs it. */
export interface SectionedEntry extends TableName {
  readonly dumpId: number;
  readonly kind: string;
  readonly section: "none" | "pre-data" | "data" | "post-data";
  readonly definition: string;
  readonly dependencies: readonly number[];
}

export interface ChosenTables {
  /** The tables asked for, and every partition below them, in the inventory's order. */
  readonly tables: readonly TableName[];
  /** As they were asked for, of what the backup does not hold. */
  readonly unknown: readonly string[];
  readonly rows: number;
}

/** Finds the tables that are asked for by `schema.name`; a partitioned table stands for all of its partitions. */
export function chooseTables(
  asked: readonly string[],
  inventory: readonly InventoryTable[],
  entries: readonly SectionedEntry[],
): ChosenTables {
  const known = entries.filter((entry) => entry.kind === "TABLE");
  const chosen = new Map<string, TableName>();
  const found = selectTables(asked, known);
  let rows = 0;
  const take = ({ schema, name }: TableName): void =>
    void chosen.set(JSON.stringify([schema, name]), { schema, name });
  for (const table of found.chosen) {
    take(table);
    for (const leaf of inventory) {
      const isSelf = leaf.schema === table.schema && leaf.name === table.name;
      const isBelow = leaf.parent?.schema === table.schema && leaf.parent.name === table.name;
      if (isBelow) take(leaf);
      if (isSelf || isBelow) rows += leaf.rows ?? 0;
    }
  }
  return { tables: [...chosen.values()], unknown: found.unknown, rows };
}

/** Kinds that are made after all tables, or that no single table needs. */
const lateKinds: ReadonlySet<string> = new Set([
  "ACL",
  "DEFAULT ACL",
  "EVENT TRIGGER",
  "MATERIALIZED VIEW DATA",
  "PUBLICATION",
  "PUBLICATION TABLE",
  "PUBLICATION TABLES IN SCHEMA",
  "SUBSCRIPTION",
]);

/**
 * What is made in the scratch database for some tables: every definition that precedes rows (a table may need any
 * type, function or parent), and of what follows rows only indexes, constraints, triggers, rules, policies and
 * grants of these tables. Foreign keys are left to the target, which has the tables they point to. Pure.
 */
export function selectEntries(
  entries: readonly SectionedEntry[],
  tables: readonly TableName[],
): ReadonlySet<number> {
  const own = new Set(tableEntries(entries, tables).map((entry) => entry.dumpId));
  const selected = new Set<number>();
  for (const entry of entries) {
    const { dumpId, kind, section, dependencies } = entry;
    const isOfTable = dependencies.some((id) => own.has(id));
    if (section === "pre-data" && !lateKinds.has(kind)) selected.add(dumpId);
    else if (section === "post-data" && kind !== "FK CONSTRAINT" && !lateKinds.has(kind)) {
      if (!isOfTable || !dependencies.every((id) => selected.has(id))) continue;
      selected.add(dumpId);
      // Indexes and constraints of a chosen table are what attachments and comments may depend on.
      own.add(dumpId);
    } else if (section === "none" && kind === "ACL" && isOfTable) selected.add(dumpId);
    else if (section === "none" && dependencies.length > 0 && !lateKinds.has(kind)) {
      if (dependencies.every((id) => selected.has(id))) selected.add(dumpId);
    }
  }
  return selected;
}

function tableEntries(
  entries: readonly SectionedEntry[],
  tables: readonly TableName[],
): readonly SectionedEntry[] {
  return entries.filter(
    ({ kind, schema, name }) =>
      kind === "TABLE" && tables.some((table) => table.schema === schema && table.name === name),
  );
}

/** Foreign keys that these tables have (not those that point to them). */
export function foreignKeysOf(
  entries: readonly SectionedEntry[],
  tables: readonly TableName[],
): readonly SectionedEntry[] {
  return entries.filter(
    ({ kind, schema, name }) =>
      kind === "FK CONSTRAINT" &&
      tables.some((table) => table.schema === schema && name.startsWith(`${table.name} `)),
  );
}
