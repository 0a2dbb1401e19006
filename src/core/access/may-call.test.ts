import { describe, expect, it } from "vitest";
import { mayCall } from "./may-call.ts";
import { validateApiKey, validateOverlap } from "./validate-api-key.ts";

describe("a caller", () => {
  it.each([
    ["viewer", undefined, "look", "retail", "yes"],
    ["viewer", undefined, "operate", "retail", "no"],
    ["operator", undefined, "operate", "retail", "yes"],
    ["operator", undefined, "administer", "retail", "no"],
    ["admin", undefined, "administer", "retail", "yes"],
    ["admin", undefined, "look", undefined, "yes"],
    ["admin", ["retail"], "administer", "retail", "yes"],
    ["admin", ["retail"], "look", "shop", "hidden"],
    ["admin", ["retail", "shop"], "look", undefined, "hidden"],
    ["viewer", ["retail"], "operate", "shop", "hidden"],
    ["of an unknown role", undefined, "look", "retail", "no"],
  ] as const)("%s of %j may %s in %s: %s", (role, projects, permission, projectId, answer) => {
    const caller = { role, ...(projects === undefined ? {} : { projects }) };
    expect(mayCall(caller, permission, projectId)).toBe(answer);
  });
});

describe("an API key that is asked for", () => {
  const fieldsOf = (wish: Parameters<typeof validateApiKey>[0]) =>
    validateApiKey(wish).map(({ field }) => field);

  it("may be for all projects and for ever", () => {
    expect(validateApiKey({ name: "Nightly run 2", role: "operator" })).toEqual([]);
    expect(validateApiKey({ name: "ä@b.c", role: "admin", projects: ["a"], expiresInSeconds: 60 })).toEqual(
      [],
    );
  });

  it("is told everything that is wrong with it at once", () => {
    const wish = { name: " ", role: "root", projects: ["A", "ok", "b_"], expiresInSeconds: 0 };
    expect(fieldsOf(wish)).toEqual(["name", "role", "projectId", "projectId", "expiresInSeconds"]);
    expect(fieldsOf({ name: "a\nb", role: "admin", projects: [] })).toEqual(["name", "projects"]);
  });

  it.each([Number.NaN, 0.5, 1.5, 1e300])(
    "is not valid for %d seconds, nor beside the next one",
    (seconds) => {
      expect(fieldsOf({ name: "a", role: "admin", expiresInSeconds: seconds })).toEqual(["expiresInSeconds"]);
      expect(validateOverlap(seconds).map(({ field }) => field)).toEqual(["overlapSeconds"]);
    },
  );

  it("may end at once when the next one is made", () => {
    expect(validateOverlap(0)).toEqual([]);
  });
});
