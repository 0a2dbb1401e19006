import { describe, expect, it } from "vitest";
import { toEnvironment, type EnvironmentWish } from "./environment.ts";
import { validateEnvironment } from "./validate-environment.ts";

const problemsOf = (wish: Partial<EnvironmentWish>) =>
  validateEnvironment(
    toEnvironment({
      projectId: "retail",
      name: "prod",
      databases: [{ url: "postgres://lc2@db/lportal" }],
      ...wish,
    }),
  );
const fieldsOf = (wish: Partial<EnvironmentWish>) => problemsOf(wish).map(({ field }) => field);

describe("an environment that is asked for", () => {
  it("is a development one, unprotected, and its one database is the main one", () => {
    const wish = { projectId: "retail", name: "dev", databases: [{ url: "postgres://db/a" }] };
    expect(toEnvironment(wish)).toEqual({
      projectId: "retail",
      name: "dev",
      role: "development",
      protected: false,
      databases: [{ name: "main", url: "postgres://db/a" }],
      storages: [],
    });
  });

  it("is protected when it is production, unless it says otherwise", () => {
    const wish = { projectId: "retail", name: "prod", role: "production" } as const;
    expect(toEnvironment(wish).protected).toBe(true);
    expect(toEnvironment({ ...wish, protected: false }).protected).toBe(false);
  });

  it("may say all there is to say", () => {
    expect(
      problemsOf({
        description: "The shop",
        role: "staging",
        region: "eu-central-1",
        application: "liferay",
        databases: [
          { url: "postgres://lc2@db/a", password: "env:RETAIL_DB", tools: "17" },
          { name: "reports", url: "postgres://lc2@db/b", password: "file:///run/secrets/db" },
        ],
        storages: [
          { url: "file:///srv/dl" },
          {
            name: "media",
            url: "s3://media",
            credentials: { accessKeyId: "env:KEY_ID", secretAccessKey: "file:/run/secrets/key" },
          },
        ],
        allowedSources: ["prod", "staging"],
      }),
    ).toEqual([]);
  });

  it("is told everything that is wrong with it at once", () => {
    expect(
      fieldsOf({
        name: "Prod!",
        description: "x".repeat(501),
        role: "live" as "production",
        region: "",
        application: "wordpress" as "liferay",
        databases: [
          { url: "mysql://db", tools: "seventeen", name: "A" },
          { url: "postgres://lc2@db/a", password: "hunter2" },
        ],
        storages: [{ url: "/srv" }, { url: "file:///srv" }],
        allowedSources: ["PROD", "shop/prod"],
      }),
    ).toEqual([
      "name",
      "description",
      "role",
      "region",
      "application",
      "databases.0.name",
      "databases.0.url",
      "databases.0.tools",
      "databases.1.password",
      "storages.0.url",
      "storages",
      "allowedSources",
      "allowedSources",
    ]);
  });

  it("must have something to back up or to restore into", () => {
    expect(fieldsOf({ databases: [] })).toEqual(["databases"]);
  });

  it("may not give credentials to a folder, nor beside a profile", () => {
    const credentials = { accessKeyId: "env:A", secretAccessKey: "env:B" };
    expect(fieldsOf({ storages: [{ url: "file:///srv", credentials }] })).toEqual(["storages.0.credentials"]);
    expect(fieldsOf({ storages: [{ url: "s3://media?profile=prod", credentials }] })).toEqual([
      "storages.0.credentials",
    ]);
  });
});

describe("a reference to a secret", () => {
  const check = (password: string) => problemsOf({ databases: [{ url: "postgres://db/a", password }] });

  it.each(["env:A", "env:RETAIL_DB_2", "file:/run/secrets/db", "file:///run/secrets/db"])(
    "may be %s",
    (good) => {
      expect(check(good)).toEqual([]);
    },
  );

  it.each([
    "env:",
    "env:2A",
    "env:A B",
    "file:relative",
    "file:",
    "file://host/x",
    "hunter2",
    "",
    "https://x",
  ])("may not be %j, which is not repeated", (wrong) => {
    const [problem] = check(wrong);
    expect(problem).toMatchObject({ code: "request-invalid", field: "databases.0.password" });
    expect(wrong.length > 5 && problem?.message.includes(wrong)).toBe(false);
  });

  it("of a kind that is not there yet is refused by name", () => {
    expect(check("vault:secret/db#password")).toEqual([
      {
        code: "not-available",
        field: "databases.0.password",
        message: "This version reads no vault: references; use env:NAME or file:/path.",
      },
    ]);
  });
});
