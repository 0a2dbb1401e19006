import { describe, expect, it } from "vitest";
import { toEnvironment } from "../environment/environment.ts";
import type { IndexedBackup } from "../ports/catalog.ts";
import type { BackupMetadata } from "../repository/metadata.ts";
import { describeRestorePoint, isUsableAt } from "./restore-points.ts";

const backup = (change: Partial<IndexedBackup> = {}): IndexedBackup => ({
  backupId: "backup-20260101-000000-abcdef",
  projectId: "retail",
  application: "liferay",
  environment: "prod",
  repository: "file:///srv/backups",
  createdAtMs: Date.parse("2026-01-01T00:00:00Z"),
  outcome: "Completed",
  ...change,
});
const sealed = (components: object): BackupMetadata => ({ components }) as BackupMetadata;
const database = { recoveryPoint: { at: "2026-01-01T00:00:05.000Z" } };
const files = { listingStartedAt: "2026-01-01T00:00:07.000Z" };
const target = (change: object = {}) =>
  toEnvironment({ projectId: "retail", name: "staging", databases: [{ url: "postgres://db/a" }], ...change });

describe("a restore point", () => {
  it("is the instant of the database, else the beginning of the list of files", () => {
    const verifiedAtMs = Date.parse("2026-01-02T00:00:00Z");
    expect(describeRestorePoint(backup({ verifiedAtMs }), sealed({ database, files }))).toEqual({
      backupId: "backup-20260101-000000-abcdef",
      environment: "prod",
      at: "2026-01-01T00:00:05.000Z",
      database: true,
      files: true,
      verifiedAt: "2026-01-02T00:00:00.000Z",
      usable: true,
    });
    const { environment: _, ...ofNone } = backup();
    expect(describeRestorePoint(ofNone, sealed({ files }))).toMatchObject({ at: files.listingStartedAt });
  });

  it("is no backup that failed or was cancelled", () => {
    expect(describeRestorePoint(backup({ outcome: "Failed" }), undefined)).toBeUndefined();
    expect(describeRestorePoint(backup({ outcome: "Cancelled" }), undefined)).toBeUndefined();
  });

  it("is unusable while it is made, or while nobody here knows what it holds", () => {
    const { outcome: _, ...open } = backup();
    expect(describeRestorePoint(open, undefined)).toMatchObject({
      usable: false,
      reason: "It is still being made.",
      at: "2026-01-01T00:00:00.000Z",
    });
    expect(describeRestorePoint(backup(), undefined)?.reason).toContain("repository scan");
  });

  it("is unusable for a target that does not take it", () => {
    const reasonFor = (change: object, components: object = { database }) =>
      describeRestorePoint(backup(), sealed(components), target(change))?.reason;
    expect(reasonFor({})).toBeUndefined();
    expect(reasonFor({ allowedSources: ["qa"] })).toContain("of qa only");
    expect(reasonFor({ application: "drupal" })).toContain("runs drupal");
    expect(reasonFor({ application: "liferay" })).toBeUndefined();
    expect(reasonFor({}, { files })).toContain("no place for what it holds");
    expect(reasonFor({ storages: [{ url: "file:///x" }] }, { files })).toBeUndefined();
  });

  it("is chosen when it is usable and not later than the instant", () => {
    const point = describeRestorePoint(backup(), sealed({ database }));
    if (point === undefined) throw new Error("it is one");
    expect(isUsableAt(point, undefined)).toBe(true);
    expect(isUsableAt(point, Date.parse(point.at))).toBe(true);
    expect(isUsableAt(point, Date.parse(point.at) - 1)).toBe(false);
    expect(isUsableAt({ ...point, usable: false }, undefined)).toBe(false);
  });
});
