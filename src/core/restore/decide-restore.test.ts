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
  budget: {
    operationId: restoreId,
    attempt: 1,
    spentAttempts: 0,
    createdAtMs: 0,
    nowMs: 1_000,
    isQueued: true,
  },
  cancelRequested: false,
  ownerDied: false,
  tasks: {},
  hooks: { before: [], after: [] },
  holding: new Set(),
  beginsAgain: false,
  plan: planFor("swap", true),
  approval: "given",
  ...change,
});
const start = (task: string) => ({ type: "act", action: { do: "start", task } });

describe("a restore whose store is away", () => {
  const away: TaskFacts = {
    state: "failed",
    failure: { code: "store-unreachable", message: "It does not answer.", retry: "backoff" },
  };
  it.each<[string, Partial<RestoreObservation>, object]>([
    ["is planned again", { tasks: { plan: away } }, { type: "retry" }],
    ["is not begun before its time", { notBeforeMs: 5_000, tasks: {} }, { type: "wait", untilMs: 5_000 }],
    ["clears away what it had loaded", { tasks: { plan: done, database: away } }, start("discard")],
    ["then begins again", { tasks: { plan: done, database: away, discard: done } }, { type: "retry" }],
    [
      "does not when something is left",
      { tasks: { plan: done, database: away, discard: failed() } },
      { type: "fail" },
    ],
    [
      "does not once files were replaced",
      { tasks: { plan: done, database: done, files: away, discard: done } },
      { type: "fail", failure: { retry: "never" } },
    ],
    ["does not when it is cancelled", { cancelRequested: true, tasks: { plan: away } }, { type: "fail" }],
  ])("%s", (_name, change, decision) => {
    expect(decideRestore(observation(change))).toMatchObject(decision);
  });

  it("is given up where somebody waits for it, after three attempts", () => {
    const { budget } = observation();
    const third = { ...budget, attempt: 3, isQueued: false };
    expect(decideRestore(observation({ budget: third, tasks: { plan: away } }))).toMatchObject({
      type: "fail",
    });
  });
});

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

  it.each<[string, Partial<RestoreObservation>, string]>([
    [
      "all files had been replaced",
      { ownerDied: true, tasks: { ...ready, discard: done } },
      "All files of the plan had already been replaced",
    ],
    [
      "no file is known to have been replaced",
      { tasks: { ...loaded, files: lost, discard: done }, filesTouched: 0 },
      "No file is known to have been replaced",
    ],
    [
      "some files had been replaced",
      { tasks: { ...loaded, files: lost, discard: done } },
      "Some files of the plan had already been replaced",
    ],
    [
      "the files could not be put back",
      {
        tasks: { ...ready, swap: failed(), look: done, "undo-files": failed("disk-full"), discard: done },
        swapped: false,
      },
      `could not be put back: It broke. Run \`lc2 restore undo ${restoreId}\``,
    ],
    [
      "what was loaded could not be removed",
      { tasks: { plan: done, database: failed(), discard: failed("database-unreachable") } },
      `could not be removed: It broke. \`lc2 restore undo ${restoreId}\` tries again`,
    ],
    [
      "a worker died while it removed what was loaded",
      { tasks: { plan: done, database: failed(), discard: lost } },
      "The worker of the discard task ended without a result",
    ],
  ])("says at the end that %s", (_name, change, sentence) => {
    const decision = decideRestore(observation(change));
    expect(decision.type === "fail" ? decision.failure.message : "").toContain(sentence);
  });

  it("fails, with its files put back, when a swap says neither that it happened nor why not", () => {
    const tasks = { ...ready, swap: done, "undo-files": done, discard: done };
    const decision = decideRestore(observation({ tasks, swapped: false }));
    expect(decision).toMatchObject({ type: "fail", failure: { code: "internal" } });
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
      swapsDatabase: false,
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
    const ended = (code: string, type = "fail") => ({ type, failure: { code } });
    expect(undo({ ownerDied: true, tasks: { undo: lost } })).toMatchObject(ended("interrupted"));
    expect(undo({ cancelRequested: true, tasks: { undo: running } })).toEqual({
      type: "act",
      action: { do: "stop" },
    });
    expect(undo({ cancelRequested: true, tasks: { undo: failed("cancelled") } })).toMatchObject(
      ended("cancelled", "cancel"),
    );
    expect(undo({ tasks: { undo: lost } })).toMatchObject(ended("worker-died"));
    expect(undo({ tasks: { undo: failed("disk-full") } })).toMatchObject(ended("disk-full"));
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

  running(): string[] {
    return Object.keys(this.tasks).filter((name) => this.tasks[name]?.state === "running");
  }

  act(action: RestoreAction): void {
    if (action.do === "ask-approval") {
      this.approval = "given";
      return;
    }
    if (action.do === "stop") {
      for (const name of this.running()) this.tasks[name] = failed("cancelled");
      return;
    }
    must(this.tasks[action.task] === undefined, `${action.task} is started once`);
    this.tasks[action.task] = running;
    const isCleanUp = action.task === "undo-files" || action.task === "discard";
    must(!(isCleanUp && this.reallySwapped), "nothing is put back once the new database is live");
    if (!repeatable.has(action.task)) this.effects.push(action.task);
  }

  endTask(name: string, luck: Luck): void {
    if (name === "swap" && (luck.state === "done" || luck.committed)) this.reallySwapped = true;
    if (name === "swap" && luck.state === "done") this.swapped = true;
    if (name === "look" && luck.state === "done") this.swapped = this.reallySwapped;
    this.tasks[name] = luck.state === "failed" ? failed() : { state: luck.state };
  }

  befall(luck: Luck): void {
    if (luck.event === "cancel") this.cancelRequested = true;
    if (luck.event !== "die") return;
    this.ownerDied = true;
    for (const name of this.running()) {
      // Who takes over looks and cleans up anew.
      if (repeatable.has(name)) this.tasks[name] = undefined;
      else this.endTask(name, { ...luck, state: "lost" });
    }
  }
}

const repeatable = new Set(["look", "discard", "undo-files"]);

interface Luck {
  readonly state: Exclude<TaskState, "running">;
  readonly committed: boolean;
  readonly event: "none" | "die" | "cancel";
}

function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`Broken: ${rule}`);
}

type Into = RestoreInto | "none";
const hasLastStep = (into: Into): boolean => into !== "none" && into !== "in-place";

function checkCompleted(world: World, into: Into, files: boolean): void {
  must(world.reallySwapped === hasLastStep(into), "a complete restore has its database live");
  must(!files || world.tasks["files"]?.state === "done", "a complete restore has all its files");
  must(world.tasks["undo-files"] === undefined, "a complete restore's files were not put back");
}

function checkFailed(world: World, into: Into): void {
  const { look, database, discard } = world.tasks;
  must(world.running().length === 0, "nothing runs on after the end");
  if (look !== undefined && look.state !== "done") return;
  must(!world.reallySwapped, "a failed restore leaves the old database live");
  const wasLoaded = database !== undefined && into !== "in-place";
  must(!wasLoaded || discard !== undefined, "what was loaded is cleared away");
}

/** Runs a restore to its end; throws when a rule is broken. */
function liveThrough(into: Into, withFiles: boolean, fate: readonly Luck[]): void {
  const world = new World();
  const files = withFiles || into === "none";
  const plan = into === "none" ? { files } : planFor(into, files);
  for (const luck of fate) {
    const { tasks, approval, ownerDied, cancelRequested, swapped } = world;
    const seen = { tasks, plan, approval, ownerDied, cancelRequested };
    const decision = decideRestore(observation({ ...seen, ...(swapped === undefined ? {} : { swapped }) }));
    switch (decision.type) {
      case "complete":
        return checkCompleted(world, into, files);
      case "fail":
      case "cancel":
        return checkFailed(world, into);
      case "act":
        world.act(decision.action);
        break;
      case "retry":
        throw new Error("a restore is never tried again by itself");
      case "wait":
        must(world.running().length > 0, "there is something to wait for");
        world.endTask(world.running()[0] ?? "", luck);
    }
    world.befall(luck);
    must(new Set(world.effects).size === world.effects.length, "nothing is done twice");
  }
  must(false, "a restore comes to an end");
}

describe("any sequence of ends, deaths and cancels", () => {
  const luck: fc.Arbitrary<Luck> = fc.record({
    state: fc.constantFrom("done", "done", "done", "done", "failed", "lost"),
    committed: fc.boolean(),
    event: fc.constantFrom("none", "none", "none", "none", "die", "cancel"),
  });
  const into = fc.constantFrom<Into>("swap", "new", "empty", "in-place", "none");
  const fate = fc.array(luck, { minLength: 60, maxLength: 60 });

  it("ends swapped and complete, or failed with the old database live; nothing is done twice", () => {
    const property = fc.property(into, fc.boolean(), fate, liveThrough);
    expect(fc.check(property, { numRuns: 2_000 })).toMatchObject({ failed: false });
  });
});
