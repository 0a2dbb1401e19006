import { expect, test } from "vitest";
import { createMemorySink } from "../../test/support/memory-terminal.ts";
import { renderFields, renderTable } from "./table.ts";
import { paintFor } from "./terminal.ts";

const plain = paintFor(createMemorySink());
const coloured = paintFor(createMemorySink({ terminal: true }));

const columns = [
  { title: "NAME", value: ({ name }: { name: string; size: string }) => name },
  { title: "SIZE", value: ({ size }: { size: string }) => size, align: "right" as const },
  { title: "NOTE", value: () => "x" },
];

test("columns are as wide as their widest cell, numbers to the right, no blanks at the end", () => {
  const rows = [
    { name: "a", size: "1 B" },
    { name: "longer", size: "12.0 kB" },
  ];
  expect(renderTable(columns, rows, plain)).toBe(
    ["NAME       SIZE  NOTE", "a           1 B  x", "longer  12.0 kB  x", ""].join("\n"),
  );
});

test("wide characters take two columns and colours none", () => {
  const rows = [
    { name: "文書", size: "1" },
    { name: "abcd", size: "2" },
  ];
  const painted = columns.map((column) => ({ ...column, paint: coloured.red }));
  const lines = renderTable(painted, rows, plain).split("\n");
  expect(lines[1]).toContain("文書");
  expect(lines[1]?.replaceAll("\u001b[31m", "").replaceAll("\u001b[39m", "")).toBe("文書     1  x");
  expect(lines[2]?.replaceAll("\u001b[31m", "").replaceAll("\u001b[39m", "")).toBe("abcd     2  x");
});

test("a name from outside cannot drive the terminal", () => {
  const table = renderTable(columns, [{ name: "a\u001b[2Jb\nc", size: "1" }], plain);
  expect(table).not.toContain("\u001b");
  expect(table).toContain("a\\u001b[2Jb\\nc");
  expect(table.split("\n")).toHaveLength(3);
});

test("the last column is cut to the width", () => {
  const rows = [{ name: "abcdefghij".repeat(3), size: "1" }];
  expect(renderTable(columns.slice(0, 1), rows, plain, 12)).toBe("NAME\nabcdefghija…\n");
});

test("fields line up, hang further lines below the value and leave out what is undefined", () => {
  const page = renderFields(
    [
      ["Name", "x"],
      ["Missing", undefined],
      ["Longer name", "first\nsecond"],
    ],
    { paint: plain, width: undefined },
  );
  expect(page).toBe("  Name         x\n  Longer name  first\n               second\n");
});

test("long values are broken between words at the terminal's width, and words stay whole", () => {
  const page = renderFields([["Name", `some words and ${"x".repeat(40)} and more`]], {
    paint: coloured,
    width: 42,
  });
  expect(page.replaceAll(/\u001b\[\d+m/g, "")).toBe(
    ["  Name  some words and", `        ${"x".repeat(40)}`, "        and more", ""].join("\n"),
  );
});

test("a hundred thousand rows are a table like any other", () => {
  const rows = Array.from({ length: 100_000 }, (_, index) => ({ name: `n${index}`, size: "1" }));
  const lines = renderTable(columns, rows, plain).trimEnd().split("\n");
  expect(lines).toHaveLength(100_001);
  expect(lines.at(-1)).toBe("n99999     1  x");
});
