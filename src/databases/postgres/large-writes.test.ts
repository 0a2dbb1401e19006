import { expect, test } from "vitest";
import { largeWrites } from "./large-writes.ts";

test("the library is used where it is, and nothing is set where it is not", () => {
  expect(largeWrites((path) => path === "/usr/lib/coreutils/libstdbuf.so")).toEqual({
    LD_PRELOAD: "/usr/lib/coreutils/libstdbuf.so",
    _STDBUF_O: "65536",
  });
  expect(largeWrites(() => false)).toEqual({});
});
