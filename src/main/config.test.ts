import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "./config.ts";

describe("the data directory", () => {
  const env = { HOME: "/home/ada" };
  it.each<[string, { dataDirectory?: string }, Record<string, string>, string]>([
    ["is in the user's data by default", {}, env, "/home/ada/.local/share/lc2"],
    ["follows XDG_DATA_HOME", {}, { ...env, XDG_DATA_HOME: "/data" }, "/data/lc2"],
    ["ignores a relative XDG_DATA_HOME", {}, { ...env, XDG_DATA_HOME: "data" }, "/home/ada/.local/share/lc2"],
    [
      "is LC2_DATA_DIR before that",
      {},
      { ...env, XDG_DATA_HOME: "/data", LC2_DATA_DIR: "/srv/lc2" },
      "/srv/lc2",
    ],
    [
      "is what was asked for before all",
      { dataDirectory: "/tmp/x/" },
      { LC2_DATA_DIR: "/srv/lc2" },
      "/tmp/x",
    ],
    ["is made absolute", { dataDirectory: "x" }, env, join(process.cwd(), "x")],
    ["needs no HOME", {}, {}, join(homedir(), ".local/share/lc2")],
  ])("%s", (_name, options, environment, directory) => {
    expect(readConfig(options, environment).dataDirectory).toBe(directory);
  });

  it("holds catalog, keys and the default repository", () => {
    expect(readConfig({ dataDirectory: "/d" }, env)).toMatchObject({
      catalog: { kind: "sqlite", file: "/d/catalog.db" },
      keysDirectory: "/d/keys",
      defaultRepository: "/d/repository",
    });
  });
});

describe("the catalog", () => {
  const url = "postgres://lc2:secret@db/lc2";

  it("is where DATABASE_URL says, in a schema of its own", () => {
    const place = readConfig({}, { HOME: "/h", DATABASE_URL: url }).catalog;
    expect(place).toMatchObject({ kind: "postgres", url, schema: "lc2" });
    const named = readConfig({}, { DATABASE_URL: url, LC2_CATALOG_SCHEMA: "backups" }).catalog;
    expect(named).toMatchObject({ schema: "backups" });
    expect(readConfig({}, { HOME: "/h", DATABASE_URL: "" }).catalog.kind).toBe("sqlite");
  });

  it("keeps its password from the workers", () => {
    const { env } = readConfig({}, { DATABASE_URL: url, PGPASSWORD: "of the source" });
    expect(env).toEqual({ PGPASSWORD: "of the source" });
  });
});

describe("what may run at once", () => {
  it.each([
    [{}, { backups: 10, restores: 5 }],
    [
      { LC2_MAX_BACKUPS: "1", LC2_MAX_RESTORES: "2", LC2_MAX_PER_PROJECT: "3" },
      { backups: 1, restores: 2, perProject: 3 },
    ],
    [
      { LC2_MAX_BACKUPS: "0", LC2_MAX_RESTORES: "many", LC2_MAX_PER_PROJECT: "" },
      { backups: 10, restores: 5 },
    ],
  ])("of %j is %j", (env, limits) => {
    expect(readConfig({}, env).limits).toEqual(limits);
  });
});

describe("what calls may do at once", () => {
  it.each([
    [{}, { calls: 8, callWaitSeconds: 20 }],
    [
      { LC2_MAX_CALLS: "2", LC2_CALL_WAIT_SECONDS: "1" },
      { calls: 2, callWaitSeconds: 1 },
    ],
    [
      { LC2_MAX_CALLS: "0", LC2_CALL_WAIT_SECONDS: "long" },
      { calls: 8, callWaitSeconds: 20 },
    ],
  ])("of %j is %j", (env, limits) => {
    expect(readConfig({}, env).callLimits).toEqual(limits);
  });
});

describe("the lease", () => {
  it.each([
    [undefined, 30],
    ["5", 5],
    ["0", 30],
    ["soon", 30],
    ["99999", 30],
  ])("of LC2_LEASE_SECONDS=%s is %i s", (given, seconds) => {
    const env = given === undefined ? {} : { LC2_LEASE_SECONDS: given };
    expect(readConfig({}, env).leaseSeconds).toBe(seconds);
  });
});

describe("the server", () => {
  const serverOf = (env: Record<string, string>) =>
    readConfig({ dataDirectory: "/d" }, { HOME: "/no/home", ...env }).server;

  it("is none unless LC2_SERVER names one", () => {
    expect(serverOf({})).toBeUndefined();
    expect(serverOf({ LC2_SERVER: "", LC2_API_KEY: "lc2_x" })).toBeUndefined();
  });

  it("is called with the key that is given, or that a file holds", () => {
    const url = "https://backup.example.com";
    expect(serverOf({ LC2_SERVER: url, LC2_API_KEY: "lc2_x" })).toEqual({ url, apiKey: "lc2_x" });
    expect(serverOf({ LC2_SERVER: url, LC2_API_KEY_FILE: "/run/key" })).toEqual({ url, keyFile: "/run/key" });
  });

  it("gets this machine's admin key by itself only where it is on this machine", () => {
    for (const url of ["http://127.0.0.1:8080", "https://localhost", "http://[::1]:8080/"]) {
      expect(serverOf({ LC2_SERVER: url })).toEqual({ url, keyFile: "/d/admin.key" });
    }
    for (const url of [
      "https://backup.example.com",
      "http://127.0.0.1.example.com",
      "http://localhost@evil",
    ]) {
      expect(serverOf({ LC2_SERVER: url })).toEqual({ url });
    }
  });

  it("has a key that workers never see", () => {
    expect(readConfig({}, { LC2_API_KEY: "lc2_x", PATH: "/bin" }).env).toEqual({ PATH: "/bin" });
  });
});
