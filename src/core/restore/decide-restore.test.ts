import { describe, expect, it } from "vitest";
import fc from "fast-check";
import type { FailureRecord } from "../failure.ts";
import type { TaskFacts, TaskState } from "../operation/operation.ts";
import { decideRestore, type RestoreAction, type RestoreObservation } from "./decide-restore.ts";
import { decideUndo } from "./decide-undo.ts";
import type { RestoreInto } from "./restore.ts";

const restoreId = "restore-20260101-000000-abcdef";
const running: TaskFacts = { state: "running" };
const done: TaskFacts = { state: "done" };
const lost: TaskFacts = { state: "lost" };
const failed = (code: FailureRecord["code"] = "session-will-not-end"): TaskFacts => ({
  state: "failed",
  failure: { code, message: "It broke.", retry: "never" },
});
const planFor = (into: RestoreInto, files: boolean) => ({ database: { into, target: "shop" }, files });
const observation = (change: Partial<RestoreObservation> = {}): RestoreObservation => ({
  restoreId,
  cancelRequested: false,
  ownerDied: false,
  tasks: {},
  plan: planFor("swap", true),
  approval: "given",
  ...change,
});
const start = (task: string) => ({ type: "act", action: { do: "start", task } });

describe("decideRestore", () => {
  const loaded = { plan: done, database: done };
  const ready = { ...loaded, files: done };
  it.each<[string, Partial<RestoreObservation>, object]>([
    ["plans first", { approval: "pending" }, start("plan")],
    [
      "asks before it changes anything",
      { approval: "pending", tasks: { plan: done } },
      { type: "act", action: { do: "ask-approval" } },
    ],
    ["loads the database beside the old one", { tasks: { plan: done } }, start("database")],
    ["then replaces files", { tasks: loaded }, start("files")],
    ["swaps last", { tasks: ready }, start("swap")],
    ["is complete when swapped", { tasks: { ...ready, swap: done }, swapped: true }, { type: "complete" }],
    [
      "does not stop a swap that runs",
      { cancelRequested: true, tasks: { ...ready, swap: running } },
      { type: "wait" },
    ],
    ["needs no swap in place", { plan: planFor("in-place", true), tasks: ready }, { type: "complete" }],
    [
      "is complete without a database when the files are",
      { plan: { files: true }, tasks: { plan: done, files: done } },
      { type: "complete" },
    ],
    ["looks whether a failed swap was committed", { tasks: { ...ready, swap: failed() } }, start("look")],
    [
      "adopts a swap that was committed",
      { ownerDied: true, tasks: { ...ready, swap: lost, look: done }, swapped: true },
      { type: "complete" },
    ],
    [
      "puts files back when the swap did not happen",
      { tasks: { ...ready, swap: failed(), look: done }, swapped: false },
      start("undo-files"),
    ],
    [
      "then discards what was loaded",
      { tasks: { ...ready, swap: failed(), look: done, "undo-files": done }, swapped: false },
      start("discard"),
    ],
    [
      "discards what a dead process loaded",
      { ownerDied: true, tasks: { plan: done, database: lost } },
      start("discard"),
    ],
    [
      "stops what runs when cancelled",
      { cancelRequested: true, tasks: { plan: done, database: running } },
      { type: "act", action: { do: "stop" } },
    ],
  ])("%s", (_name, change, decision) => {
    expect(decideRestore(observation(change))).toEqual(decision);
  });

  it("refuses a plan that was not approved, having changed nothing", () => {
    const approval: FailureRecord = { code: "plan-not-approved", message: "No.", retry: "never" };
    const decision = decideRestore(observation({ approval, tasks: { plan: done } }));
    expect(decision).toEqual({ type: "fail", failure: approval });
  });

  it("says what was replaced and how to undo it when files failed half-way", () => {
    const tasks = { ...loaded, files: failed("disk-full"), discard: done };
    const decision = decideRestore(observation({ tasks, filesTouched: 12 }));
    expect(decision).toMatchObject({ type: "fail", failure: { code: "disk-full" } });
    const message = decision.type === "fail" ? decision.failure.message : "";
    expect(message).toContain("About 12 files");
    expect(message).toContain(`lc2 restore undo ${restoreId}`);
    expect(message).toContain('The database "shop" is as it was');
  });

  it("puts nothing back while it is not known whether the swap happened", () => {
    const tasks = { ...ready, swap: lost, look: failed("database-unreachable") };
    const decision = decideRestore(observation({ tasks }));
    expect(decision).toMatchObject({ type: "fail", failure: { code: "database-unreachable" } });
  });

  it("does not discard rows that were restored in place", () => {
    const tasks = { ...loaded, files: failed("disk-full") };
    const decision = decideRestore(observation({ plan: planFor("in-place", true), tasks }));
    expect(decision).toMatchObject({ type: "fail" });
    expect(decision.type === "fail" ? decision.failure.message : "").toContain(
      "already been restored in place",
    );
  });
});

describe("decideUndo", () => {
  const undo = (change: object) =>
    decideUndo({
      restoreId,
      cancelRequested: false,
      ownerDied: false,
      wanted: ["undo"],
      tasks: {},
      ...change,
    });

  it("runs the task to its end", () => {
    expect(undo({})).toEqual(start("undo"));
    expect(undo({ tasks: { undo: running } })).toEqual({ type: "wait" });
    expect(undo({ tasks: { undo: done } })).toEqual({ type: "complete" });
  });

  it("clears away first what a failed restore left", () => {
    const wanted = ["discard", "undo"];
    expect(undo({ wanted })).toEqual(start("discard"));
    expect(undo({ wanted, tasks: { discard: done } })).toEqual(start("undo"));
    expect(undo({ wanted, tasks: { discard: failed("database-unreachable") } })).toMatchObject({
      type: "fail",
    });
    expect(undo({ wanted: ["discard"], tasks: { discard: done } })).toEqual({ type: "complete" });
  });

  it("says that it can be run again when it did not get to its end", () => {
    const ended = (code: string, type = "fail") =>
      expect.objectContaining({ type, failure: expect.objectContaining({ code }) });
    expect(undo({ ownerDied: true, tasks: { undo: lost } })).toEqual(ended("interrupted"));
    expect(undo({ cancelRequested: true, tasks: { undo: running } })).toEqual({
      type: "act",
      action: { do: "stop" },
    });
    expect(undo({ cancelRequested: true, tasks: { undo: failed("cancelled") } })).toEqual(
      ended("cancelled", "cancel"),
    );
    expect(undo({ tasks: { undo: lost } })).toEqual(ended("worker-died"));
    expect(undo({ tasks: { undo: failed("disk-full") } })).toEqual(ended("disk-full"));
  });
});

/** A world in which tasks end as chance wants and the owner dies after any step. */
class World {
  readonly effects: string[] = [];
  readonly tasks: Record<string, TaskFacts | undefined> = {};
  approval: "pending" | "given" = "pending";
  reallySwapped = false;
  swapped: boolean | undefined;
  ownerDied = false;
  cancelRequested = false;

  act(action: RestoreAction): void {
    if (action.do === "ask-approval") {
      this.approval = "given";
    } else if (action.do === "stop") {
      for (const [name, task] of Object.entries(this.tasks)) {
        if (task?.state === "running") this.tasks[name] = failed("cancelled");
      }
    } else {
      if (this.tasks[action.task] !== undefined) throw new Error(`${action.task} was started twice`);
      this.tasks[action.task] = running;
      if (!["look", "discard", "undo-files"].includes(action.task)) this.effects.push(action.task);
      if (action.task === "undo-files" || action.task === "discard") expect(this.reallySwapped).toBe(false);
    }
  }

  endTask(name: string, state: Exclude<TaskState, "running">, committed: boolean): void {
    if (name === "swap" && (state === "done" || committed)) this.reallySwapped = true;
    if (name === "swap" && state === "done") this.swapped = true;
    if (name === "look" && state === "done") this.swapped = this.reallySwapped;
    this.tasks[name] = state === "failed" ? failed() : { state };
  }

  die(committed: boolean): void {
    this.ownerDied = true;
    for (const [name, task] of Object.entries(this.tasks)) {
      if (task?.state !== "running") continue;
      if (["look", "discard", "undo-files"].includes(name)) this.tasks[name] = undefined;
      else this.endTask(name, "lost", committed);
    }
  }
}

describe("any sequence of ends, deaths and cancels", () => {
  const chance = fc.record({
    state: fc.constantFrom("done", "done", "done", "done", "failed", "lost" as const),
    committed: fc.boolean(),
    event: fc.constantFrom("none", "none", "none", "none", "die", "cancel" as const),
  });

  it("ends swapped and complete, or failed with the old database live; nothing is done twice", () => {
    fc.assert(
      fc.property(
        fc.constantFrom<RestoreInto | "none">("swap", "new", "empty", "in-place", "none"),
        fc.boolean(),
        fc.array(chance, { minLength: 60, maxLength: 60 }),
        (into, files, chances) => {
          const world = new World();
          const plan = into === "none" ? { files: true } : planFor(into, files);
          const needsSwap = into !== "none" && into !== "in-place";
          for (const luck of chances) {
            const { tasks, approval, ownerDied, cancelRequested, swapped } = world;
            const seen = {
              tasks,
              plan,
              approval,
              ownerDied,
              cancelRequested,
              ...(swapped === undefined ? {} : { swapped }),
            };
            const decision = decideRestore(observation(seen));
            if (decision.type === "complete") {
              expect(world.reallySwapped).toBe(needsSwap);
              if (plan.files) expect(tasks["files"]?.state).toBe("done");
              expect(tasks["undo-files"]).toBeUndefined();
              return;
            }
            if (decision.type === "fail" || decision.type === "cancel") {
              const isKnown = tasks["look"] === undefined || tasks["look"].state === "done";
              if (isKnown) expect(world.reallySwapped).toBe(false);
              const wasLoaded = tasks["database"] !== undefined && into !== "in-place";
              if (wasLoaded && isKnown) expect(tasks["discard"]).toBeDefined();
              expect(Object.values(tasks).some((task) => task?.state === "running")).toBe(false);
              return;
            }
            if (decision.type === "act") world.act(decision.action);
            if (decision.type === "wait") {
              const ongoing = Object.keys(tasks).filter((name) => tasks[name]?.state === "running");
              expect(ongoing.length).toBeGreaterThan(0);
              world.endTask(ongoing[0] ?? "", luck.state, luck.committed);
            }
            if (luck.event === "die") world.die(luck.committed);
            if (luck.event === "cancel") world.cancelRequested = true;
            expect(new Set(world.effects).size).toBe(world.effects.length);
          }
          throw new Error("the restore never came to an end");
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
