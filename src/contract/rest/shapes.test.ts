import type { Static } from "typebox";
import { describe, expect, expectTypeOf, it } from "vitest";
import type { EnvironmentView } from "../environments.ts";
import type { ProjectView } from "../projects.ts";
import type { ApiKeyView, NewApiKey } from "../access.ts";
import type { RotateKeyResult } from "../keys.ts";
import type { Repositories } from "../repositories.ts";
import type { CopyView } from "../copies.ts";
import type { BackupView, RestoreView } from "../service.ts";
import type { DeleteBackupResult, VerifyBackupResult } from "../worker-task.ts";
import { backup, type backupRequest, type deletion, toBackupWish, type verification } from "./backups.ts";
import type { EnvironmentCheck } from "../../core/environment/environment-check.ts";
import type { environment, environmentCheck } from "./environments.ts";
import type { RestorePoint } from "../restore-points.ts";
import type { restorePoint } from "./restore-points.ts";
import type { project } from "./projects.ts";
import type { apiKey, newApiKey } from "./api-keys.ts";
import type { copy } from "./contents.ts";
import type { keyRotation } from "./keys.ts";
import type {
  copyTarget,
  repositoryCheck,
  repositoryProbe,
  repositoryScan,
  repositorySweep,
} from "./repositories.ts";
import { type planRequest, type restore, toRestoreWish } from "./restores.ts";

/** What JSON knows: it has no members that may only be read. */
type Wire<T> = T extends (infer Item)[] | readonly (infer Item)[]
  ? Wire<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Wire<T[Key]> }
    : T;

/** Flattened: what a verb found and where is an intersection. */
type Found<Verb extends keyof Repositories> = Wire<
  Awaited<ReturnType<Repositories[Verb]>> extends infer All ? { [Key in keyof All]: All[Key] } : never
>;

describe("the shapes of answers", () => {
  it("are those of the service, to the last member", () => {
    expectTypeOf<Wire<Static<typeof backup>>>().toEqualTypeOf<Wire<BackupView>>();
    expectTypeOf<Wire<Static<typeof restore>>>().toEqualTypeOf<Wire<RestoreView>>();
    expectTypeOf<Wire<Static<typeof deletion>>>().toEqualTypeOf<Wire<DeleteBackupResult>>();
    expectTypeOf<Wire<Static<typeof verification>>>().toEqualTypeOf<Wire<VerifyBackupResult>>();
    expectTypeOf<Wire<Static<typeof restorePoint>>>().toEqualTypeOf<Wire<RestorePoint>>();
    expectTypeOf<Wire<Static<typeof project>>>().toEqualTypeOf<Wire<ProjectView>>();
    expectTypeOf<Wire<Static<typeof environmentCheck>>>().toEqualTypeOf<Wire<EnvironmentCheck>>();
    expectTypeOf<Wire<Static<typeof environment>>>().toEqualTypeOf<Wire<EnvironmentView>>();
    expectTypeOf<Wire<Static<typeof copy>>>().toEqualTypeOf<Wire<CopyView>>();
    expectTypeOf<Wire<Static<typeof apiKey>>>().toEqualTypeOf<Wire<ApiKeyView>>();
    expectTypeOf<Wire<Static<typeof newApiKey>>>().toEqualTypeOf<Wire<NewApiKey>>();
    expectTypeOf<Wire<Static<typeof keyRotation>>>().toEqualTypeOf<Wire<RotateKeyResult>>();
    expectTypeOf<Wire<Static<typeof repositoryCheck>>>().toEqualTypeOf<Found<"checkRepository">>();
    expectTypeOf<Wire<Static<typeof repositoryScan>>>().toEqualTypeOf<Found<"scanRepository">>();
    expectTypeOf<Wire<Static<typeof repositorySweep>>>().toEqualTypeOf<Found<"sweepRepository">>();
    expectTypeOf<Wire<Static<typeof repositoryProbe>>>().toEqualTypeOf<Found<"probeRepository">>();
    expectTypeOf<Wire<Static<typeof copyTarget>>>().toEqualTypeOf<Found<"setCopyTarget">>();
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
