import type { Static } from "typebox";
import { describe, expect, expectTypeOf, it } from "vitest";
import type { EnvironmentView } from "../environments.ts";
import type { ProjectView } from "../projects.ts";
import type { BackupView, RestoreView } from "../service.ts";
import type { DeleteBackupResult, VerifyBackupResult } from "../worker-task.ts";
import { backup, type backupRequest, type deletion, toBackupWish, type verification } from "./backups.ts";
import type { environment } from "./environments.ts";
import type { RestorePoint } from "../restore-points.ts";
import type { restorePoint } from "./restore-points.ts";
import type { project } from "./projects.ts";
import { type planRequest, type restore, toRestoreWish } from "./restores.ts";

/** What JSON knows: it has no members that may only be read. */
type Wire<T> = T extends (infer Item)[] | readonly (infer Item)[]
  ? Wire<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Wire<T[Key]> }
    : T;

describe("the shapes of answers", () => {
  it("are those of the service, to the last member", () => {
    expectTypeOf<Wire<Static<typeof backup>>>().toEqualTypeOf<Wire<BackupView>>();
    expectTypeOf<Wire<Static<typeof restore>>>().toEqualTypeOf<Wire<RestoreView>>();
    expectTypeOf<Wire<Static<typeof deletion>>>().toEqualTypeOf<Wire<DeleteBackupResult>>();
    expectTypeOf<Wire<Static<typeof verification>>>().toEqualTypeOf<Wire<VerifyBackupResult>>();
    expectTypeOf<Wire<Static<typeof restorePoint>>>().toEqualTypeOf<Wire<RestorePoint>>();
    expectTypeOf<Wire<Static<typeof project>>>().toEqualTypeOf<Wire<ProjectView>>();
    expectTypeOf<Wire<Static<typeof environment>>>().toEqualTypeOf<Wire<EnvironmentView>>();
    expect(Object.keys(backup.properties)).toContain("components");
  });
});

describe("a request", () => {
  it("for a backup is a wish of the project that the path names", () => {
    const wish: Static<typeof backupRequest> = {
      environment: "prod",
      database: { instance: "main" },
      repository: "file:///x",
      maxRateBytesPerSecond: 5,
    };
    expect(toBackupWish("retail", wish)).toEqual({
      projectId: "retail",
      provider: "local",
      environment: "prod",
      database: { instance: "main" },
    });
  });

  it("for a restore is for all, merged, where nothing is said", () => {
    const wish: Static<typeof planRequest> = { backupId: "b", storage: { url: "file:///x" } };
    expect(toRestoreWish("retail", wish)).toEqual({
      projectId: "retail",
      backupId: "b",
      restoreType: "full",
      storage: { url: "file:///x" },
      include: [],
      tables: [],
    });
    const selective = toRestoreWish("retail", {
      backupId: "b",
      restoreType: "selective",
      database: { url: "postgres://a@b/c" },
      tables: ["public.page"],
      dropAfterSeconds: 60,
    });
    expect(selective).toMatchObject({ tables: ["public.page"], dropAfterSeconds: 60 });
  });
});
