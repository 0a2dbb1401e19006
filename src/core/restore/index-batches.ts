import type { SectionedEntry } from "./select-tables.ts";

/** Indexes and constraints that one session makes, one after another. */
export interface IndexBatch {
  readonly dumpIds: readonly number[];
  /** Of rows that have to be read for them. */
  readonly bytes: number;
}

const kindsOfOneTable: ReadonlySet<string> = new Set(["INDEX", "CONSTRAINT"]);

/**
 * The indexes, keys and unique constraints that need the rows of one table alone, for tables whose rows are in: they
 * can be made while others are loaded. `wanted` has the dump ids that may be made, `made` those that are (a
 * partition's index needs that of its parent); `tables` the bytes of each such table's rows by its dump id. A batch is
 * closed when it has `batchBytes`; the largest come first. What else follows rows (foreign keys, partitions'
 * attachments, triggers) is not among them. Pure.
 */
export function batchIndexes(
  entries: readonly SectionedEntry[],
  wanted: ReadonlySet<number>,
  made: ReadonlySet<number>,
  tables: ReadonlyMap<number, number>,
  batchBytes: number,
): IndexBatch[] {
  const byId = new Map(entries.map((entry) => [entry.dumpId, entry]));
  const ready = entries
    .filter(({ dumpId, kind }) => wanted.has(dumpId) && !made.has(dumpId) && kindsOfOneTable.has(kind))
    .flatMap(({ dumpId, dependencies }) => {
      const others = dependencies.filter((id) => !tables.has(id) && !made.has(id)).map((id) => byId.get(id));
      const areMade = others.every((other) => other?.section === "pre-data" && other.kind !== "TABLE");
      const sizes = dependencies.flatMap((id) => tables.get(id) ?? []);
      return areMade && sizes.length > 0 ? [{ dumpId, bytes: Math.max(...sizes) }] : [];
    })
    .toSorted((a, b) => b.bytes - a.bytes);
  const batches: { dumpIds: number[]; bytes: number }[] = [];
  for (const { dumpId, bytes } of ready) {
    const open = batches.at(-1);
    if (open === undefined || open.bytes >= batchBytes) batches.push({ dumpIds: [dumpId], bytes });
    else {
      open.dumpIds.push(dumpId);
      open.bytes += bytes;
    }
  }
  return batches;
}
