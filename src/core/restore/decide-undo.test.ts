import { expect, test } from "vitest";
import { decideUndo, type UndoObservation } from "./decide-undo.ts";

const seen: UndoObservation = {
  restoreId: "restore-20251110-030000-3f9c2a",
  cancelRequested: false,
  ownerDied: false,
  wanted: ["undo"],
  swapsDatabase: true,
  tasks: {},
};
const startDiscard = { type: "act", action: { do: "start", task: "discard" } };

test("an undo that was killed in its swap opens the live database before it ends", () => {
  for (const ownerDied of [true, false]) {
    const killed = { ...seen, ownerDied, tasks: { undo: { state: "lost" as const } } };
    expect(decideUndo(killed)).toEqual(startDiscard);
    const opening = { ...killed, tasks: { ...killed.tasks, discard: { state: "running" as const } } };
    expect(decideUndo(opening)).toEqual({ type: "wait" });
    const open = { ...killed, tasks: { ...killed.tasks, discard: { state: "done" as const } } };
    expect(decideUndo(open)).toMatchObject({ type: "fail", failure: { retry: "never" } });
  }
});

test("an undo of files alone that was killed has nothing to open", () => {
  const killed = { ...seen, swapsDatabase: false, tasks: { undo: { state: "lost" as const } } };
  expect(decideUndo(killed)).toMatchObject({ type: "fail" });
});
