import { expect, it } from "vitest";
import { remember } from "./remember.ts";

it("makes an answer once, and forgets all when there are too many", () => {
  const made: string[] = [];
  const length = remember((text) => {
    made.push(text);
    return text.length;
  }, 2);
  expect([length("a"), length("bb"), length("a")]).toEqual([1, 2, 1]);
  expect(made).toEqual(["a", "bb"]);
  expect([length("ccc"), length("a")]).toEqual([3, 1]);
  expect(made).toEqual(["a", "bb", "ccc", "a"]);
});
