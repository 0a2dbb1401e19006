import { describe, expect, it } from "vitest";
import { advance, type Decision, type Steps } from "./advance.ts";

const failure = { code: "disk-full", message: "No space.", retry: "never" } as const;

/** Steps that follow a script of decisions; the last one is repeated. */
function follow(...script: Decision<string>[]) {
  const acted: string[] = [];
  const ends: string[] = [];
  let step = 0;
  const steps: Steps<number, string> = {
    observe: async () => step,
    decide: (seen) => script[Math.min(seen, script.length - 1)] ?? { type: "complete" },
    act: async (action) => {
      acted.push(action);
      step += 1;
    },
    finish: async (end) => void ends.push(`${end.outcome} ${end.failure?.code ?? ""}`.trim()),
  };
  return { steps, acted, ends };
}
const act = (action: string): Decision<string> => ({ type: "act", action });

describe("advance", () => {
  it("acts until there is nothing to do but wait", async () => {
    const { steps, acted, ends } = follow(act("a"), act("b"), { type: "wait", untilMs: 5 });
    expect(await advance(steps)).toEqual({ type: "wait", untilMs: 5 });
    expect(acted).toEqual(["a", "b"]);
    expect(ends).toEqual([]);
  });

  it("records each kind of end", async () => {
    const complete = follow(act("a"), { type: "complete" });
    expect(await advance(complete.steps)).toEqual({ type: "done" });
    expect(complete.ends).toEqual(["Completed"]);
    const failed = follow({ type: "fail", failure });
    expect(await advance(failed.steps)).toEqual({ type: "failed", failure });
    expect(failed.ends).toEqual(["Failed disk-full"]);
    const cancelled = follow({ type: "cancel", failure });
    expect(await advance(cancelled.steps)).toEqual({ type: "failed", failure });
    expect(cancelled.ends).toEqual(["Cancelled disk-full"]);
  });

  it("leaves a new attempt to its caller and records no end", async () => {
    const { steps, ends } = follow({ type: "retry", afterMs: 7, failure });
    expect(await advance(steps)).toEqual({ type: "retry", afterMs: 7, failure });
    expect(ends).toEqual([]);
  });

  it("fails instead of looping when actions do not satisfy the decision", async () => {
    const { steps, acted, ends } = follow(act("again"));
    expect(await advance(steps, 10)).toMatchObject({ type: "failed", failure: { code: "internal" } });
    expect(acted.length).toBeLessThanOrEqual(11);
    expect(ends).toEqual(["Failed internal"]);
  });
});
