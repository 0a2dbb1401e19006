import { expect, test } from "vitest";
import type { DatabaseInventory } from "../repository/metadata.ts";
import { expectedCounts } from "./expected-counts.ts";

const inventory: DatabaseInventory = {
  format: "lc2-database-inventory",
  formatVersion: 1,
  database: { name: "d", owner: "o", encoding: "UTF8", collate: "C", ctype: "C", connectionLimit: -1 },
  serverVersion: "17.10",
  extensions: [],
  tables: [],
  sequences: [],
  largeObjects: { count: 0, bytes: 0 },
  counts: { "relation.i": 5, "constraint.f": 2, trigger: 3, "constraint.n": 9, schema: 1 },
  invalidIndexes: ["public.broken"],
};
const trigger = {
  dumpId: 1,
  kind: "TRIGGER",
  schema: "public",
  name: "t x",
  owner: "o",
  definition: "",
  dependencies: [],
  tablespace: "",
};

test("what a dump does not hold and what was left out is not expected", () => {
  const counts = expectedCounts(inventory, [trigger], 17);
  expect(Object.fromEntries(counts.map(({ kind, atLeast }) => [kind, atLeast]))).toEqual({
    "relation.i": 4,
    "constraint.f": 2,
    trigger: 2,
  });
});

test("another major counts otherwise, so nothing is expected of it", () => {
  expect(expectedCounts(inventory, [], 18)).toEqual([]);
});
