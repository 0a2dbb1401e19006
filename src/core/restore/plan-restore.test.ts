import { describe, expect, test } from "vitest";
import { chooseInto, planHashInput, showBytes, type TargetObservation } from "./plan-restore.ts";
import type { DatabasePlan, RestorePlan } from "./restore.ts";

const able: TargetObservation = {
  database: "shop",
  user: "app",
  state: "occupied",
  owns: true,
  createDatabase: true,
  mayCreateInside: true,
};

describe("without a wish", () => {
  test.each([
    ["missing", "new"],
    ["empty", "empty"],
    ["occupied", "swap"],
  ] as const)("a target that is %s is restored into %s", (state, into) => {
    expect(chooseInto(undefined, { ...able, state })).toEqual({ into, blockers: [] });
  });

  test("an occupied target is never overwritten because rights for the swap are missing", () => {
    const { into, blockers } = chooseInto(undefined, { ...able, createDatabase: false });
    expect(into).toBe("swap");
    expect(blockers.map(({ code }) => code)).toEqual(["rights-missing-to-restore"]);
    expect(blockers[0]?.message).toMatch(/ALTER ROLE "app" CREATEDB.*--into empty.*--into in-place/s);
  });
});

describe("a wish that cannot be granted is refused with its own code:", () => {
  test.each([
    ["swap", { state: "missing" }, "database-not-found"],
    ["swap", { owns: false }, "rights-missing-to-restore"],
    ["new", { createDatabase: false }, "rights-missing-to-restore"],
    ["empty", {}, "target-occupied"],
    ["empty", { state: "empty", mayCreateInside: false }, "rights-missing-to-restore"],
    ["in-place", { state: "missing" }, "database-not-found"],
    ["in-place", { mayCreateInside: false }, "rights-missing-to-restore"],
  ] as const)("%s of %j: %s", (wanted, change, code) => {
    const { into, blockers } = chooseInto(wanted, { ...able, ...change });
    expect(into).toBe(wanted);
    expect(blockers.map((blocker) => blocker.code)).toEqual([code]);
  });
});

test("an empty database that is missing is made, where rights allow", () => {
  const missing: TargetObservation = { ...able, state: "missing" };
  expect(chooseInto("empty", missing)).toEqual({ into: "new", blockers: [] });
  const { blockers } = chooseInto("empty", { ...missing, createDatabase: false });
  expect(blockers.map(({ code }) => code)).toEqual(["rights-missing-to-restore"]);
});

test("a new database beside an occupied one needs no ownership of it", () => {
  expect(chooseInto("new", { ...able, owns: false }).blockers).toEqual([]);
});

describe("the hash of a plan", () => {
  const database: DatabasePlan = {
    url: "postgres://app@db:5432/shop",
    into: "swap",
    target: "shop",
    loadInto: "shop_loading_20251110_020000_3f9c2a",
    retireAs: "shop_before_20251110_020000_3f9c2a",
    serverVersion: "17.10",
    tools: { directory: "/usr/lib/postgresql/17/bin", version: "17.10" },
    jobs: 2,
    createDatabase: true,
    noOwner: false,
    createRoles: false,
    endSessions: true,
    leaveOut: [{ dumpId: 7, what: "event trigger x", why: "only a superuser can create it" }],
    rows: 10,
    bytes: 1000,
    estimatedSeconds: 3,
    breaks: ["2 open sessions are ended."],
  };
  const plan: Omit<RestorePlan, "hash"> = {
    restoreId: "restore-20251110-020000-3f9c2a",
    projectId: "p",
    backupId: "backup-20251110-010000-000000",
    restoreType: "full",
    database,
    blockers: [],
    warnings: [],
    steps: ["Do it."],
  };
  const noHooks = { before: [], after: [] };
  const hashed = planHashInput(plan, noHooks);

  test("does not change with what a request says of transfers", () => {
    const files = {
      url: "s3://doclib",
      mode: "merge",
      include: [],
      add: 1,
      change: 0,
      remove: 0,
      unchanged: 0,
      bytesToWrite: 1,
    } as const;
    const limited = { ...plan, files: { ...files, maxConcurrency: 2, parallelTransfer: false } };
    expect(planHashInput(limited, noHooks)).toBe(planHashInput({ ...plan, files }, noHooks));
  });

  test("does not change with the restore's id, estimates, sentences or sessions of the moment", () => {
    const again = {
      ...plan,
      restoreId: "restore-20251111-020000-aaaaaa",
      warnings: ["Look out."],
      steps: [],
      database: {
        ...database,
        loadInto: "shop_loading_20251111_020000_aaaaaa",
        retireAs: "shop_before_20251111_020000_aaaaaa",
        estimatedSeconds: 99,
        breaks: [],
      },
    };
    expect(planHashInput(again, noHooks)).toBe(hashed);
  });

  test.each([
    ["another backup", { ...plan, backupId: "backup-20251110-010000-000001" }],
    ["another type", { ...plan, restoreType: "database-only" as const }],
    ["another way", { ...plan, database: { ...database, into: "in-place" as const } }],
    ["another target", { ...plan, database: { ...database, target: "shop2" } }],
    ["another server", { ...plan, database: { ...database, url: "postgres://app@other:5432/shop" } }],
    ["something more left out", { ...plan, database: { ...database, leaveOut: [] } }],
    ["owners given up", { ...plan, database: { ...database, noOwner: true } }],
    ["a blocker", { ...plan, blockers: [{ code: "target-occupied" as const, message: "" }] }],
  ])("changes with %s", (_, changed) => {
    expect(planHashInput(changed, noHooks)).not.toBe(hashed);
  });

  test("changes with the hooks that run beside it, and with what one of them does", () => {
    const hook = { name: "rebuild", command: "drush cache:rebuild" };
    const hashes = [
      noHooks,
      { before: [hook], after: [] },
      { before: [], after: [hook] },
      { before: [], after: [{ ...hook, command: "drush sql:drop" }] },
    ].map((hooks) => planHashInput(plan, hooks));
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

test.each([
  [0, "0 bytes"],
  [999, "999 bytes"],
  [1500, "1.5 kB"],
  [2_500_000_000, "2.5 GB"],
  [45_000_000, "45 MB"],
])("%i bytes are shown as %s", (bytes, text) => {
  expect(showBytes(bytes)).toBe(text);
});
