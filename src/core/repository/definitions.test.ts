import { describe, expect, it } from "vitest";
import type { DefinitionRecord } from "../ports/definition-records.ts";
import { mergeDefinitions, parseSavedDefinitions } from "./definitions.ts";

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
  it("are each the one that was changed last, the first of two at once", () => {
    const newer = record({ changedAtMs: 2, deletedAtMs: 2 });
    const other = record({ kind: "schedule" });
    expect(mergeDefinitions([record(), other], [newer])).toEqual([newer, other]);
    expect(mergeDefinitions([newer], [record({ changedAtMs: 2, revision: 9 }), record()])).toEqual([newer]);
    expect(mergeDefinitions()).toEqual([]);
  });
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
