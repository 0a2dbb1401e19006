import { describe, expect, it } from "vitest";
import type {
  DefinitionRecord,
  DefinitionRecords,
  NewDefinition,
} from "../../src/core/ports/definition-records.ts";

const key = { kind: "environment", projectId: "retail", name: "prod" } as const;
const define = (change: Partial<NewDefinition> = {}): NewDefinition => ({
  ...key,
  spec: { role: "production" },
  nowMs: 1_000,
  ...change,
});
const record = (change: Partial<DefinitionRecord> = {}): DefinitionRecord => ({
  ...key,
  spec: { role: "production" },
  revision: 1,
  createdAtMs: 1_000,
  changedAtMs: 1_000,
  ...change,
});

/** What every catalog must do with projects, environments, schedules and their like. */
export function describeDefinitionRecords(records: () => DefinitionRecords): void {
  describe("definitions", () => {
    it("are kept whole, and each change is one revision more", async () => {
      expect(await records().putDefinition(define(), "absent")).toEqual(record());
      const changed = record({ spec: { role: "staging" }, revision: 2, changedAtMs: 2_000 });
      const change = define({ spec: { role: "staging" }, nowMs: 2_000 });
      expect(await records().putDefinition(change, { revision: 1 })).toEqual(changed);
      expect(await records().getDefinition(key)).toEqual(changed);
    });

    it("are not written over by who thinks that there are none, or another revision", async () => {
      const other = define({ spec: {}, nowMs: 9 });
      expect(await records().putDefinition(other, { revision: 1 })).toBeUndefined();
      await records().putDefinition(define(), "any");
      expect(await records().putDefinition(other, "absent")).toBeUndefined();
      expect(await records().putDefinition(other, { revision: 2 })).toBeUndefined();
      expect(await records().getDefinition(key)).toEqual(record());
      expect(await records().putDefinition(define({ nowMs: 2_000 }), "any")).toEqual(
        record({ revision: 2, changedAtMs: 2_000 }),
      );
    });

    it("are changed after the change before, whatever the clock says", async () => {
      await records().putDefinition(define({ nowMs: 5_000 }), "absent");
      expect(await records().putDefinition(define({ nowMs: 4_000 }), "any")).toMatchObject({
        changedAtMs: 5_001,
      });
      expect(await records().putDefinition(define({ nowMs: 4_000 }), { revision: 2 })).toMatchObject({
        changedAtMs: 5_002,
      });
      await records().removeDefinition(key, { nowMs: 4_000 });
      expect(await records().listProjectDefinitions("retail")).toMatchObject([{ changedAtMs: 5_003 }]);
    });

    it("are changed by one of many that have seen the same revision", async () => {
      await records().putDefinition(define(), "absent");
      const changes = Array.from({ length: 8 }, (_, index) =>
        records().putDefinition(define({ spec: { index } }), { revision: 1 }),
      );
      expect((await Promise.all(changes)).filter((changed) => changed !== undefined)).toHaveLength(1);
      expect((await records().getDefinition(key))?.revision).toBe(2);
    });

    it("are gone once removed, and begin anew with a higher revision", async () => {
      await records().putDefinition(define(), "absent");
      expect(await records().removeDefinition(key, { nowMs: 2_000, revision: 7 })).toBe(false);
      expect(await records().removeDefinition(key, { nowMs: 2_000, revision: 1 })).toBe(true);
      expect(await records().removeDefinition(key, { nowMs: 3_000 })).toBe(false);
      expect(await records().getDefinition(key)).toBeUndefined();
      expect(await records().putDefinition(define({ nowMs: 4_000 }), { revision: 2 })).toBeUndefined();
      expect(await records().listDefinitions({ kind: "environment" })).toEqual({ definitions: [], total: 0 });
      expect(await records().listProjectDefinitions("retail")).toEqual([
        record({ revision: 2, changedAtMs: 2_000, deletedAtMs: 2_000 }),
      ]);
      expect(await records().putDefinition(define({ nowMs: 4_000 }), "absent")).toEqual(
        record({ revision: 3, createdAtMs: 4_000, changedAtMs: 4_000 }),
      );
    });

    it("are listed by project and name, page by page, each kind by itself", async () => {
      for (const [projectId, name] of [
        ["shop", "a"],
        ["retail", "prod"],
        ["retail", "dev"],
      ] as const)
        await records().putDefinition(define({ projectId, name }), "absent");
      await records().putDefinition(define({ kind: "schedule" }), "absent");
      const names = async (query: Parameters<DefinitionRecords["listDefinitions"]>[0]) => {
        const { definitions, total } = await records().listDefinitions(query);
        return [total, ...definitions.map(({ projectId, name }) => `${projectId}/${name}`)];
      };
      const kind = "environment";
      expect(await names({ kind })).toEqual([3, "retail/dev", "retail/prod", "shop/a"]);
      expect(await names({ kind, projectId: "retail" })).toEqual([2, "retail/dev", "retail/prod"]);
      expect(await names({ kind, limit: 1, offset: 1 })).toEqual([3, "retail/prod"]);
      expect(await names({ kind: "schedule" })).toEqual([1, "retail/prod"]);
    });
  });

  describe("what a repository has of definitions", () => {
    it("is less than what is here until each revision is marked as saved", async () => {
      await records().putDefinition(define(), "absent");
      await records().putDefinition(define({ projectId: "", name: "all" }), "absent");
      expect(await records().listUnsavedProjects()).toEqual(["retail"]);
      await records().markDefinitionsSaved([{ ...key, revision: 1 }]);
      expect(await records().listUnsavedProjects()).toEqual([]);
      await records().putDefinition(define(), "any");
      await records().markDefinitionsSaved([{ ...key, revision: 1 }]);
      expect(await records().listUnsavedProjects()).toEqual(["retail"]);
      await records().markDefinitionsSaved([{ ...key, revision: 2 }]);
      await records().removeDefinition(key, { nowMs: 2_000 });
      expect(await records().listUnsavedProjects()).toEqual(["retail"]);
      await records().markDefinitionsSaved([{ ...key, revision: 3 }]);
      expect(await records().listUnsavedProjects()).toEqual([]);
      await records().markDefinitionsUnsaved("retail");
      expect(await records().listUnsavedProjects()).toEqual(["retail"]);
    });

    it("is not asked for where nobody has said anything", async () => {
      const made = await records().putDefinition(define({ byDefault: true }), "absent");
      expect(made).toEqual(record({ changedAtMs: 0 }));
      expect(await records().listUnsavedProjects()).toEqual([]);
    });

    it("is taken over where it is newer, with its revision", async () => {
      const saved = record({ revision: 5, changedAtMs: 5_000 });
      expect(await records().adoptDefinition(saved)).toBe(true);
      expect(await records().getDefinition(key)).toEqual(saved);
      const again = record({ spec: {}, revision: 9, changedAtMs: 5_000 });
      expect(await records().adoptDefinition(record({ changedAtMs: 4_000, revision: 9 }))).toBe(false);
      expect(await records().adoptDefinition(again)).toBe(true);
      expect(await records().adoptDefinition(again)).toBe(false);
      expect(await records().getDefinition(key)).toEqual(again);
      expect(await records().listUnsavedProjects()).toEqual([]);
      expect(
        await records().adoptDefinition(record({ revision: 6, changedAtMs: 6_000, deletedAtMs: 6_000 })),
      ).toBe(true);
      expect(await records().getDefinition(key)).toBeUndefined();
      expect(await records().listProjectDefinitions("retail")).toMatchObject([{ revision: 10 }]);
      expect(await records().listUnsavedProjects()).toEqual([]);
    });
  });
}
