import { describe, expect, it } from "vitest";
import fc from "fast-check";
import type { FailureRecord } from "../failure.ts";
import type { TaskFacts, TaskState } from "../operation/operation.ts";
import { decideBackup, type BackupAction, type BackupObservation } from "./decide-backup.ts";

const observation = (change: Partial<BackupObservation> = {}): BackupObservation => ({
  backupId: "backup-20260101-000000-abcdef",
  wantsDatabase: true,
  wantsFiles: true,
  attempt: 1,
  nowMs: 1_000,
  cancelRequested: false,
  ownerDied: false,
  tasks: {},
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
    expect(decideBackup(observation({ tasks, attempt: 1 }))).toMatchObject({ type: "retry" });
    expect(decideBackup(observation({ tasks, attempt: 3 }))).toMatchObject({ type: "fail" });
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

  it("says that it does not know when the repository cannot be read after a lost seal", () => {
    const tasks = { ...components, seal: lost, look: failed("never", "store-failed") };
    const decision = decideBackup(observation({ tasks }));
    expect(decision).toMatchObject({ type: "fail", failure: { code: "store-failed" } });
    expect(decision).toMatchObject({ failure: { message: expect.stringContaining("not known") } });
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

  act(action: BackupAction): void {
    if (action.do === "stop") {
      for (const [name, task] of Object.entries(this.tasks)) {
        if (task?.state === "running") this.tasks[name] = failed("never", "cancelled");
      }
      return;
    }
    if (this.tasks[action.task] !== undefined) throw new Error(`${action.task} was started twice`);
    this.tasks[action.task] = running;
    if (action.task !== "look") this.effects.push(`${this.attempt} ${action.task}`);
  }

  /** A running task ends; a seal may have committed whatever it then says. */
  endTask(name: string, state: Exclude<TaskState, "running">, mayPass: boolean, committed: boolean): void {
    if (name === "seal" && (state === "done" || committed)) {
      expect(this.committed).toBe(false);
      this.committed = true;
    }
    if (name === "look") {
      if (state === "done") this.sealed = this.committed;
      else this.lookFailed = true;
    }
    if (name === "database" && state === "done") this.recoveryPointKnown = true;
    this.tasks[name] = state === "failed" ? failed(mayPass ? "backoff" : "never") : { state };
  }

  die(committed: boolean): void {
    this.ownerDied = true;
    for (const [name, task] of Object.entries(this.tasks)) {
      if (task?.state !== "running") continue;
      if (name === "look") this.tasks[name] = undefined;
      else this.endTask(name, "lost", false, committed);
    }
  }
}

describe("any sequence of ends, deaths and cancels", () => {
  const chance = fc.record({
    pick: fc.nat(9),
    state: fc.constantFrom("done", "done", "done", "failed", "lost" as const),
    mayPass: fc.boolean(),
    committed: fc.boolean(),
    event: fc.constantFrom("none", "none", "none", "none", "die", "cancel", "recovery-point" as const),
  });

  it("ends complete exactly when the backup is sealed, and does nothing twice", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.boolean(),
        fc.array(chance, { minLength: 60, maxLength: 60 }),
        (wantsDatabase, wantsFiles, chances) => {
          const world = new World();
          for (const luck of chances) {
            const decision = decideBackup(
              observation({
                wantsDatabase: wantsDatabase || !wantsFiles,
                wantsFiles,
                attempt: world.attempt,
                cancelRequested: world.cancelRequested,
                ownerDied: world.ownerDied,
                tasks: world.tasks,
                recoveryPointKnown: world.recoveryPointKnown,
                ...(world.sealed === undefined ? {} : { sealed: world.sealed }),
              }),
            );
            if (decision.type === "complete") {
              expect(world.committed).toBe(true);
              return;
            }
            if (decision.type === "fail" || decision.type === "cancel") {
              expect(Object.values(world.tasks).some((task) => task?.state === "running")).toBe(false);
              expect(world.committed && !world.lookFailed).toBe(false);
              return;
            }
            if (decision.type === "act") world.act(decision.action);
            if (decision.type === "retry") {
              world.attempt += 1;
              world.tasks = {};
              world.recoveryPointKnown = false;
              world.sealed = undefined;
            }
            if (decision.type === "wait") {
              const ongoing = Object.keys(world.tasks).filter(
                (name) => world.tasks[name]?.state === "running",
              );
              expect(ongoing.length).toBeGreaterThan(0);
              world.endTask(
                ongoing[luck.pick % ongoing.length] ?? "",
                luck.state,
                luck.mayPass,
                luck.committed,
              );
            }
            if (luck.event === "die") world.die(luck.committed);
            if (luck.event === "cancel") world.cancelRequested = true;
            if (luck.event === "recovery-point")
              world.recoveryPointKnown ||= world.tasks["database"] !== undefined;
            expect(new Set(world.effects).size).toBe(world.effects.length);
          }
          throw new Error("the backup never came to an end");
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
