import fc from "fast-check";
import { expect, test } from "vitest";
import { assertObjectName } from "../repository/object-name.ts";
import { storeName } from "./store-name.ts";

test.each([
  ["lportal", "lportal"],
  ["my_app-2.prod", "my_app-2.prod"],
  ["..", "_2e."],
  ["we/ird", "we_2fird"],
  ["Größe", "Gr_c3_b6_c3_9fe"],
  ["𝄞", "_f0_9d_84_9e"],
  ["", "_"],
])("%s becomes %s", (name, expected) => {
  expect(storeName(name)).toBe(expected);
});

/** Lone surrogates included: whatever a server sends must not break a backup. */
const codePoints = fc.array(fc.integer({ min: 0, max: 0x10ffff }), { maxLength: 20 });

test("any name of a database is one that a repository can hold", () => {
  fc.assert(
    fc.property(codePoints, (points) => {
      const name = String.fromCodePoint(...points);
      assertObjectName(`a1/database/${storeName(name)}.inventory.json`);
    }),
  );
});
