import { describe, expect, it } from "vitest";
import { planSteps } from "./restore-steps.ts";
import type { SectionedEntry } from "./select-tables.ts";

const entry = (
  dumpId: number,
  kind: string,
  section: SectionedEntry["section"],
  name = "x",
): SectionedEntry => ({ dumpId, kind, section, schema: "public", name, definition: "", dependencies: [] });

const entries = [
  entry(1, "COMMENT", "none", "DATABASE cms"),
  entry(2, "TABLE", "pre-data"),
  entry(3, "COMMENT", "none", "TABLE x"),
  entry(4, "ACL", "none", "TABLE x"),
  entry(10, "TABLE DATA", "data"),
  entry(11, "SECURITY LABEL", "none", "LARGE OBJECT 1"),
  entry(20, "INDEX", "post-data"),
  entry(21, "COMMENT", "none", "INDEX x"),
  entry(22, "MATERIALIZED VIEW DATA", "post-data"),
  entry(23, "EVENT TRIGGER", "post-data"),
  entry(24, "COMMENT", "none", "EVENT TRIGGER x"),
  entry(25, "DEFAULT ACL", "post-data"),
];

describe("the steps of a restore", () => {
  it("are definitions before and after the rows, and what comes last of all", () => {
    expect(planSteps(entries, () => true)).toEqual({
      preData: [1, 2, 3],
      postData: [20, 21],
      last: [4, 22, 23, 24, 25],
    });
  });

  it("leave out what is not selected, and keep a comment with what stood before it", () => {
    expect(planSteps(entries, (dumpId) => dumpId !== 20 && dumpId !== 22)).toEqual({
      preData: [1, 2, 3],
      postData: [21],
      last: [4, 23, 24, 25],
    });
  });
});
