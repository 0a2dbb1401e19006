import { expect, test } from "vitest";
import { withoutValues } from "./blockers.ts";
import { exactPattern, mainSelection, rowsSelection, rowsWarningFilter } from "./dump-selection.ts";

test("a pattern fits its name alone: quoted, and beyond ASCII by place where pg_dump reads other bytes", () => {
  const table = { schema: "s.x", name: 'caf\u00e9"*' };
  expect(exactPattern(table, "UTF8")).toBe('"s.x"."café""*"');
  expect(exactPattern(table, "LATIN1")).toBe('"s.x"."caf"?"""*"');
});

test("the main archive always asks for large objects", () => {
  const selection = mainSelection([{ schema: "s", name: "t" }], "UTF8");
  expect(selection).toEqual(["--blobs", '--exclude-table-data="s"."t"']);
});

test("an archive of rows names its tables strictly and leaves the values of their sequences to the main one", () => {
  const selection = rowsSelection([{ schema: "s", name: "t" }], [{ schema: "s", name: "q" }], "UTF8");
  expect(selection).toEqual([
    "--data-only",
    "--strict-names",
    '--table="s"."t"',
    '--exclude-table-data="s"."q"',
  ]);
});

test("of an archive of rows only the warning about circles of foreign keys is dropped", () => {
  const lines = [
    "pg_dump: warning: there are circular foreign-key constraints on this table:",
    "pg_dump: detail: versions",
    "pg_dump: hint: You might not be able to restore the dump without using --disable-triggers.",
    "pg_dump: error: query failed",
    "pg_dump: detail: Query was: …",
  ];
  expect(lines.filter(rowsWarningFilter())).toEqual(lines.slice(3));
});

test.each([
  ["UPDATE t SET a = 'it''s' WHERE id = 4711", "UPDATE t SET a = '…' WHERE id = …"],
  ["SELECT E'a\\'b', $x$secret$x$, col1,\n\t\"T2\"", "SELECT '…', '…', col1, \"T2\""],
  ["SELECT 'cut off in the midd", "SELECT '…'"],
  ["x".repeat(200), `${"x".repeat(100)}…`],
])("the query %j is shown without its values", (query, shown) => {
  expect(withoutValues(query)).toBe(shown);
});
