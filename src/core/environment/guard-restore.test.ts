import { describe, expect, it } from "vitest";
import type { KnownPlaces } from "../admission/found-place.ts";
import { toEnvironment, type EnvironmentWish } from "./environment.ts";
import { environmentsAt, refuseRestore, refuseSource } from "./guard-restore.ts";

const make = (change: Partial<EnvironmentWish> = {}) =>
  toEnvironment({
    projectId: "retail",
    name: "staging",
    databases: [{ url: "postgres://lc2@db:5432/lportal" }],
    storages: [{ url: "s3://media/site" }],
    ...change,
  });
const nothing: KnownPlaces = new Map();
const prod = { projectId: "retail", environment: "prod" };

describe("the environments of a place", () => {
  it("are found whoever connects and however the place is spelled", () => {
    const all = [make(), make({ name: "other", databases: [{ url: "postgres://db/other" }], storages: [] })];
    const namesAt = (named: Parameters<typeof environmentsAt>[1]) =>
      environmentsAt(all, named, nothing).map(({ name }) => name);
    expect(namesAt({ database: { url: "postgres://admin@DB/lportal" } })).toEqual(["staging"]);
    expect(namesAt({ storage: { url: "s3://media/site?profile=x" } })).toEqual(["staging"]);
    expect(namesAt({ database: { url: "postgres://db/none" } })).toEqual([]);
    expect(namesAt({})).toEqual([]);
  });

  it.each([
    ["s3://media", ["bucket"]],
    ["s3://media/site/docs", ["bucket"]],
    ["s3://media/site2", []],
    ["s3://media/sit", []],
    ["s3://media/site?endpoint=http://store:9000", []],
    ["file:///srv", ["folder"]],
    ["file:///", ["folder"]],
    ["file:///srv/./media//deep/%65r/", ["folder"]],
    ["file:///srv/media/x/../deep", ["folder"]],
    ["file:///srv/media/deep/er/est", ["folder"]],
    ["file:///srv/media/deeper", []],
    ["file:///srv/media/other", []],
  ])("are found by what contains %s or lies in it", (url, names) => {
    const all = [
      make({ name: "bucket" }),
      make({ name: "folder", storages: [{ url: "file:///srv/media/deep/" }] }),
    ];
    expect(environmentsAt(all, { storage: { url } }, nothing).map(({ name }) => name)).toEqual(names);
  });
});

describe("the environments of a place that somebody has stood before", () => {
  const all = [make({ storages: [{ url: "file:///srv/media" }] })];
  const namesAt = (named: Parameters<typeof environmentsAt>[1], known: KnownPlaces) =>
    environmentsAt(all, named, known).map(({ name }) => name);

  it("are found by what it is, under an alias of its host or through a link", () => {
    const known = new Map([
      ["postgres://db/lportal", ["postgres-system://7/lportal"]],
      ["postgres://alias/lportal", ["postgres-system://7/lportal"]],
      ["postgres://alias/other", ["postgres-system://7/other"]],
      ["file:///srv/media", ["file:///data/media", "inode://m/1:2"]],
      ["file:///mnt/media", ["file:///mnt/media", "inode://m/1:2"]],
    ]);
    expect(namesAt({ database: { url: "postgres://alias/lportal" } }, known)).toEqual(["staging"]);
    expect(namesAt({ database: { url: "postgres://alias/other" } }, known)).toEqual([]);
    expect(namesAt({ storage: { url: "file:///data/media/docs" } }, known)).toEqual(["staging"]);
    expect(namesAt({ storage: { url: "file:///mnt/media" } }, known)).toEqual(["staging"]);
    expect(namesAt({ storage: { url: "file:///data/other" } }, known)).toEqual([]);
  });
});

describe("an environment that is restored into", () => {
  it("takes the project's backups unless it says whose", () => {
    expect(refuseSource(make(), { projectId: "retail" })).toBeUndefined();
    expect(refuseSource(make({ allowedSources: ["prod"] }), prod)).toBeUndefined();
  });

  it.each([
    [["staging"], prod, "of staging only; this is a backup of prod"],
    [[], prod, "of none"],
    [["prod"], { projectId: "retail" }, "a backup of no environment"],
    [["prod"], { projectId: "shop", environment: "prod" }, "of its own project only"],
    [undefined, { projectId: "shop", environment: "prod" }, "of its own project only"],
    [undefined, { projectId: "shop" }, "of its own project only"],
  ])("that allows %j refuses %j", (allowedSources, source, sentence) => {
    const target = make(allowedSources === undefined ? {} : { allowedSources });
    const refused = refuseSource(target, source);
    expect(refused).toMatchObject({
      code: "source-not-allowed",
      message: expect.stringContaining(sentence) as string,
    });
    expect(refuseRestore([target], source, "hash")).toEqual(refused);
  });

  it("and is protected wants its plan's hash", () => {
    const guarded = make({ protected: true });
    expect(refuseRestore([make(), guarded], prod, "0123456789abcdef")).toBeUndefined();
    expect(refuseRestore([make(), guarded], prod, undefined)).toMatchObject({
      code: "plan-not-approved",
      message: expect.stringContaining("environment staging is protected") as string,
    });
    expect(refuseRestore([make()], prod, undefined)).toBeUndefined();
  });

  it("is not named to those of another project", () => {
    const theirs = make({ protected: true, projectId: "bank", name: "vault", allowedSources: ["safe"] });
    const refused = refuseRestore([theirs], prod, undefined);
    expect(refused?.code).toBe("source-not-allowed");
    expect(refused?.message).not.toMatch(/vault|bank|safe/);
  });
});
