import { describe, expect, it } from "vitest";
import { toProject, type ProjectWish } from "./project.ts";
import { validateProject } from "./validate-project.ts";

const fieldsOf = (wish: Omit<ProjectWish, "projectId">) =>
  validateProject(toProject({ projectId: "retail", ...wish })).map(({ field }) => field);

describe("a project that is asked for", () => {
  it("needs no more than an id, and its days are UTC's", () => {
    expect(toProject({ projectId: "retail" })).toEqual({ projectId: "retail", timeZone: "UTC" });
    expect(fieldsOf({})).toEqual([]);
  });

  it("may say all there is to say", () => {
    const retention = { last: 3, withinDays: 2, hourly: 0, daily: 7, weekly: 4, monthly: 12, yearly: 5 };
    expect(
      fieldsOf({
        description: "Shops of the north",
        repository: "s3://backups/retail",
        timeZone: "Europe/Berlin",
        retention,
        maxConcurrentOperations: 2,
      }),
    ).toEqual([]);
  });

  it("is told everything that is wrong with it at once", () => {
    const wish = {
      projectId: "Retail",
      description: "two\nlines",
      repository: "ftp://x",
      timeZone: "Europe/Atlantis",
      retention: { daily: -1, weekly: 1.5, last: 1 },
      maxConcurrentOperations: 0,
    };
    expect(fieldsOf(wish).toSorted()).toEqual([
      "description",
      "maxConcurrentOperations",
      "projectId",
      "repository",
      "retention.daily",
      "retention.weekly",
      "timeZone",
    ]);
  });

  it("may not have a retention that keeps nothing", () => {
    expect(fieldsOf({ retention: {} })).toEqual(["retention"]);
    expect(fieldsOf({ retention: { last: 0, daily: 0 } })).toEqual(["retention"]);
  });
});
