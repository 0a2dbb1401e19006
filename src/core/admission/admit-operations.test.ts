import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  admitOperations,
  type Admission,
  type AdmissionLimits,
  type AdmissionObservation,
  type RunningOperation,
  type Served,
  type WaitingOperation,
} from "./admit-operations.ts";

const hourMs = 3_600_000;
const nowMs = 200 * hourMs;
const limits: AdmissionLimits = { backups: 2, restores: 1 };

const backup = (id: string, change: Partial<WaitingOperation> = {}): WaitingOperation => ({
  id,
  kind: "backup",
  projectId: "shop",
  createdAtMs: 100 * hourMs,
  places: [`file:///${id}`],
  stores: [],
  ...change,
});
const restore = (id: string, change: Partial<WaitingOperation> = {}): WaitingOperation =>
  backup(id, { kind: "restore", ...change });

function decide(seen: Partial<AdmissionObservation>): Admission[] {
  return admitOperations({
    running: [],
    waiting: [],
    served: [],
    storeWaits: [],
    projectCaps: [],
    limits,
    nowMs,
    ...seen,
  });
}
const admitted = (answers: readonly Admission[]): string[] =>
  answers.flatMap(({ id, admit }) => (admit ? [id] : []));

describe("admission", () => {
  it("lets begin what the limits leave room for, the oldest first", () => {
    const waiting = [backup("c", { createdAtMs: 3 }), backup("a", { createdAtMs: 1 }), backup("b")];
    expect(admitted(decide({ waiting }))).toEqual(["c", "a"]);
    expect(admitted(decide({ waiting, running: [backup("x")] }))).toEqual(["a"]);
    expect(admitted(decide({ waiting, running: [backup("x"), backup("y")] }))).toEqual([]);
  });

  it("gives each kind its own room, and counts neither copies nor undos", () => {
    const waiting = [backup("a"), restore("b"), restore("c")];
    expect(admitted(decide({ waiting }))).toEqual(["a", "b"]);
    const running: RunningOperation[] = [
      { id: "u", kind: "undo", projectId: "shop", places: [], stores: [] },
      { id: "y", kind: "copy", projectId: "shop", places: [], stores: [] },
    ];
    expect(admitted(decide({ waiting, running }))).toEqual(["a", "b"]);
  });

  it("lets one operation at a time work on a place, whatever its kind", () => {
    const place = { places: ["file:///x", "postgres://db/x"] };
    const undo: RunningOperation = {
      id: "u",
      kind: "undo",
      projectId: "other",
      places: ["postgres://db/x"],
      stores: [],
    };
    expect(decide({ waiting: [backup("a", place)], running: [undo] })).toEqual([
      {
        id: "a",
        admit: false,
        position: 1,
        of: 1,
        behind: { id: "u", projectId: "other" },
        reason: "one operation at a time works on postgres://db/x",
      },
    ]);
    expect(admitted(decide({ waiting: [backup("a", place), backup("b", place)] }))).toEqual(["a"]);
  });

  it("keeps a place free for whoever waits for it first", () => {
    const running = [backup("x", { places: ["p"] })];
    const waiting = [
      backup("both", { createdAtMs: 1, places: ["p", "q"] }),
      backup("late", { createdAtMs: 2, places: ["q"] }),
    ];
    const [, late] = decide({ waiting, running });
    expect(late).toMatchObject({
      admit: false,
      behind: { id: "both" },
      reason: "one operation at a time works on q, and that one goes first",
    });
  });

  it("lets a restore go before a backup of the same place, but not before one of the day before", () => {
    const place = { places: ["p"] };
    const late = restore("restore", { ...place, createdAtMs: 100 * hourMs });
    const before = (hours: number) => backup("backup", { ...place, createdAtMs: (100 - hours) * hourMs });
    expect(admitted(decide({ waiting: [before(23), late] }))).toEqual(["restore"]);
    expect(admitted(decide({ waiting: [before(25), late] }))).toEqual(["backup"]);
  });

  it("serves the project with the fewest running first, then the one served least recently", () => {
    const many = [1, 2, 3, 4].map((n) => backup(`a${n}`, { projectId: "a", createdAtMs: n }));
    const waiting = [...many, backup("b1", { projectId: "b" })];
    expect(admitted(decide({ waiting }))).toEqual(["a1", "b1"]);
    const running = [backup("x", { projectId: "a" })];
    expect(admitted(decide({ waiting, running }))).toEqual(["b1"]);
    const served: Served[] = [
      { projectId: "a", kind: "backup", atMs: 9 },
      { projectId: "b", kind: "backup", atMs: 7 },
    ];
    expect(admitted(decide({ waiting, served, limits: { backups: 1, restores: 1 } }))).toEqual(["b1"]);
  });

  it("goes by a project's own cap where it has one, be it lower or higher", () => {
    const limitsOfMany = { backups: 9, restores: 9, perProject: 2 };
    const waiting = ["a", "b", "c"].flatMap((id) => [
      backup(`${id}1`, { projectId: "low" }),
      backup(`${id}2`, { projectId: "high" }),
    ]);
    const projectCaps = [
      { projectId: "low", operations: 1 },
      { projectId: "high", operations: 3 },
    ];
    const answers = decide({ waiting, limits: limitsOfMany, projectCaps });
    expect(admitted(answers)).toEqual(["a1", "a2", "b2", "c2"]);
    expect(answers[2]).toMatchObject({
      behind: { id: "a1" },
      reason: "1 operation of this project runs at once at most (its own cap)",
    });
  });

  it("does not let one project have more than its share", () => {
    const perProject = { backups: 5, restores: 5, perProject: 2 };
    const waiting = [backup("a"), backup("b"), backup("c"), backup("d", { projectId: "other" })];
    const answers = decide({ waiting, limits: perProject });
    expect(admitted(answers)).toEqual(["a", "b", "d"]);
    expect(answers[2]).toMatchObject({
      behind: { id: "a" },
      reason: "2 operations of one project run at once at most (LC2_MAX_PER_PROJECT)",
    });
    const none = decide({ waiting: [backup("a")], limits: { backups: 1, restores: 1, perProject: 0 } });
    expect(none[0]).toEqual({
      id: "a",
      admit: false,
      position: 1,
      of: 1,
      reason: "0 operations of one project run at once at most (LC2_MAX_PER_PROJECT)",
    });
  });

  it("keeps a project's last slot for what came first in it, when that waits for room", () => {
    const perProject = { backups: 1, restores: 5, perProject: 1 };
    const running = [backup("x", { projectId: "other" })];
    const waiting = [backup("old", { createdAtMs: 0 }), restore("new")];
    expect(admitted(decide({ waiting, running, limits: perProject }))).toEqual([]);
  });

  it("tells who waits where in the line stands, and behind whom", () => {
    const running = [backup("x"), backup("y"), restore("z")];
    const waiting = [
      backup("a1", { projectId: "a", createdAtMs: 1 }),
      backup("a2", { projectId: "a", createdAtMs: 2 }),
      backup("b1", { projectId: "b", createdAtMs: 3 }),
      restore("r", { projectId: "a" }),
    ];
    const reason = "2 backups run at once at most (LC2_MAX_BACKUPS)";
    expect(decide({ running, waiting })).toEqual([
      { id: "a1", admit: false, position: 1, of: 3, behind: { id: "x", projectId: "shop" }, reason },
      { id: "a2", admit: false, position: 3, of: 3, behind: { id: "b1", projectId: "b" }, reason },
      { id: "b1", admit: false, position: 2, of: 3, behind: { id: "a1", projectId: "a" }, reason },
      {
        id: "r",
        admit: false,
        position: 1,
        of: 1,
        behind: { id: "z", projectId: "shop" },
        reason: "1 restore runs at once at most (LC2_MAX_RESTORES)",
      },
    ]);
  });

  it("lets what failed wait for its time, and gives what it would keep to others", () => {
    const soon = backup("soon", { notBeforeMs: nowMs + 1, places: ["p"], createdAtMs: 1 });
    const other = backup("other", { places: ["p"], projectId: "other" });
    const one = { backups: 1, restores: 1, perProject: 1 };
    const answers = decide({ waiting: [soon, other], limits: one });
    expect(admitted(answers)).toEqual(["other"]);
    expect(answers[0]).toMatchObject({
      reason: "its last attempt failed, and the next one begins at 1970-01-09 08:00:00 UTC",
    });
    expect(admitted(decide({ waiting: [{ ...soon, notBeforeMs: nowMs }] }))).toEqual(["soon"]);
  });

  it("sends nobody to a store that is away, and then one to try", () => {
    const store = "http://minio:9000";
    const at = (id: string) => backup(id, { stores: [store] });
    const wait = { store, kind: "away", sinceMs: 0, untilMs: nowMs + 60_000, tries: 1 } as const;
    const waiting = [at("a"), at("b"), backup("elsewhere")];
    const away = decide({ waiting, storeWaits: [wait] });
    expect(admitted(away)).toEqual(["elsewhere"]);
    expect(away[0]).toMatchObject({
      reason:
        "http://minio:9000 does not answer since 1970-01-01 00:00:00 UTC; it is tried again at 1970-01-09 08:01:00 UTC",
    });
    const due = decide({ waiting, storeWaits: [{ ...wait, kind: "throttled", untilMs: nowMs }] });
    expect(admitted(due)).toEqual(["a", "elsewhere"]);
    expect(due[1]).toMatchObject({
      behind: { id: "a" },
      reason:
        "http://minio:9000 asks to slow down since 1970-01-01 00:00:00 UTC; one operation tries it at this moment",
    });
    expect(admitted(decide({ waiting, limits: { backups: 5, restores: 1 } }))).toEqual([
      "a",
      "b",
      "elsewhere",
    ]);
  });

  it("waits for nothing that began before the store's time had come", () => {
    const store = "http://minio:9000";
    const at = (id: string, change: Partial<WaitingOperation> = {}) =>
      backup(id, { stores: [store], ...change });
    const wait = { store, kind: "throttled", sinceMs: 0, untilMs: nowMs - 10, tries: 1 } as const;
    const room = { backups: 5, restores: 1 };
    const seen = { waiting: [at("a"), at("b")], storeWaits: [wait], limits: room };
    expect(admitted(decide({ ...seen, running: [at("long", { begunAtMs: nowMs - 11 })] }))).toEqual(["a"]);
    expect(admitted(decide({ ...seen, running: [at("tries", { begunAtMs: nowMs - 10 })] }))).toEqual([]);
  });

  it("answers at once where thousands wait", () => {
    const waiting = Array.from({ length: 3_000 }, (_, n) =>
      backup(`b${n}`, { projectId: `p${n % 50}`, createdAtMs: n }),
    );
    const answers = decide({ waiting, limits: { backups: 10, restores: 5 } });
    expect(admitted(answers)).toHaveLength(10);
    expect(new Set(answers.flatMap((one) => (one.admit ? [] : [one.position]))).size).toBe(2_990);
  });
});

const anyWaiting = fc.array(
  fc.record({
    kind: fc.constantFrom("backup" as const, "restore" as const),
    project: fc.integer({ min: 0, max: 3 }),
    createdAtMs: fc.integer({ min: 0, max: 60 }).map((hours) => hours * hourMs),
    places: fc.uniqueArray(fc.constantFrom("p", "q", "r", "s", "t"), { maxLength: 2 }),
  }),
  { maxLength: 25 },
);
const toWaiting = (
  all: readonly { project: number; kind: "backup" | "restore"; createdAtMs: number; places: string[] }[],
) =>
  all.map(({ project, ...one }, index) => ({
    ...one,
    id: `o${index}`,
    projectId: `project-${project}`,
    stores: [],
  }));
const anyLimits = fc.record(
  {
    backups: fc.integer({ min: 1, max: 4 }),
    restores: fc.integer({ min: 1, max: 3 }),
    perProject: fc.integer({ min: 1, max: 3 }),
  },
  { requiredKeys: ["backups", "restores"] },
);

function expectWithinLimits(
  running: readonly RunningOperation[],
  { backups, restores, perProject }: AdmissionLimits,
) {
  const count = (matches: (one: RunningOperation) => boolean) => running.filter(matches).length;
  expect(count(({ kind }) => kind === "backup")).toBeLessThanOrEqual(backups);
  expect(count(({ kind }) => kind === "restore")).toBeLessThanOrEqual(restores);
  for (const { projectId } of running) {
    expect(count((one) => one.projectId === projectId)).toBeLessThanOrEqual(perProject ?? Infinity);
  }
  const places = running.flatMap((one) => one.places);
  expect(new Set(places).size).toBe(places.length);
}

/** The line in which those of a kind stand, by the rule alone: whose project has the fewest, then was served longest ago. */
function lineOf(
  waiting: readonly WaitingOperation[],
  running: readonly RunningOperation[],
  served: readonly Served[],
): string[] {
  const left = waiting.toSorted((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  const count = new Map<string, number>();
  for (const { projectId } of running) count.set(projectId, (count.get(projectId) ?? 0) + 1);
  const atMs = new Map(served.map((one) => [one.projectId, one.atMs]));
  const line: string[] = [];
  const standing = ({ projectId }: WaitingOperation) => [
    count.get(projectId) ?? 0,
    atMs.get(projectId) ?? -1,
  ];
  const isBefore = (a: WaitingOperation, b: WaitingOperation) => {
    const [[few = 0, early = 0], [many = 0, late = 0]] = [standing(a), standing(b)];
    return few < many || (few === many && early < late);
  };
  while (left.length > 0) {
    const next = left.reduce((best, one) => (isBefore(one, best) ? one : best));
    line.push(next.id);
    left.splice(left.indexOf(next), 1);
    count.set(next.projectId, (count.get(next.projectId) ?? 0) + 1);
    atMs.set(next.projectId, 1_000 + line.length);
  }
  return line;
}

describe("admission, whatever waits", () => {
  it("tells the line as it would move if one after the other began", () => {
    const project = fc.integer({ min: 0, max: 5 });
    const someRunning = fc.array(project, { maxLength: 8 });
    const someServed = fc.uniqueArray(fc.tuple(project, fc.nat(9)), { selector: ([one]) => one });
    fc.assert(
      fc.property(anyWaiting, someRunning, someServed, (all, projects, times) => {
        const waiting = toWaiting(all.map((one) => ({ ...one, kind: "backup" as const, places: [] })));
        const running = projects.map((one, n) => backup(`r${n}`, { projectId: `project-${one}` }));
        const served = times.map(([one, atMs]) => ({
          projectId: `project-${one}`,
          kind: "backup" as const,
          atMs,
        }));
        const answers = decide({ waiting, running, served, limits: { backups: 0, restores: 0 } });
        const told = answers.flatMap((one) => (one.admit ? [] : [one]));
        const line = told.toSorted((a, b) => a.position - b.position).map(({ id }) => id);
        expect(line).toEqual(lineOf(waiting, running, served));
      }),
    );
  });

  it("answers for each, stays within the limits, and numbers those that wait without a gap", () => {
    fc.assert(
      fc.property(anyWaiting, anyLimits, (all, givenLimits) => {
        const waiting = toWaiting(all);
        const answers = decide({ waiting, limits: givenLimits });
        expect(answers.map(({ id }) => id)).toEqual(waiting.map(({ id }) => id));
        const begun = waiting.filter((_, index) => answers[index]?.admit);
        expectWithinLimits(begun, givenLimits);
        expect(begun.length > 0).toBe(waiting.length > 0);
        for (const kind of ["backup", "restore"] as const) {
          const places = answers.flatMap((one, index) =>
            one.admit || waiting[index]?.kind !== kind ? [] : [one],
          );
          const positions = places.map(({ position }) => position).toSorted((a, b) => a - b);
          expect(positions).toEqual(positions.map((_, index) => index + 1));
          for (const one of places) expect(one.of).toBe(places.length);
        }
      }),
    );
  });

  it("adds nothing when it is asked again before anything ended", () => {
    fc.assert(
      fc.property(anyWaiting, anyLimits, (all, givenLimits) => {
        const waiting = toWaiting(all);
        const first = new Set(admitted(decide({ waiting, limits: givenLimits })));
        const running = waiting.filter(({ id }) => first.has(id));
        const left = waiting.filter(({ id }) => !first.has(id));
        expect(admitted(decide({ running, waiting: left, limits: givenLimits }))).toEqual([]);
      }),
    );
  });

  it("lets each begin in the end, although others never stop coming", () => {
    fc.assert(
      fc.property(
        anyWaiting,
        anyLimits,
        fc.array(fc.nat(1_000), { minLength: 1 }),
        (all, givenLimits, dice) => {
          const owed = new Set(toWaiting(all).map(({ id }) => id));
          let waiting: WaitingOperation[] = toWaiting(all);
          let running: WaitingOperation[] = [];
          const served = new Map<string, Served>();
          let step = 0;
          const roll = (sides: number): number => (dice[step % dice.length] ?? 0) % sides;
          for (; owed.size > 0 && step < 3_000; step += 1) {
            const atMs = (60 + step) * hourMs;
            const answers = new Set(
              admitted(decide({ running, waiting, served: [...served.values()], limits: givenLimits })),
            );
            for (const one of waiting.filter(({ id }) => answers.has(id))) {
              owed.delete(one.id);
              running.push(one);
              served.set(`${one.kind} ${one.projectId}`, { projectId: one.projectId, kind: one.kind, atMs });
            }
            waiting = waiting.filter(({ id }) => !answers.has(id));
            expectWithinLimits(running, givenLimits);
            // Any of them may end, but none runs for ever.
            const ending = step % 3 === 0 ? 0 : roll(running.length);
            running = running.filter((_, index) => index !== ending);
            const newcomer = step % 2 === 0 ? restore(`n${step}`) : backup(`n${step}`);
            const places = [["p"], ["q"], ["p", "q"], ["r"], []][roll(5)] ?? [];
            // As many come as begin: the line never gets shorter.
            if (waiting.length < 30)
              waiting.push({ ...newcomer, projectId: `project-${roll(5)}`, createdAtMs: atMs, places });
          }
          expect([...owed]).toEqual([]);
        },
      ),
      { numRuns: 30 },
    );
  });
});
