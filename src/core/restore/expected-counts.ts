import type { DatabaseInventory } from "../repository/metadata.ts";
import type { RestoreEntry } from "./restore-entry.ts";

/** Kinds of the inventory that a restore into the same major must bring back, and how people call them. */
const comparedKinds: Readonly<Record<string, string>> = {
  "constraint.c": "check constraints",
  "constraint.f": "foreign keys",
  "constraint.p": "primary keys",
  "constraint.u": "unique constraints",
  "constraint.x": "exclusion constraints",
  "relation.i": "indexes",
  "relation.I": "partitioned indexes",
  "relation.m": "materialised views",
  "relation.p": "partitioned tables",
  "relation.r": "tables",
  "relation.S": "sequences",
  "relation.v": "views",
  function: "functions",
  policy: "row security policies",
  trigger: "triggers",
};

/** The inventory's kind of an entry that was left out. */
const kindOfEntry: Readonly<Record<string, string>> = {
  AGGREGATE: "function",
  FUNCTION: "function",
  INDEX: "relation.i",
  "MATERIALIZED VIEW": "relation.m",
  POLICY: "policy",
  PROCEDURE: "function",
  TRIGGER: "trigger",
  VIEW: "relation.v",
};

export interface ExpectedCount {
  readonly kind: string;
  /** `foreign keys` */
  readonly name: string;
  readonly atLeast: number;
}

/**
 * How many objects of each kind a restored database must have at least. Another major counts some of them
 * otherwise (constraints and triggers of partitions), so there the archive's own errors are all there is: none.
 * A dump has no invalid indexes. Pure.
 */
export function expectedCounts(
  inventory: DatabaseInventory,
  leftOut: readonly RestoreEntry[],
  targetMajor: number,
): ExpectedCount[] {
  if (Number.parseInt(inventory.serverVersion, 10) !== targetMajor) return [];
  const less = new Map<string, number>([["relation.i", inventory.invalidIndexes.length]]);
  for (const entry of leftOut) {
    const kind = kindOfEntry[entry.kind];
    if (kind !== undefined) less.set(kind, (less.get(kind) ?? 0) + 1);
  }
  return Object.entries(comparedKinds).flatMap(([kind, name]) => {
    const counted = inventory.counts[kind];
    return counted === undefined ? [] : [{ kind, name, atLeast: counted - (less.get(kind) ?? 0) }];
  });
}
