import { expect, test } from "vitest";
import { orderDrops } from "./order-drops.ts";
import type { RestoreEntry } from "./restore-entry.ts";

const entry = (dumpId: number, kind: string, dependencies: number[] = []): RestoreEntry => ({
  dumpId,
  kind,
  schema: "public",
  name: `${kind} ${dumpId}`,
  owner: "app",
  definition: "",
  dependencies,
  tablespace: "",
});

const ids = (entries: readonly RestoreEntry[]) => orderDrops(entries).map(({ dumpId }) => dumpId);

test("tables are dropped before functions and sequences that they use without saying so", () => {
  expect(ids([entry(1, "TABLE"), entry(2, "FUNCTION"), entry(3, "SEQUENCE")])).toEqual([2, 3, 1]);
});

test("triggers and foreign keys are dropped before their tables, functions over tables before these", () => {
  const table = entry(1, "TABLE");
  const overTable = entry(2, "FUNCTION", [1]);
  const ofTrigger = entry(3, "FUNCTION");
  expect(
    ids([table, overTable, ofTrigger, entry(4, "FK CONSTRAINT", [1]), entry(5, "TRIGGER", [1, 3])]),
  ).toEqual([3, 1, 2, 4, 5]);
});

test("schemas, extensions and what goes with a table are not dropped by name", () => {
  const kinds = ["SCHEMA", "EXTENSION", "INDEX", "CONSTRAINT", "INDEX ATTACH", "COMMENT", "ACL"];
  expect(ids(kinds.map((kind, index) => entry(index, kind)))).toEqual([]);
});
