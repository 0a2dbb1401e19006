import { describe, expect, it } from "vitest";
import type { RestoreWish } from "../restore/restore.ts";
import { toEnvironment } from "./environment.ts";
import { resolveRestore, validateRestoreWish } from "./resolve-restore.ts";

const staging = toEnvironment({
  projectId: "retail",
  name: "staging",
  databases: [{ url: "postgres://lc2@db/lportal", password: "env:DB" }],
  storages: [{ url: "s3://media", credentials: { accessKeyId: "env:A", secretAccessKey: "env:B" } }],
});
const wish = (change: Partial<RestoreWish> = {}): RestoreWish => ({
  projectId: "retail",
  backupId: "backup-20260101-000000-abcdef",
  restoreType: "full",
  targetEnvironment: "staging",
  include: [],
  tables: [],
  ...change,
});

describe("a restore into an environment", () => {
  it("goes to the places that it has, reached as it says", () => {
    const { spec, problems } = resolveRestore(wish({ database: { into: "new" } }), staging);
    expect(problems).toEqual([]);
    expect(spec).toEqual({
      ...wish(),
      database: { url: "postgres://lc2@db/lportal", password: "env:DB", into: "new" },
      storage: {
        url: "s3://media",
        credentials: { accessKeyId: "env:A", secretAccessKey: "env:B" },
        mode: "merge",
      },
    });
  });

  it("touches only what the backup and the type of restore have something for", () => {
    const placesOf = (...args: Parameters<typeof resolveRestore>) => {
      const { spec, problems } = resolveRestore(...args);
      expect(problems).toEqual([]);
      return [spec.database !== undefined, spec.storage !== undefined];
    };
    expect(placesOf(wish(), staging, { database: true, files: false })).toEqual([true, false]);
    expect(placesOf(wish({ restoreType: "database-only" }), staging)).toEqual([true, false]);
    expect(placesOf(wish({ restoreType: "storage-only" }), staging)).toEqual([false, true]);
    expect(placesOf(wish({ restoreType: "selective", include: ["a"] }), staging)).toEqual([false, true]);
    expect(placesOf(wish({ restoreType: "selective", tables: ["a.b"] }), staging)).toEqual([true, false]);
    const said = { database: { instance: "main" }, storage: { instance: "main", mode: "mirror" } } as const;
    expect(placesOf(wish(said), staging, { database: true, files: false })).toEqual([true, false]);
    expect(placesOf(wish(said), staging, { database: false, files: true })).toEqual([false, true]);
  });

  it("may not name places of its own, nor choose what is not there", () => {
    const fieldsOf = (change: Partial<RestoreWish>) =>
      resolveRestore(wish(change), staging).problems.map(({ field }) => field);
    expect(fieldsOf({ database: { url: "postgres://x/y" }, storage: { instance: "other" } })).toEqual([
      "database.url",
      "storage.instance",
    ]);
  });
});

describe("a restore that is asked for", () => {
  const fieldsOf = (change: Partial<RestoreWish>) =>
    validateRestoreWish(wish(change)).map(({ field }) => field);
  const { targetEnvironment: _, ...named } = wish({ storage: { url: "file:///x" } });

  it("is told what is wrong before anything is looked up", () => {
    expect(fieldsOf({})).toEqual([]);
    expect(fieldsOf({ projectId: "" })).toEqual([]);
    expect(fieldsOf({ projectId: "NO" })).toEqual(["projectId"]);
    expect(validateRestoreWish({ ...named, projectId: "" })).toEqual([]);
    const { storage: __, ...nowhere } = named;
    expect(validateRestoreWish(nowhere).map(({ field }) => field)).toEqual(["database"]);
    expect(validateRestoreWish({ ...named, database: { into: "new" } }).map(({ field }) => field)).toEqual([
      "database.url",
    ]);
  });

  it("chooses by environment and instant among the latest only, of a project", () => {
    expect(fieldsOf({ environment: "prod", pointInTime: "2025-11-10T10:30:00Z" })).toEqual([
      "environment",
      "pointInTime",
    ]);
    const latest = { backupId: "latest", environment: "prod", pointInTime: "2025-11-10T10:30:00Z" };
    expect(fieldsOf(latest)).toEqual([]);
    expect(fieldsOf({ ...latest, projectId: "", pointInTime: "yesterday" })).toEqual([
      "projectId",
      "pointInTime",
    ]);
  });
});
