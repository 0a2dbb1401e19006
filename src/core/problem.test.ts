import { describe, expect, it } from "vitest";
import { InvalidRequest, refuseProblems, when } from "./problem.ts";

describe("everything that is wrong with a request", () => {
  const general = when(true, "cron", "It has no times.");
  const own = [
    { code: "hook-not-allowed", field: "preBackupHooks.0.command", message: "Not here." },
  ] as const;

  it("is one failure that names each problem, of their code where they have one", () => {
    expect(() => refuseProblems([...general, ...own])).toThrowError(
      expect.objectContaining({
        code: "request-invalid",
        message: "It has no times. Not here.",
        problems: [...general, ...own],
      }),
    );
    expect(new InvalidRequest(own).code).toBe("hook-not-allowed");
    expect(new InvalidRequest(own, "In other words.").message).toBe("In other words.");
  });

  it("is nothing where nothing is", () => {
    expect(() => refuseProblems(when(false, "cron", "It has no times."))).not.toThrow();
  });
});
