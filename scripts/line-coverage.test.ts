import { expect, test } from "vitest";
import { countLines } from "./line-coverage.ts";

const source = ["const a = 1;", "function f() {", "  if (a) return 1;", "  return 2;", "}", ""].join("\n");
const file = (counts: readonly number[]) => ({
  statementMap: {
    0: { start: { line: 1, column: 0 } },
    1: { start: { line: 3, column: 2 } },
    2: { start: { line: 3, column: 9 } },
    3: { start: { line: 4, column: 2 } },
  },
  s: Object.fromEntries(counts.map((count, id) => [id, count])),
});
const whole = { startOffset: 0, endOffset: source.length, count: 1 };
const body = { startOffset: source.indexOf("function"), endOffset: source.indexOf("}") + 1 };
const lastStatement = { startOffset: source.indexOf("return 2"), endOffset: source.indexOf("}"), count: 0 };

test("a line counts once, as run when any statement on it was", () => {
  expect(countLines(source, file([1, 1, 0, 0]), [])).toEqual({ total: 3, covered: 2, missing: [4] });
});

test("a line that only a started program ran counts as run", () => {
  const run = { functions: [{ ranges: [whole] }, { ranges: [{ ...body, count: 3 }] }] };
  expect(countLines(source, file([1, 0, 0, 0]), [run])).toEqual({ total: 3, covered: 3, missing: [] });
});

test("a block that the started program never entered does not count", () => {
  const run = { functions: [{ ranges: [whole] }, { ranges: [{ ...body, count: 3 }, lastStatement] }] };
  expect(countLines(source, file([0, 0, 0, 0]), [run])).toEqual({ total: 3, covered: 2, missing: [4] });
});

test("a function that the started program never called does not count", () => {
  const run = { functions: [{ ranges: [whole] }, { ranges: [{ ...body, count: 0 }] }] };
  expect(countLines(source, file([0, 0, 0, 0]), [run])).toEqual({ total: 3, covered: 1, missing: [3, 4] });
});
