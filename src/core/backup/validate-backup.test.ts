import { describe, expect, it } from "vitest";
import type { BackupSpec } from "./backup.ts";
import { validateBackup } from "./validate-backup.ts";

const database = { url: "postgres://app@db:5432/lportal?sslmode=require", excludeTables: ["audit_*"] };
const storage = {
  url: "file:///srv/liferay/document_library",
  excludeGeneratedFiles: false,
  excludePatterns: [],
  excludePaths: [],
  includePaths: [],
  maxShrink: 0.5,
};
const spec: BackupSpec = { projectId: "retail", provider: "local", database, storage };

describe("validateBackup", () => {
  it.each<[string, BackupSpec]>([
    ["database and files", spec],
    ["a database alone", { projectId: "retail", provider: "local", database }],
    ["files alone", { projectId: "r", provider: "local", storage }],
    ["an application", { ...spec, application: "liferay" }],
    [
      "a bucket",
      { ...spec, storage: { ...storage, url: "s3://doclib/site?endpoint=http://127.0.0.1:7070" } },
    ],
    ["a number of transfers", { ...spec, storage: { ...storage, maxConcurrency: 256 } }],
    ["a project of 63 characters", { ...spec, projectId: "a".repeat(63) }],
    [
      "a socket folder",
      { ...spec, database: { ...database, url: "postgresql:///shop?host=/var/run/postgresql" } },
    ],
    ["an @ in the user's name", { ...spec, database: { ...database, url: "postgres://me%40corp@db/shop" } }],
    [
      "a colon in the query",
      { ...spec, database: { ...database, url: "postgres://me@db/shop?options=-c%20a:b" } },
    ],
  ])("accepts %s", (_name, good) => {
    expect(validateBackup(good)).toEqual([]);
  });

  const withDatabase = (change: object): BackupSpec => ({ ...spec, database: { ...database, ...change } });
  const withStorage = (change: object): BackupSpec => ({ ...spec, storage: { ...storage, ...change } });
  it.each<[string, BackupSpec, string, string]>([
    ["nothing to back up", { projectId: "retail", provider: "local" }, "nothing-to-back-up", "database"],
    ["capitals in the project", { ...spec, projectId: "Retail" }, "request-invalid", "projectId"],
    ["a path as project", { ...spec, projectId: "../x" }, "request-invalid", "projectId"],
    ["an empty project", { ...spec, projectId: "" }, "request-invalid", "projectId"],
    ["a project that ends in a hyphen", { ...spec, projectId: "retail-" }, "request-invalid", "projectId"],
    ["a project of 64 characters", { ...spec, projectId: "a".repeat(64) }, "request-invalid", "projectId"],
    [
      "an unknown application",
      { ...spec, application: "joomla" as "liferay" },
      "application-unknown",
      "application",
    ],
    ["another provider", { ...spec, provider: "aws" as "local" }, "request-invalid", "provider"],
    ["another kind of database", withDatabase({ url: "mysql://db/x" }), "request-invalid", "database.url"],
    [
      "a password in the URL",
      withDatabase({ url: "postgres://app:secret@db/x" }),
      "password-on-command-line",
      "database.url",
    ],
    [
      "a password in the query",
      withDatabase({ url: "postgres://app@db/x?password=secret" }),
      "password-on-command-line",
      "database.url",
    ],
    ["no streams", withDatabase({ streams: 0 }), "request-invalid", "database.streams"],
    ["half a stream", withDatabase({ streams: 1.5 }), "request-invalid", "database.streams"],
    [
      "a lock timeout of nothing",
      withDatabase({ lockTimeoutMs: 0 }),
      "request-invalid",
      "database.lockTimeoutMs",
    ],
    [
      "an empty table pattern",
      withDatabase({ excludeTables: [""] }),
      "request-invalid",
      "database.excludeTables",
    ],
    ["files elsewhere", withStorage({ url: "gs://bucket" }), "request-invalid", "storage.url"],
    ["a bucket of no name", withStorage({ url: "s3:///x" }), "request-invalid", "storage.url"],
    [
      "credentials in a bucket's URL",
      withStorage({ url: "s3://AKIA:hunter2@doclib" }),
      "password-on-command-line",
      "storage.url",
    ],
    ["no transfer at all", withStorage({ maxConcurrency: 0 }), "request-invalid", "storage.maxConcurrency"],
    ["too many", withStorage({ maxConcurrency: 257 }), "request-invalid", "storage.maxConcurrency"],
    ["files on another host", withStorage({ url: "file://host/x" }), "request-invalid", "storage.url"],
    ["a shrink of more than all", withStorage({ maxShrink: 1.1 }), "request-invalid", "storage.maxShrink"],
    [
      "a shrink that is no number",
      withStorage({ maxShrink: Number.NaN }),
      "request-invalid",
      "storage.maxShrink",
    ],
    [
      "an empty pattern",
      withStorage({ excludePatterns: [" "] }),
      "request-invalid",
      "storage.excludePatterns",
    ],
    ["an empty path", withStorage({ excludePaths: [""] }), "request-invalid", "storage.excludePaths"],
    ["an empty inclusion", withStorage({ includePaths: [""] }), "request-invalid", "storage.includePaths"],
  ])("refuses %s, naming the field", (_name, bad, code, field) => {
    expect(validateBackup(bad)).toMatchObject([{ code, field }]);
  });

  it("names every problem at once, and never a password", () => {
    const bad = { ...withDatabase({ url: "postgres://app:hunter2@db/x", streams: -1 }), projectId: "_" };
    const problems = validateBackup(bad);
    expect(problems.map(({ field }) => field)).toEqual(["projectId", "database.url", "database.streams"]);
    expect(JSON.stringify(problems)).not.toContain("hunter2");
  });
});
