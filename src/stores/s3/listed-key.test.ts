import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeKey } from "../../core/repository/manifest.ts";
import { decodeListedKey, requestKey } from "./listed-key.ts";

const anyText = fc
  .array(fc.oneof(fc.integer({ min: 1, max: 0x7f }), fc.integer({ min: 1, max: 0x10ffff })), {
    minLength: 1,
    maxLength: 50,
  })
  .map((points) => String.fromCodePoint(...points).toWellFormed());

/** As AWS writes keys in a list: like a form, with or without its own sign for a blank. */
const asForm = (key: string): string => new URLSearchParams({ k: key }).toString().slice(2);
const asPercent = (key: string): string => encodeURIComponent(key).replaceAll("%2F", "/");

describe("the key of a listed object", () => {
  test("is that which was stored, in every way that stores encode it", () => {
    fc.assert(
      fc.property(anyText, (key) => {
        const wanted = encodeKey(key);
        expect(decodeListedKey(asForm(key), "url")).toBe(wanted);
        expect(decodeListedKey(asPercent(key), "url")).toBe(wanted);
        expect(decodeListedKey(key, undefined)).toBe(wanted);
      }),
    );
  });

  test("is asked for as the text it is", () => {
    fc.assert(
      fc.property(anyText, (key) => {
        expect(requestKey("site/", encodeKey(key))).toBe(`site/${key}`);
      }),
    );
  });

  test("that is no UTF-8 survives, and cannot be asked for", () => {
    const key = decodeListedKey("a%FFb", "url");
    expect(key).toBe("a\u00ffb");
    expect(requestKey("", key)).toBeUndefined();
  });

  test("sorts as its bytes do", () => {
    const keys = ["\u{10000}", "\ue000", "é", "z", "a/b", "a"].map((key) =>
      decodeListedKey(asPercent(key), "url"),
    );
    expect([...keys].sort()).toEqual(["a", "a/b", "z", "é", "\ue000", "\u{10000}"].map(encodeKey));
  });
});
