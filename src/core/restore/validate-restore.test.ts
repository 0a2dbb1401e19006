import { describe, expect, it } from "vitest";
import type { RestoreSpec } from "./restore.ts";
import { validateRestore } from "./validate-restore.ts";

const database = { url: "postgres://app@db/shop" };
const storage = { url: "file:///srv/files", mode: "merge" as const };
const spec: RestoreSpec = {
  projectId: "retail",
  backupId: "backup-20260101-000000-abcdef",
  restoreType: "full",
  database,
  storage,
  include: [],
  tables: [],
};
const without = (...names: ("database" | "storage")[]): RestoreSpec => {
  const { database: d, storage: s, ...rest } = spec;
  return {
    ...rest,
    ...(names.includes("database") || d === undefined ? {} : { database: d }),
    ...(names.includes("storage") || s === undefined ? {} : { storage: s }),
  };
};

describe("validateRestore", () => {
  it.each<[string, RestoreSpec]>([
    ["a full restore", spec],
    ["a full restore of what one target can take", without("storage")],
    ["a database alone", { ...without("storage"), restoreType: "database-only" }],
    ["files alone", { ...without("database"), restoreType: "storage-only" }],
    ["chosen files", { ...spec, restoreType: "selective", include: ["images/**"] }],
    ["chosen tables", { ...spec, restoreType: "selective", tables: ["public.article"] }],
    ["a table with dots in its name", { ...spec, restoreType: "selective", tables: ["public.a.b"] }],
    ["a bucket", { ...spec, storage: { ...storage, url: "s3://doclib/site" } }],
    ["a grace before the old database is dropped", { ...spec, dropAfterSeconds: 0 }],
    ["each way in", { ...spec, database: { ...database, into: "in-place", jobs: 8 } }],
  ])("accepts %s", (_name, good) => {
    expect(validateRestore(good)).toEqual([]);
  });

  it.each<[string, RestoreSpec, string]>([
    ["no target", without("database", "storage"), "database"],
    [
      "a database-only restore of files",
      { ...without("database"), restoreType: "database-only" },
      "database",
    ],
    [
      "a storage-only restore of a database",
      { ...without("storage"), restoreType: "storage-only" },
      "storage",
    ],
    ["an unknown type", { ...spec, restoreType: "most" as "full" }, "restoreType"],
    ["a selective restore of nothing", { ...spec, restoreType: "selective" }, "include"],
    ["a choice without the type", { ...spec, include: ["a"] }, "restoreType"],
    [
      "chosen files without a folder",
      { ...without("storage"), restoreType: "selective", include: ["a"] },
      "storage",
    ],
    [
      "chosen tables without a database",
      { ...without("database"), restoreType: "selective", tables: ["a.b"] },
      "database",
    ],
    ["a table without its schema", { ...spec, restoreType: "selective", tables: ["article"] }, "tables"],
    ["an unknown way in", { ...spec, database: { ...database, into: "over" as "new" } }, "database.into"],
    ["no jobs", { ...spec, database: { ...database, jobs: 0 } }, "database.jobs"],
    ["a password in the URL", { ...spec, database: { url: "postgres://a:b@db/shop" } }, "database.url"],
    ["an unknown mode", { ...spec, storage: { ...storage, mode: "copy" as "merge" } }, "storage.mode"],
    ["files elsewhere", { ...spec, storage: { ...storage, url: "gs://bucket" } }, "storage.url"],
    ["a bucket of no name", { ...spec, storage: { ...storage, url: "s3://_" } }, "storage.url"],
    ["no transfers", { ...spec, storage: { ...storage, maxConcurrency: 0.5 } }, "storage.maxConcurrency"],
    ["a grace in the past", { ...spec, dropAfterSeconds: -1 }, "dropAfterSeconds"],
    ["a grace of part of a second", { ...spec, dropAfterSeconds: 0.0001 }, "dropAfterSeconds"],
    ["a grace without end", { ...spec, dropAfterSeconds: 1e300 }, "dropAfterSeconds"],
    ["a project that is none", { ...spec, projectId: "A b" }, "projectId"],
  ])("refuses %s, naming the field", (_name, bad, field) => {
    expect(validateRestore(bad).map((problem) => problem.field)).toEqual([field]);
  });
});
