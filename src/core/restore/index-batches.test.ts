import { describe, expect, it } from "vitest";
import { batchIndexes } from "./index-batches.ts";
import type { SectionedEntry } from "./select-tables.ts";

const entry = (
  dumpId: number,
  kind: string,
  section: SectionedEntry["section"],
  dependencies: number[] = [],
): SectionedEntry => ({ dumpId, kind, section, schema: "public", name: "x", definition: "", dependencies });

const entries = [
  entry(1, "FUNCTION", "pre-data"),
  entry(2, "TABLE", "pre-data"),
  entry(3, "TABLE", "pre-data"),
  entry(4, "TABLE", "pre-data"),
  entry(5, "MATERIALIZED VIEW", "pre-data"),
  entry(19, "FUNCTION", "post-data", [20]),
  entry(20, "CONSTRAINT", "post-data", [2]),
  entry(21, "INDEX", "post-data", [2, 1]),
  entry(22, "INDEX", "post-data", [3]),
  entry(23, "INDEX", "post-data", [4]),
  entry(30, "INDEX", "post-data", [2, 19]),
  entry(31, "INDEX", "post-data", [5]),
  entry(32, "INDEX", "post-data", [2, 99]),
  entry(33, "FK CONSTRAINT", "post-data", [2, 3]),
  entry(34, "TRIGGER", "post-data", [2]),
  entry(35, "INDEX ATTACH", "post-data", [21, 22]),
];
const all = new Set(entries.map(({ dumpId }) => dumpId));
const ids = (tables: [number, number][], batchBytes: number, wanted: ReadonlySet<number> = all) =>
  batchIndexes(entries, wanted, new Set(), new Map(tables), batchBytes).map(({ dumpIds }) => dumpIds);

describe("indexes that are made while rows of other tables are loaded", () => {
  it("are those of tables whose rows are in, which need nothing that is made after rows", () => {
    expect(ids([[2, 10]], 1000)).toEqual([[20, 21]]);
    expect(ids([], 1000)).toEqual([]);
  });

  it("do not wait for each other where tables are large, the largest first", () => {
    const tables: [number, number][] = [
      [2, 10],
      [3, 500],
      [4, 20],
    ];
    expect(ids(tables, 30)).toEqual([[22], [23, 20], [21]]);
    expect(batchIndexes(entries, all, new Set(), new Map(tables), 30).map(({ bytes }) => bytes)).toEqual([
      500, 30, 10,
    ]);
  });

  it("wait for the index of a partition's parent, and none is made twice", () => {
    const partition = [...entries, entry(40, "INDEX", "post-data", [2, 22])];
    const madeAfter = (made: number[]) =>
      batchIndexes(partition, new Set([20, 40]), new Set(made), new Map([[2, 10]]), 1000).map(
        ({ dumpIds }) => dumpIds,
      );
    expect(madeAfter([])).toEqual([[20]]);
    expect(madeAfter([22])).toEqual([[20, 40]]);
    expect(madeAfter([22, 20, 40])).toEqual([]);
  });

  it("are only those that the restore wants", () => {
    expect(ids([[2, 10]], 1000, new Set([21]))).toEqual([[21]]);
  });
});
