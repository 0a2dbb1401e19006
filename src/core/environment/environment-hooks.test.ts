import { describe, expect, it } from "vitest";
import type { HookPolicy } from "../hooks/hook-policy.ts";
import { toEnvironment, type EnvironmentWish } from "./environment.ts";
import { checkHooks } from "./environment-hooks.ts";
import { resolveBackup } from "./resolve-backup.ts";
import { resolveRestore } from "./resolve-restore.ts";
import { validateEnvironment } from "./validate-environment.ts";

const make = (change: Partial<EnvironmentWish> = {}) =>
  toEnvironment({
    projectId: "retail",
    name: "prod",
    databases: [{ url: "postgres://db/shop" }],
    storages: [{ url: "file:///srv" }],
    preBackupHooks: [
      { name: "freeze", sql: "select freeze()" },
      { name: "quiet", command: "quiet on" },
    ],
    postBackupHooks: [{ name: "tell", command: "tell" }],
    preRestoreHooks: [{ name: "stop", command: "stop" }],
    postRestoreHooks: [
      { name: "start", command: "start" },
      { name: "thaw", command: "quiet off", undo: { sql: "select thaw()" } },
    ],
    ...change,
  });
const namesOf = (hooks: readonly { readonly name: string }[] | undefined) => hooks?.map(({ name }) => name);

describe("hooks of an environment", () => {
  const wish = {
    projectId: "retail",
    provider: "local",
    preBackupHooks: [{ name: "mine", command: "a" }],
    postBackupHooks: [{ name: "my-end", command: "b" }],
  } as const;

  it("are around those of a backup", () => {
    const { spec } = resolveBackup(wish, make());
    expect(namesOf(spec.preBackupHooks)).toEqual(["freeze", "quiet", "mine"]);
    expect(namesOf(spec.postBackupHooks)).toEqual(["my-end", "tell"]);
  });

  it("run no SQL where the database is no part of it, and are not there where no environment is", () => {
    expect(namesOf(resolveBackup({ ...wish, only: "storage" }, make()).spec.preBackupHooks)).toEqual([
      "quiet",
      "mine",
    ]);
    const { preBackupHooks: _, postBackupHooks: _after, ...plain } = wish;
    const { spec } = resolveBackup({ ...plain, storage: { url: "file:///srv" } });
    expect(spec).not.toHaveProperty("preBackupHooks");
    expect(spec).not.toHaveProperty("postBackupHooks");
  });

  it("are around those of a restore into it", () => {
    const restore = { projectId: "retail", backupId: "backup-1", include: [], tables: [] };
    const full = resolveRestore(
      { ...restore, restoreType: "full", postRestoreHooks: [{ name: "mine", command: "a" }] },
      make(),
    ).spec;
    expect(namesOf(full.preRestoreHooks)).toEqual(["stop"]);
    expect(namesOf(full.postRestoreHooks)).toEqual(["mine", "start", "thaw"]);
    const files = resolveRestore({ ...restore, restoreType: "storage-only" }, make()).spec;
    expect(namesOf(files.postRestoreHooks)).toEqual(["start"]);
  });

  it("are checked as those of a request are", () => {
    expect(validateEnvironment(make({ postRestoreHooks: [] }))).toEqual([]);
    expect(validateEnvironment(make())).toMatchObject([{ field: "postRestoreHooks.1.undo" }]);
    expect(
      validateEnvironment(make({ postRestoreHooks: [], databases: [] })).map(({ field }) => field),
    ).toEqual(["preBackupHooks.0.sql"]);
  });

  it("are said to be allowed here, or why they are not", () => {
    const policy: HookPolicy = {
      commands: { quiet: { program: "/bin/quiet", arguments: ["on"] } },
      urls: [],
      statements: [],
      artifacts: [],
      secrets: [],
    };
    expect(checkHooks(make(), "backup", policy)).toMatchObject([
      { subject: "backup hook freeze", result: "missing" },
      { subject: "backup hook quiet", right: "allowed here", result: "ok" },
      {
        subject: "backup hook tell",
        result: "missing",
        message: expect.stringContaining("hooks file") as string,
      },
    ]);
    expect(checkHooks(make(), "restore", policy)).toHaveLength(3);
  });
});
