import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { decideBackup, type BackupObservation } from "../backup/decide-backup.ts";
import type { FailureCode } from "../failure.ts";
import type { TaskFacts, TaskState } from "../operation/operation.ts";
import { decideRestore, type RestoreObservation } from "../restore/decide-restore.ts";
import { hookOfTask, runTaskOf, undoTaskOf } from "./decide-hooks.ts";
import { runsAfter, type HookSpec } from "./hook.ts";

const running: TaskFacts = { state: "running" };
const done: TaskFacts = { state: "done" };
const lost: TaskFacts = { state: "lost" };
const failed = (code: FailureCode = "hook-failed"): TaskFacts => ({
  state: "failed",
  failure: { code, message: "It broke.", retry: "never" },
});

const quiesce: HookSpec = { name: "quiesce", command: "on", undo: { command: "off" } };
const exporting: HookSpec = { name: "export", command: "export" };
const after: HookSpec = { name: "after", command: "after", runOn: "always" };

const budget = {
  operationId: "backup-20260101-000000-abcdef",
  attempt: 1,
  spentAttempts: 0,
  createdAtMs: 0,
  nowMs: 1_000,
  isQueued: false,
};
const backup = (change: Partial<BackupObservation>): BackupObservation => ({
  backupId: "backup-20260101-000000-abcdef",
  wantsDatabase: false,
  wantsFiles: true,
  budget,
  cancelRequested: false,
  ownerDied: false,
  beginsAgain: false,
  recoveryPointKnown: false,
  hooks: { before: [quiesce, exporting], after: [after] },
  holding: new Set(),
  ...change,
  tasks: { prepare: done, ...change.tasks },
});
const restore = (change: Partial<RestoreObservation>): RestoreObservation => ({
  restoreId: "restore-20260101-000000-abcdef",
  budget,
  cancelRequested: false,
  ownerDied: false,
  beginsAgain: false,
  plan: { files: true },
  approval: "given",
  hooks: { before: [quiesce], after: [{ name: "after", command: "after" }] },
  holding: new Set(),
  ...change,
  tasks: { plan: done, ...change.tasks },
});
const start = (task: string) => ({ type: "act", action: { do: "start", task } });
const run = (task: string, undo = false) => ({ type: "act", action: { do: "hook", task, undo } });
const wait = { type: "wait" };
const held = { tasks: { "hook:quiesce": running }, holding: new Set(["hook:quiesce"]) };
const ready = { "hook:quiesce": running, "hook:export": done, files: done };

describe("hooks of a backup", () => {
  it.each<[string, Partial<BackupObservation>, object]>([
    ["run before anything is read", {}, run("hook:quiesce")],
    ["are waited for", { tasks: { "hook:quiesce": running } }, wait],
    ["run one after another; one that holds goes on", held, run("hook:export")],
    [
      "let the work begin when all have run",
      { ...held, tasks: { ...held.tasks, "hook:export": done } },
      start("files"),
    ],
    [
      "let go of what they hold before the seal",
      { ...held, tasks: ready },
      { type: "act", action: { do: "release", task: "hook:quiesce" } },
    ],
    ["hold nothing any more", { tasks: { ...ready, "hook:quiesce": done } }, start("seal")],
    [
      "stop the backup when one fails",
      { tasks: { "hook:quiesce": done, "hook:export": failed() } },
      run("hook:after"),
    ],
    [
      "are undone when one that holds was never heard of again",
      { tasks: { "hook:quiesce": lost } },
      run("undo-hook:quiesce", true),
    ],
    ["wait for that", { tasks: { "hook:quiesce": lost, "undo-hook:quiesce": running } }, wait],
    [
      "are undone once more when that was not heard of either",
      { tasks: { "hook:quiesce": lost, "undo-hook:quiesce": lost } },
      run("undo-hook:quiesce:again", true),
    ],
    [
      "end when it cannot be undone",
      { tasks: { "hook:quiesce": failed(), "undo-hook:quiesce": failed() } },
      run("hook:after"),
    ],
    [
      "are not undone where nothing was done",
      { tasks: { "hook:quiesce": failed("hook-not-allowed") } },
      run("hook:after"),
    ],
    [
      "run afterwards when the backup is there",
      { tasks: { ...ready, "hook:quiesce": done, seal: done } },
      run("hook:after"),
    ],
    [
      "are waited for afterwards",
      { tasks: { ...ready, "hook:quiesce": done, seal: done, "hook:after": running } },
      wait,
    ],
    [
      "change nothing about a backup that is there",
      { tasks: { ...ready, "hook:quiesce": done, seal: done, "hook:after": failed() } },
      { type: "complete" },
    ],
    [
      "are stopped, not waited for, on a cancellation",
      { cancelRequested: true, tasks: { "hook:quiesce": running } },
      { type: "act", action: { do: "stop" } },
    ],
    [
      "that hold are let go on a cancellation",
      { ...held, cancelRequested: true },
      { type: "act", action: { do: "release", task: "hook:quiesce" } },
    ],
    [
      "let go before another attempt",
      {
        ...held,
        tasks: { ...held.tasks, "hook:export": done, files: { state: "lost" } },
      },
      { type: "act", action: { do: "release", task: "hook:quiesce" } },
    ],
    [
      "do not run afterwards when the backup begins again",
      { ownerDied: true, beginsAgain: true, tasks: { "hook:quiesce": done } },
      { type: "fail", failure: { code: "interrupted" } },
    ],
  ])("%s", (_what, change, decision) => {
    expect(decideBackup(backup(change))).toMatchObject(decision);
  });

  it("run again when nobody knows whether they ran, once, and only where that is harmless", () => {
    const hooks = { before: [{ ...exporting, idempotent: true }], after: [] };
    expect(decideBackup(backup({ hooks, tasks: { "hook:export": lost } }))).toMatchObject(
      run("hook:export:again"),
    );
    const twice = { "hook:export": lost, "hook:export:again": lost };
    const unknown = { type: "fail", failure: { code: "hook-outcome-unknown" } };
    expect(decideBackup(backup({ hooks, tasks: twice }))).toMatchObject(unknown);
    const once = { before: [exporting], after: [] };
    expect(decideBackup(backup({ hooks: once, tasks: { "hook:export": lost } }))).toMatchObject(unknown);
  });

  it("may fail where they are said to", () => {
    const hooks = { before: [{ ...exporting, onError: "continue" as const }], after: [] };
    for (const task of [failed(), lost])
      expect(decideBackup(backup({ hooks, tasks: { "hook:export": task } }))).toMatchObject(start("files"));
  });

  it("name a failure without words as what it is", () => {
    const hooks = { before: [exporting], after: [] };
    expect(decideBackup(backup({ hooks, tasks: { "hook:export": { state: "failed" } } }))).toMatchObject({
      failure: { code: "hook-outcome-unknown" },
    });
  });

  it("never end an operation while something is held that could be undone", () => {
    const state = fc.constantFrom<TaskState | undefined>(undefined, "running", "done", "failed", "lost");
    const facts = fc.record({
      files: state,
      seal: state,
      "hook:quiesce": state,
      "undo-hook:quiesce": state,
      "hook:export": state,
      "hook:after": state,
    });
    fc.assert(
      fc.property(facts, fc.boolean(), fc.boolean(), (states, cancelRequested, ownerDied) => {
        const tasks = Object.fromEntries(
          Object.entries(states).flatMap(([name, one]) =>
            one === undefined ? [] : [[name, { state: one }]],
          ),
        );
        const seen = backup({ tasks, cancelRequested, ownerDied, sealed: true });
        const { type } = decideBackup(seen);
        if (type === "act" || type === "wait") return;
        const hold = states["hook:quiesce"];
        const undo = states["undo-hook:quiesce"];
        expect(hold === undefined || hold === "done" || undo === "done" || undo === "failed").toBe(true);
      }),
    );
  });
});

describe("hooks of a restore", () => {
  it.each<[string, Partial<RestoreObservation>, object]>([
    ["run when the plan is approved", {}, run("hook:quiesce")],
    [
      "hold until the end",
      { ...held, tasks: { ...held.tasks, files: done } },
      { type: "act", action: { do: "release" } },
    ],
    [
      "run afterwards when all is in place",
      { tasks: { "hook:quiesce": done, files: done } },
      run("hook:after"),
    ],
    [
      "complete it",
      { tasks: { "hook:quiesce": done, files: done, "hook:after": done } },
      { type: "complete" },
    ],
    [
      "make a failure of it afterwards that says what stays",
      { tasks: { "hook:quiesce": done, files: done, "hook:after": failed() } },
      {
        type: "fail",
        failure: { code: "hook-failed", message: expect.stringContaining("in its place") as string },
      },
    ],
    [
      "leave the target alone when one beforehand fails",
      { tasks: { "hook:quiesce": failed(), "undo-hook:quiesce": done } },
      { type: "fail", failure: { code: "hook-failed" } },
    ],
    [
      "are stopped on a cancellation",
      { cancelRequested: true, tasks: { "hook:quiesce": running } },
      { type: "act", action: { do: "stop" } },
    ],
    [
      "let go before another attempt",
      {
        ...held,
        hooks: { before: [quiesce], after: [] },
        tasks: {
          plan: {
            state: "failed",
            failure: { code: "store-unreachable", message: "Away.", retry: "backoff" },
          },
          ...held.tasks,
        },
      },
      { type: "act", action: { do: "release", task: "hook:quiesce" } },
    ],
    [
      "do not run when it begins again",
      {
        ownerDied: true,
        beginsAgain: true,
        hooks: { before: [], after: [after] },
        approval: "pending",
      },
      { type: "fail", failure: { code: "interrupted" } },
    ],
  ])("%s", (_what, change, decision) => {
    expect(decideRestore(restore(change))).toMatchObject(decision);
  });
});

describe("names of hooks' tasks", () => {
  it("tell the hook, and whether it is undone", () => {
    expect(hookOfTask("hook:export:again")).toEqual({ name: "export", undo: false });
    expect(hookOfTask("undo-hook:quiesce")).toEqual({ name: "quiesce", undo: true });
    expect(hookOfTask("files")).toBeUndefined();
    expect(runTaskOf(exporting, new Map([["hook:export:again", 1]]))).toBe("hook:export:again");
    expect(undoTaskOf(quiesce, new Map())).toBe("undo-hook:quiesce");
    expect(runsAfter({ before: [exporting], after: [after] }, { ...after })).toBe(true);
  });
});
