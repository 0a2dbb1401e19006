import { describe, expect, it } from "vitest";
import type { DefinitionRecord } from "../ports/definition-records.ts";
import { changedElsewhere, mergeDefinitions, parseSavedDefinitions } from "./definitions.ts";

const record = (change: Partial<DefinitionRecord> = {}): DefinitionRecord => ({
  kind: "environment",
  projectId: "retail",
  name: "prod",
  spec: {},
  revision: 1,
  createdAtMs: 1,
  changedAtMs: 1,
  ...change,
});

describe("definitions of several files", () => {
  it("are each the one that was changed last; of two at once the same, in whatever order they are read", () => {
    const newer = record({ changedAtMs: 2, deletedAtMs: 2 });
    const other = record({ kind: "schedule" });
    expect(mergeDefinitions([record(), other], [newer])).toEqual([newer, other]);
    const revised = record({ changedAtMs: 2, revision: 9 });
    const another = record({ changedAtMs: 2, revision: 9, spec: [] });
    for (const lists of [
      [newer, revised, another, record()],
      [another, record(), revised, newer],
    ])
      expect(mergeDefinitions(lists)).toEqual([revised]);
    expect(mergeDefinitions()).toEqual([]);
  });
});

it("definitions that were changed elsewhere are those that are here, too, and newer", () => {
  const newer = record({ changedAtMs: 2 });
  const other = record({ kind: "schedule", changedAtMs: 3 });
  expect(changedElsewhere([record()], [newer, other])).toEqual([newer]);
  expect(changedElsewhere([newer, other], [newer, other])).toEqual([]);
  expect(changedElsewhere([record({ changedAtMs: 0 })], [newer])).toEqual([]);
});

describe("a file of definitions", () => {
  const parse = (value: unknown) =>
    parseSavedDefinitions(typeof value === "string" ? value : JSON.stringify(value), "x.json", "retail");
  const saved = { format: "lc2-definitions", formatVersion: 1, projectId: "retail", definitions: [record()] };

  it("is read as it was written", () => {
    expect(parse(saved)).toEqual(saved);
  });

  it.each([
    ["{", "metadata-damaged"],
    ["null", "metadata-damaged"],
    [{ ...saved, format: "lc2-backup" }, "metadata-damaged"],
    [{ ...saved, projectId: "shop" }, "metadata-damaged"],
    [{ ...saved, definitions: [record({ projectId: "shop" })] }, "metadata-damaged"],
    [{ ...saved, formatVersion: 99 }, "format-too-new"],
  ])("%j is refused", (value, code) => {
    expect(() => parse(value)).toThrow(expect.objectContaining({ code }));
  });
});
