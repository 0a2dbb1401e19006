import { expect, test } from "vitest";
import { matchTables, type NamedTable } from "./match-tables.ts";

const tables: NamedTable[] = [
  { oid: 1, schema: "public", name: "cache_pages" },
  { oid: 2, schema: "cache_x", name: "kept" },
  { oid: 3, schema: "public", name: "Cache_Pages" },
  { oid: 4, schema: "s (1)", name: "a.b+c" },
  { oid: 5, schema: "public", name: "log" },
  { oid: 6, schema: "parts", name: "log_1", parentOid: 5 },
  { oid: 7, schema: "parts", name: "log_1_1", parentOid: 6 },
];

test.each([
  ["cache_*", [1]],
  ["public.cache_*", [1]],
  ["*.cache_pages", [1]],
  ["cache_?ages", [1]],
  ["cache_x.*", [2]],
  ["a.b+c", [4]],
  ["s (1).a.*", [4]],
  ["a_b+c", []],
  ["log", [5, 6, 7]],
  ["log_1", [6, 7]],
  ["parts.*", [6, 7]],
  ["LOG", []],
  ["*", [1, 2, 3, 4, 5, 6, 7]],
])("%s fits the right tables", (pattern, oids) => {
  const { matched, hits } = matchTables([pattern], tables);
  expect(matched.map((table) => table.oid)).toEqual(oids);
  expect(hits).toEqual([{ pattern, tables: oids.length }]);
});

test("a table that two patterns fit is matched once and counted for both", () => {
  const { matched, hits } = matchTables(["log*", "parts.log_1", "nothing"], tables);
  expect(matched.map((table) => table.oid)).toEqual([5, 6, 7]);
  expect(hits.map((hit) => hit.tables)).toEqual([3, 2, 0]);
});
