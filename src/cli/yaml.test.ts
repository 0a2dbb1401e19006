import { expect, test } from "vitest";
import { toYaml } from "./yaml.ts";

test("objects, lists and scalars are written in block style", () => {
  const value = {
    backupId: "backup-20261124-140000-3f9c2a",
    size: 12,
    verified: true,
    nothing: null,
    left: undefined,
    list: [1, "two", { a: 1, b: { c: [] } }, ["x", ["z"]]],
    empty: {},
  };
  expect(toYaml(value)).toBe(
    [
      "backupId: backup-20261124-140000-3f9c2a",
      "size: 12",
      "verified: true",
      "nothing: null",
      "list:",
      "- 1",
      "- two",
      "- a: 1",
      "  b:",
      "    c: []",
      "- - x",
      "  - - z",
      "empty: {}",
      "",
    ].join("\n"),
  );
});

test.each([
  "",
  "yes",
  "No",
  "null",
  "~",
  "12",
  "1e3",
  "0x1f",
  "2026-11-24",
  "2026-11-24T14:00:00.000Z",
  "a: b",
  "# no comment",
  "- item",
  "*.tmp",
  "&anchor",
  "!tag",
  "trailing ",
  " leading",
  "line\nbreak",
  "\u001b[2J",
  "it's",
  '"quoted"',
  "a #b",
  "file:///srv",
])("%j could mean something else and is quoted", (text) => {
  expect(toYaml({ text })).toBe(`text: ${JSON.stringify(text)}\n`);
});

test("a scalar or an empty collection stands alone", () => {
  expect(toYaml([])).toBe("[]\n");
  expect(toYaml("word")).toBe("word\n");
  expect(toYaml([{ a: 1 }])).toBe("- a: 1\n");
});
