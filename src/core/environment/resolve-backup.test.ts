import { describe, expect, it } from "vitest";
import { toEnvironment } from "./environment.ts";
import { resolveBackup } from "./resolve-backup.ts";

const wish = { projectId: "retail", provider: "local" } as const;
const prod = toEnvironment({
  projectId: "retail",
  name: "prod",
  application: "liferay",
  databases: [{ url: "postgres://lc2@db/lportal", password: "env:DB", tools: "17" }],
  storages: [{ url: "s3://media", credentials: { accessKeyId: "env:A", secretAccessKey: "env:B" } }],
});
const two = toEnvironment({
  projectId: "retail",
  name: "two",
  databases: [
    { name: "a", url: "postgres://db/a" },
    { name: "b", url: "postgres://db/b" },
  ],
});
const files = {
  excludeGeneratedFiles: false,
  excludePatterns: [],
  excludePaths: [],
  includePaths: [],
  maxShrink: 0.5,
};
const fieldsOf = (...args: Parameters<typeof resolveBackup>) =>
  resolveBackup(...args).problems.map(({ field }) => field);

describe("a backup of an environment", () => {
  it("is of all that it has, reached as it says", () => {
    expect(resolveBackup({ ...wish, environment: "prod" }, prod)).toEqual({
      problems: [],
      spec: {
        ...wish,
        environment: "prod",
        application: "liferay",
        database: { url: "postgres://lc2@db/lportal", password: "env:DB", tools: "17", excludeTables: [] },
        storage: {
          url: "s3://media",
          credentials: { accessKeyId: "env:A", secretAccessKey: "env:B" },
          ...files,
        },
      },
    });
  });

  it("has its own wishes beside it", () => {
    const { spec } = resolveBackup(
      {
        ...wish,
        environment: "prod",
        application: "drupal",
        database: { tools: "18", excludeTables: ["cache_*"] },
        storage: { maxShrink: 1, excludePatterns: ["*.tmp"] },
      },
      prod,
    );
    expect(spec).toMatchObject({
      application: "drupal",
      database: { url: "postgres://lc2@db/lportal", tools: "18", excludeTables: ["cache_*"] },
      storage: { maxShrink: 1, excludePatterns: ["*.tmp"], excludePaths: [] },
    });
  });

  it("may be of one part only", () => {
    expect(
      resolveBackup({ ...wish, environment: "prod", only: "database" }, prod).spec.storage,
    ).toBeUndefined();
    expect(
      resolveBackup({ ...wish, environment: "prod", only: "storage" }, prod).spec.database,
    ).toBeUndefined();
    expect(fieldsOf({ ...wish, environment: "prod", only: "wal" as "storage" }, prod)).toEqual(["only"]);
  });

  it("must say which, where there are several", () => {
    expect(fieldsOf({ ...wish, environment: "two" }, two)).toEqual(["database.instance"]);
    expect(fieldsOf({ ...wish, environment: "two", database: { instance: "c" } }, two)).toEqual([
      "database.instance",
    ]);
    const { spec } = resolveBackup({ ...wish, environment: "two", database: { instance: "b" } }, two);
    expect(spec).toEqual({
      ...wish,
      environment: "two",
      database: { url: "postgres://db/b", excludeTables: [] },
    });
  });

  it("may not name a place of its own, nor choose what is not there", () => {
    expect(fieldsOf({ ...wish, environment: "two", database: { url: "postgres://x/y" } }, two)).toEqual([
      "database.url",
    ]);
    const none = { ...two, databases: [] };
    expect(fieldsOf({ ...wish, environment: "two", storage: { instance: "a" } }, none)).toEqual([
      "storage.instance",
    ]);
    // What is said of files that are not there says nothing.
    expect(fieldsOf({ ...wish, environment: "two", storage: { rehash: true } }, none)).toEqual([]);
  });
});

describe("a backup of places", () => {
  it("is of these, with the defaults where nothing is said", () => {
    const { spec, problems } = resolveBackup({
      ...wish,
      database: { url: "postgres://a@b/c" },
      storage: { url: "file:///x" },
    });
    expect(problems).toEqual([]);
    expect(spec).toEqual({
      ...wish,
      database: { url: "postgres://a@b/c", excludeTables: [] },
      storage: { url: "file:///x", ...files },
    });
    expect(resolveBackup({ ...wish, application: "drupal" })).toEqual({
      spec: { ...wish, application: "drupal" },
      problems: [],
    });
  });

  it("has no instances to choose from, and must say where", () => {
    expect(fieldsOf({ ...wish, database: { instance: "main" }, storage: { rehash: true } })).toEqual([
      "database.instance",
      "database.url",
      "storage.url",
    ]);
  });
});
