import { expect, test } from "vitest";
import { accountForTables, type AccountedTable } from "./account-for-tables.ts";

const table = (oid: number, rows: AccountedTable["rows"]): AccountedTable => ({
  oid,
  schema: "s",
  name: `t${oid}`,
  rows,
});
const found = (oid: number): { oid: number; schema: string; name: string } => ({
  oid,
  schema: "s",
  name: `t${oid}`,
});
const catalog = [table(1, "expected"), table(2, "excluded"), table(3, "optional")];

test("nothing is wrong where every expected table is there once", () => {
  expect(accountForTables(catalog, [found(1)])).toEqual([]);
  expect(accountForTables(catalog, [found(3), found(1)])).toEqual([]);
});

test.each([
  [[], "rows of s.t1 are missing"],
  [[1, 1], "rows of s.t1 are there 2 times"],
  [[1, 2], "rows of s.t2 are there, which were to be left out"],
  [[1, 9], "rows of s.t9 are there, which the catalog does not have"],
])("with %j archived, it says: %s", (oids, problem) => {
  expect(accountForTables(catalog, oids.map(found))).toEqual([problem]);
});
