import { expect, test } from "vitest";
import { displayWidth, fit, printable, wrapWords } from "./terminal.ts";

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

test("lines break between words, keep their indentation and leave long words whole", () => {
  expect(wrapWords("one two three", 7)).toEqual(["one two", "three"]);
  expect(wrapWords("  one two", 5)).toEqual(["  one", "two"]);
  expect(wrapWords("a /a/very/long/path b", 6)).toEqual(["a", "/a/very/long/path", "b"]);
  expect(wrapWords("\u001b[31mone\u001b[39m two", 7)).toEqual(["\u001b[31mone\u001b[39m two"]);
  expect(wrapWords("", 5)).toEqual([""]);
});
