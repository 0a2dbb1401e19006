import { describe, expect, it } from "vitest";
import fc from "fast-check";
import type { FailureRecord } from "../failure.ts";
import type { RetryBudget } from "../operation/decide-retry.ts";
import type { TaskFacts, TaskState } from "../operation/operation.ts";
import { decideBackup, type BackupAction, type BackupObservation } from "./decide-backup.ts";

const budget = (change: Partial<RetryBudget> = {}): RetryBudget => ({
  operationId: "backup-20260101-000000-abcdef",
  attempt: 1,
  spentAttempts: 0,
  createdAtMs: 0,
  nowMs: 1_000,
  isQueued: false,
  ...change,
});
const observation = (change: Partial<BackupObservation> = {}): BackupObservation => ({
  backupId: "backup-20260101-000000-abcdef",
  wantsDatabase: true,
  wantsFiles: true,
  budget: budget(),
  cancelRequested: false,
  ownerDied: false,
  tasks: {},
  hooks: { before: [], after: [] },
  holding: new Set(),
  beginsAgain: false,
  recoveryPointKnown: false,
  ...change,
});
const running: TaskFacts = { state: "running" };
const done: TaskFacts = { state: "done" };
const lost: TaskFacts = { state: "lost" };
const failed = (retry: FailureRecord["retry"], code: FailureRecord["code"] = "dump-failed"): TaskFacts => ({
  state: "failed",
  failure: { code, message: "It broke.", retry },
});
const start = (task: string) => ({ type: "act", action: { do: "start", task } });
const stop = { type: "act", action: { do: "stop" } };

describe("decideBackup", () => {
  const prepared = { prepare: done };
  const components = { prepare: done, database: done, files: done };
  it.each<[string, Partial<BackupObservation>, object]>([
    ["prepares first", {}, start("prepare")],
    ["waits until a new attempt may begin", { notBeforeMs: 5_000 }, { type: "wait", untilMs: 5_000 }],
    [
      "wakes when its window closes",
      { stopAtMs: 4_000, tasks: { prepare: running } },
      { type: "wait", untilMs: 4_000 },
    ],
    ["wakes for what comes first", { stopAtMs: 4_000, notBeforeMs: 2_000 }, { type: "wait", untilMs: 2_000 }],
    ["stops when its window closes", { stopAtMs: 1_000, tasks: { prepare: running } }, stop],
    [
      "says that its window closed",
      { stopAtMs: 1_000, tasks: { prepare: done, database: failed("never", "cancelled") } },
      { type: "cancel", failure: expect.objectContaining({ code: "window-closed" }) as object },
    ],
    [
      "seals what is being sealed when its window closes",
      { stopAtMs: 1_000, tasks: { ...components, seal: running } },
      { type: "wait" },
    ],
    ["waits while preparing", { tasks: { prepare: running } }, { type: "wait" }],
    ["starts the database after preparing", { tasks: prepared }, start("database")],
    [
      "does not list files before the recovery point",
      { tasks: { ...prepared, database: running } },
      { type: "wait" },
    ],
    [
      "lists files beside the database once its instant is fixed",
      { tasks: { ...prepared, database: running }, recoveryPointKnown: true },
      start("files"),
    ],
    ["lists files at once without a database", { wantsDatabase: false, tasks: prepared }, start("files")],
    [
      "seals a backup of the database alone",
      { wantsFiles: false, tasks: { ...prepared, database: done } },
      start("seal"),
    ],
    ["seals when all components are done", { tasks: components }, start("seal")],
    ["is complete when sealed", { tasks: { ...components, seal: done } }, { type: "complete" }],
    [
      "is complete when sealed before a cancel",
      { cancelRequested: true, tasks: { ...components, seal: done } },
      { type: "complete" },
    ],
    [
      "does not stop a seal that runs",
      { cancelRequested: true, tasks: { ...components, seal: running } },
      { type: "wait" },
    ],
    [
      "stops the other component when one failed",
      { tasks: { ...prepared, database: failed("never"), files: running } },
      stop,
    ],
    [
      "stops everything when cancelled",
      { cancelRequested: true, tasks: { ...prepared, database: running } },
      stop,
    ],
    ["looks whether a lost seal has committed", { tasks: { ...components, seal: lost } }, start("look")],
    [
      "adopts a seal that had committed",
      { ownerDied: true, tasks: { ...components, seal: lost, look: done }, sealed: true },
      { type: "complete" },
    ],
  ])("%s", (_name, change, decision) => {
    expect(decideBackup(observation(change))).toEqual(decision);
  });

  it("tries again later when the failure says that it may pass, and not for ever", () => {
    const tasks = { prepare: done, database: failed("backoff") };
    expect(decideBackup(observation({ tasks }))).toMatchObject({ type: "retry" });
    expect(decideBackup(observation({ tasks, budget: budget({ attempt: 3 }) }))).toMatchObject({
      type: "fail",
    });
  });

  it("begins again, when it came from the queue, although it is not known whether it was sealed", () => {
    const tasks = {
      prepare: done,
      database: done,
      files: done,
      seal: lost,
      look: failed("backoff", "store-unreachable"),
    };
    const queued = budget({ attempt: 9, isQueued: true });
    expect(decideBackup(observation({ tasks, budget: queued }))).toMatchObject({ type: "retry" });
    expect(decideBackup(observation({ tasks, budget: queued, cancelRequested: true }))).toMatchObject({
      type: "fail",
      failure: { code: "store-unreachable", retry: "never" },
    });
  });

  it("fails for good when the failure says so", () => {
    const decision = decideBackup(observation({ tasks: { prepare: failed("never", "source-not-found") } }));
    expect(decision).toMatchObject({ type: "fail", failure: { code: "source-not-found" } });
  });

  it("names the cause, not the component that was stopped because of it", () => {
    const tasks = {
      prepare: done,
      database: failed("never", "cancelled"),
      files: failed("never", "disk-full"),
    };
    expect(decideBackup(observation({ tasks }))).toMatchObject({
      type: "fail",
      failure: { code: "disk-full" },
    });
  });

  it("ends as interrupted what a dead process left unsealed", () => {
    const tasks = { prepare: done, database: lost };
    expect(decideBackup(observation({ ownerDied: true, tasks }))).toMatchObject({
      type: "fail",
      failure: { code: "interrupted" },
    });
  });

  it("tries again when one worker died and the other one was stopped because of it", () => {
    const tasks = { prepare: done, database: failed("never", "cancelled"), files: lost };
    expect(decideBackup(observation({ tasks }))).toMatchObject({
      type: "retry",
      failure: { code: "worker-died" },
    });
  });

  it("says that it does not know when the repository cannot be read after a lost seal", () => {
    const tasks = { ...components, seal: lost, look: failed("never", "store-failed") };
    const decision = decideBackup(observation({ tasks }));
    expect(decision).toMatchObject({ type: "fail", failure: { code: "store-failed" } });
    expect(JSON.stringify(decision)).toContain("not known");
  });
});

/** A world in which tasks end as chance wants and the owner dies after any step. */
class World {
  readonly effects: string[] = [];
  tasks: Record<string, TaskFacts | undefined> = {};
  attempt = 1;
  committed = false;
  ownerDied = false;
  cancelRequested = false;
  recoveryPointKnown = false;
  sealed: boolean | undefined;
  lookFailed = false;

  running(): string[] {
    return Object.keys(this.tasks).filter((name) => this.tasks[name]?.state === "running");
  }

  act(action: BackupAction): void {
    if (action.do === "stop") {
      for (const name of this.running()) this.tasks[name] = failed("never", "cancelled");
      return;
    }
    must(this.tasks[action.task] === undefined, `${action.task} is started once in an attempt`);
    this.tasks[action.task] = running;
    if (action.task !== "look") this.effects.push(`${this.attempt} ${action.task}`);
  }

  retry(): void {
    this.attempt += 1;
    this.tasks = {};
    this.recoveryPointKnown = false;
    this.sealed = undefined;
  }

  /** A running task ends; a seal may have committed whatever it then says. */
  endTask(name: string, luck: Luck): void {
    if (name === "seal" && (luck.state === "done" || luck.committed)) {
      must(!this.committed, "a backup is sealed once");
      this.committed = true;
    }
    if (name === "look" && luck.state === "done") this.sealed = this.committed;
    if (name === "look" && luck.state !== "done") this.lookFailed = true;
    if (name === "database" && luck.state === "done") this.recoveryPointKnown = true;
    this.tasks[name] =
      luck.state === "failed" ? failed(luck.mayPass ? "backoff" : "never") : { state: luck.state };
  }

  befall(luck: Luck): void {
    if (luck.event === "cancel") this.cancelRequested = true;
    if (luck.event === "recovery-point") this.recoveryPointKnown ||= this.tasks["database"] !== undefined;
    if (luck.event !== "die") return;
    this.ownerDied = true;
    for (const name of this.running()) {
      // Who takes over looks anew.
      if (name === "look") this.tasks[name] = undefined;
      else this.endTask(name, { ...luck, state: "lost" });
    }
  }
}

interface Luck {
  readonly pick: number;
  readonly state: Exclude<TaskState, "running">;
  readonly mayPass: boolean;
  readonly committed: boolean;
  readonly event: "none" | "die" | "cancel" | "recovery-point";
}

function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`Broken: ${rule}`);
}

/** Runs a backup to its end; throws when a rule is broken. */
function liveThrough(wantsDatabase: boolean, wantsFiles: boolean, fate: readonly Luck[]): void {
  const world = new World();
  for (const luck of fate) {
    const decision = decideBackup(
      observation({
        wantsDatabase: wantsDatabase || !wantsFiles,
        wantsFiles,
        budget: budget({ attempt: world.attempt }),
        cancelRequested: world.cancelRequested,
        ownerDied: world.ownerDied,
        tasks: world.tasks,
        recoveryPointKnown: world.recoveryPointKnown,
        ...(world.sealed === undefined ? {} : { sealed: world.sealed }),
      }),
    );
    switch (decision.type) {
      case "complete":
        return must(world.committed, "only a sealed backup is complete");
      case "fail":
      case "cancel":
        must(world.running().length === 0, "nothing runs on after the end");
        return must(!world.committed || world.lookFailed, "a sealed backup does not fail");
      case "act":
        world.act(decision.action);
        break;
      case "retry":
        world.retry();
        break;
      case "wait":
        must(world.running().length > 0, "there is something to wait for");
        world.endTask(world.running()[luck.pick % world.running().length] ?? "", luck);
    }
    world.befall(luck);
    must(new Set(world.effects).size === world.effects.length, "nothing is done twice");
  }
  must(false, "a backup comes to an end");
}

describe("any sequence of ends, deaths and cancels", () => {
  const luck: fc.Arbitrary<Luck> = fc.record({
    pick: fc.nat(9),
    state: fc.constantFrom("done", "done", "done", "failed", "lost"),
    mayPass: fc.boolean(),
    committed: fc.boolean(),
    event: fc.constantFrom("none", "none", "none", "none", "die", "cancel", "recovery-point"),
  });
  const fate = fc.array(luck, { minLength: 60, maxLength: 60 });

  it("ends complete exactly when the backup is sealed, and does nothing twice", () => {
    const property = fc.property(fc.boolean(), fc.boolean(), fate, liveThrough);
    expect(fc.check(property, { numRuns: 2_000 })).toMatchObject({ failed: false });
  });
});
