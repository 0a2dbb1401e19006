import { describe, expect, it } from "vitest";
import type { HookSpec } from "./hook.ts";
import { emptyPolicy } from "./hook-policy.ts";
import { kindOf } from "./hook.ts";
import { hooksNotAllowed, validateHooks, type HooksPlace } from "./validate-hooks.ts";

const backup: HooksPlace = { of: "backup", hasDatabase: true };
const restore: HooksPlace = { of: "restore", hasDatabase: false };
const fieldsOf = (hook: HookSpec, moment: "before" | "after" = "before", place = backup): string[] =>
  validateHooks({ before: [], after: [], [moment]: [hook] }, place).map(({ field }) => field);

describe("validateHooks", () => {
  it("has nothing against the hooks of the requirements", () => {
    const hook: HookSpec = {
      name: "export-drupal-config",
      command: "drush config:export --destination=/tmp/config-export\n",
      storeArtifact: true,
      artifactPath: "/tmp/config-export",
      timeout: 300,
      undo: {
        http: { url: "https://cms.example/off", headers: { Authorization: "env:T" }, expectedStatus: [204] },
      },
      maximumHold: 60,
    };
    expect(fieldsOf(hook)).toEqual([]);
    expect(
      fieldsOf({ name: "a", sql: "select 1", onError: "fail" }, "after", { ...restore, hasDatabase: true }),
    ).toEqual([]);
    expect([kindOf(hook), kindOf(hook.undo ?? {}), kindOf({ sql: "select 1" })]).toEqual([
      "command",
      "http",
      "sql",
    ]);
  });

  it.each<[string, HookSpec, string[]]>([
    ["a name that is none", { name: "A b", sql: "select 1" }, ["name"]],
    ["nothing to do", { name: "a" }, [""]],
    ["two things to do", { name: "a", sql: "select 1", command: "x" }, [""]],
    ["a shell's command", { name: "a", command: "a | b" }, ["command"]],
    ["empty SQL", { name: "a", sql: " " }, ["sql"]],
    ["a time-out of nothing", { name: "a", sql: "x", timeout: 0 }, ["timeout"]],
    ["too many tries", { name: "a", sql: "x", retries: 11 }, ["retries"]],
    ["an artifact from nowhere", { name: "a", sql: "x", storeArtifact: true }, ["artifactPath"]],
    ["an artifact's relative path", { name: "a", sql: "x", artifactPath: "x" }, ["artifactPath"]],
    ["an outcome before there is one", { name: "a", sql: "x", runOn: "always" }, ["runOn"]],
    ["a limit of what is not held", { name: "a", sql: "x", maximumHold: 5 }, ["maximumHold"]],
    ["an undo that does nothing", { name: "a", sql: "x", undo: {} }, ["undo"]],
    ["a URL that is none", { name: "a", http: { url: "cms.example" } }, ["http.url"]],
    [
      "a header that is none",
      { name: "a", http: { url: "http://x", headers: { "a b": "c" } } },
      ["http.headers"],
    ],
    [
      "a secret itself",
      { name: "a", http: { url: "http://x", headers: { authorization: "Bearer x" } } },
      ["http.headers"],
    ],
    [
      "a status that is none",
      { name: "a", http: { url: "http://x", expectedStatus: [42] } },
      ["http.expectedStatus"],
    ],
  ])("refuses %s", (_what, hook, fields) => {
    expect(fieldsOf(hook)).toEqual(
      fields.map((field) => `preBackupHooks.0${field === "" ? "" : "."}${field}`),
    );
  });

  it("refuses what makes no sense afterwards, or at a restore, or without a database", () => {
    const hook: HookSpec = {
      name: "a",
      sql: "x",
      onError: "fail",
      storeArtifact: true,
      artifactPath: "/x",
      undo: { sql: "y" },
    };
    expect(fieldsOf(hook, "after")).toEqual([
      "postBackupHooks.0.storeArtifact",
      "postBackupHooks.0.onError",
      "postBackupHooks.0.undo",
    ]);
    expect(fieldsOf({ name: "a", sql: "x", artifactPath: "/x" }, "before", restore)).toEqual([
      "preRestoreHooks.0.sql",
      "preRestoreHooks.0.storeArtifact",
    ]);
  });

  it("refuses credentials in a URL by their own code", () => {
    const hook = { name: "a", http: { url: "https://u:p@cms.example/" } };
    expect(validateHooks({ before: [hook], after: [] }, backup)).toMatchObject([
      { code: "password-on-command-line" },
    ]);
  });

  it("refuses two of one name, and too many", () => {
    const many = Array.from({ length: 51 }, () => ({ name: "a", sql: "x" }));
    const problems = validateHooks({ before: many, after: [] }, backup);
    expect(problems.map(({ message }) => message)).toEqual([
      "A request has at most 50 hooks.",
      "Two hooks have the same name; those of the environment count, too.",
    ]);
  });
});

describe("hooksNotAllowed", () => {
  it("names what an installation does not allow by its place in the request", () => {
    const hooks = { before: [{ name: "a", command: "x" }], after: [{ name: "b", sql: "y" }] };
    expect(hooksNotAllowed(hooks, "restore", emptyPolicy).map(({ field }) => field)).toEqual([
      "preRestoreHooks.0.command",
      "postRestoreHooks.0.sql",
    ]);
  });
});
