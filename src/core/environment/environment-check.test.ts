import { describe, expect, it } from "vitest";
import { missing, ok, policyStatement, splitRemedy, usualPurposes } from "./environment-check.ts";

describe("the check of an environment", () => {
  it("is about backups of production, and about restores into the others", () => {
    expect(usualPurposes("production")).toEqual(["backup"]);
    expect(usualPurposes("staging")).toEqual(["restore"]);
  });

  it("tells the statements of a failure from its sentences", () => {
    expect(splitRemedy("It misses this. Run:\n  GRANT a TO b;\n  GRANT c TO d;\nOr that.")).toEqual({
      message: "It misses this. Run: Or that.",
      remedy: ["GRANT a TO b;", "GRANT c TO d;"],
    });
  });

  it("gives a remedy only where there is one", () => {
    expect(ok("a", "b")).toEqual({ subject: "a", right: "b", result: "ok" });
    expect(missing("a", "b", "c")).toEqual({ subject: "a", right: "b", result: "missing", message: "c" });
    expect(missing("a", "b", "c", ["d"]).remedy).toEqual(["d"]);
  });

  it("writes a policy for the bucket or for what lies below the prefix", () => {
    const place = { bucket: "media", prefix: "site/" };
    expect(JSON.parse(policyStatement(place, ["s3:ListBucket"], "bucket"))).toEqual({
      Effect: "Allow",
      Action: ["s3:ListBucket"],
      Resource: "arn:aws:s3:::media",
    });
    expect(policyStatement(place, ["s3:GetObject"], "objects")).toContain("arn:aws:s3:::media/site/*");
  });
});
