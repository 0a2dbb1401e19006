import { describe, expect, it } from "vitest";
import type { InventoryTable } from "../repository/metadata.ts";
import { chooseTables, foreignKeysOf, selectEntries, type SectionedEntry } from "./select-tables.ts";

const entry = (
  dumpId: number,
  kind: string,
  section: SectionedEntry["section"],
  name: string,
  dependencies: number[] = [],
  definition = "",
): SectionedEntry => ({ dumpId, kind, section, schema: "public", name, definition, dependencies });

const table = (name: string, rows: number, parent?: string): InventoryTable => ({
  schema: "public",
  name,
  kind: "table",
  rows,
  ...(parent === undefined ? {} : { parent: { schema: "public", name: parent } }),
});

const entries = [
  entry(1, "TYPE", "pre-data", "state"),
  entry(2, "TABLE", "pre-data", "article", [1]),
  entry(3, "TABLE", "pre-data", "author"),
  entry(4, "COMMENT", "none", "TABLE article", [2]),
  entry(5, "ACL", "none", "TABLE article", [2]),
  entry(6, "ACL", "none", "TABLE author", [3]),
  entry(10, "TABLE DATA", "data", "article", [2]),
  entry(20, "CONSTRAINT", "post-data", "article article_pkey", [2]),
  entry(21, "INDEX", "post-data", "author_name", [3]),
  entry(22, "FK CONSTRAINT", "post-data", "article article_author_fkey", [2, 3, 20]),
  entry(23, "FK CONSTRAINT", "post-data", "author author_article_fkey", [2, 3, 20]),
  entry(24, "TRIGGER", "post-data", "article touched", [2]),
  entry(25, "EVENT TRIGGER", "post-data", "watch"),
  entry(26, "COMMENT", "none", "CONSTRAINT article_pkey", [2, 20]),
  entry(27, "COMMENT", "none", "INDEX author_name", [21]),
  entry(28, "VIEW RULE", "post-data", "needs both", [2, 21]),
  entry(29, "DEFAULT ACL", "none", "DEFAULT PRIVILEGES", []),
];
const article = [{ schema: "public", name: "article" }];

describe("choosing tables", () => {
  it("finds them as schema.name and says which are unknown", () => {
    const chosen = chooseTables(["public.article", "public.nothing"], [table("article", 7)], entries);
    expect(chosen).toEqual({ tables: article, unknown: ["public.nothing"], rows: 7 });
  });

  it("takes a partitioned table with all of its partitions", () => {
    const parts = [table("author_1", 3, "author"), table("author_2", 4, "author"), table("other", 9)];
    const { tables, rows } = chooseTables(["public.author"], parts, entries);
    expect(tables.map(({ name }) => name)).toEqual(["author", "author_1", "author_2"]);
    expect(rows).toBe(7);
  });

  it("counts rows that were left out as none", () => {
    const { rows: _, ...leftOut } = table("article", 0);
    expect(chooseTables(["public.article"], [{ ...leftOut, excluded: true }], entries).rows).toBe(0);
  });
});

describe("selecting what is made in the scratch database", () => {
  it("takes every definition before rows, and of what follows only what these tables have", () => {
    expect([...selectEntries(entries, article)]).toEqual([1, 2, 3, 4, 5, 20, 24, 26]);
  });

  it("leaves foreign keys to the target: those the tables have, not those that point to them", () => {
    expect(foreignKeysOf(entries, article).map(({ dumpId }) => dumpId)).toEqual([22]);
  });
});
