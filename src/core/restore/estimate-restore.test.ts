import { describe, expect, it } from "vitest";
import { estimateFromHistory } from "./estimate-restore.ts";
import type { RestorePlan } from "./restore.ts";

const plan: RestorePlan = {
  restoreId: "restore-20260101-000000-abcdef",
  projectId: "shop",
  backupId: "backup-20260101-000000-abcdef",
  restoreType: "storage-only",
  files: {
    url: "file:///srv/files",
    mode: "merge",
    include: [],
    add: 1,
    change: 0,
    remove: 0,
    unchanged: 0,
    bytesToWrite: 100_000_000,
    estimatedSeconds: 7,
  },
  blockers: [],
  warnings: [],
  steps: [],
  hash: "h",
};
const run = (seconds: number) => ({ bytes: 10_000_000, seconds });

describe("estimateFromHistory", () => {
  it("takes the median speed of earlier restores", () => {
    const history = { database: [], files: [run(1), run(500), run(2), run(1), run(2)] };
    expect(estimateFromHistory(plan, history).files?.estimatedSeconds).toBe(20);
  });

  it("keeps the plan's own figure while there is no history that tells anything", () => {
    const tiny = { bytes: 10, seconds: 1 };
    expect(estimateFromHistory(plan, { database: [run(1)], files: [] })).toEqual(plan);
    expect(estimateFromHistory(plan, { database: [], files: [tiny] })).toEqual(plan);
  });
});
