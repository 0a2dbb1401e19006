import { expect, test } from "vitest";
import type { ObjectFacts } from "../repository/manifest.ts";
import { haveSameObjectFacts } from "./compare-objects.ts";

const facts: ObjectFacts = {
  contentType: "text/plain",
  cacheControl: "no-store",
  metadata: { owner: "a", state: "b" },
  tags: { kind: "c" },
};

test.each<[string, ObjectFacts | undefined, ObjectFacts | undefined, boolean]>([
  ["equal facts are the same", facts, { ...facts }, true],
  ["the order of metadata means nothing", facts, { ...facts, metadata: { state: "b", owner: "a" } }, true],
  ["another storage class is the store's affair", facts, { ...facts, storageClass: "GLACIER" }, true],
  ["where none are wanted, any will do", undefined, facts, true],
  ["what is wanted of nothing is missing", facts, undefined, false],
  ["no type is the same as a default one", {}, { contentType: "binary/octet-stream" }, true],
  ["a default type is as good as another", { contentType: "application/octet-stream" }, undefined, true],
  ["another type is another", facts, { ...facts, contentType: "text/html" }, false],
  ["a header too many is a difference", facts, { ...facts, expires: "0" }, false],
  ["metadata with another value differ", facts, { ...facts, metadata: { owner: "x", state: "b" } }, false],
  ["a tag too many is a difference", facts, { ...facts, tags: { kind: "c", more: "d" } }, false],
  ["a tag too few is a difference", facts, { ...facts, tags: {} }, false],
])("%s", (_, wanted, found, same) => {
  expect(haveSameObjectFacts(wanted, found)).toBe(same);
});
