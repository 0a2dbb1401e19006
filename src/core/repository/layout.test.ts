import { expect, test } from "vitest";
import { operationStartMs } from "./layout.ts";

test("an operation's id says when it began", () => {
  expect(operationStartMs("restore-20261124-191500-0a1b2c")).toBe(Date.UTC(2026, 10, 24, 19, 15));
  expect(operationStartMs("something")).toBe(0);
});
