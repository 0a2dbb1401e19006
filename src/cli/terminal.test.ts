import { expect, test } from "vitest";
import { displayWidth, fit, printable } from "./terminal.ts";

test.each([
  ["abc", 3],
  ["äöü", 3],
  ["e\u0301", 1],
  ["文書", 4],
  ["\u001b[31mred\u001b[39m", 3],
  ["🙂", 2],
  ["", 0],
])("%j is %i columns wide", (text, width) => {
  expect(displayWidth(text)).toBe(width);
});

test("text that is too wide is cut and says so, never wider than asked", () => {
  expect(fit("abcdef", 6)).toBe("abcdef");
  expect(fit("abcdef", 5)).toBe("abcd…");
  expect(fit("文書文書", 5)).toBe("文書…");
  expect(displayWidth(fit("文書文書", 4))).toBeLessThanOrEqual(4);
});

test("control characters and changes of direction are made visible", () => {
  expect(printable("a\u001b[2Jb")).toBe("a\\u001b[2Jb");
  expect(printable("a\tb\nc\u0000")).toBe("a\\tb\\nc\\u0000");
  expect(printable("a\u202eb")).toBe("a\\u202eb");
  expect(printable("Überschrift – 文書")).toBe("Überschrift – 文書");
});
