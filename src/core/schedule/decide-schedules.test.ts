import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseWindow, type BackupWindow } from "./backup-window.ts";
import {
  cronTimesOf,
  decideSchedule,
  decideSchedules,
  type ScheduleObservation,
} from "./decide-schedules.ts";
import type { Schedule } from "./schedule.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const night = Date.UTC(2026, 10, 10, 2);

const make = (change: Partial<Schedule> = {}): Schedule => ({
  projectId: "retail",
  name: "nightly",
  backup: { environment: "prod", provider: "local" },
  cron: "0 2 * * *",
  timeZone: "UTC",
  windows: [],
  windowEnd: "finish",
  missed: "once",
  overlap: "skip",
  suspended: false,
  fromMs: night - 12 * hourMs,
  ...change,
});
const windows = (...texts: string[]): BackupWindow[] =>
  texts.map((text) => parseWindow(text) as BackupWindow);
const see = (schedule: Schedule, more: Partial<ScheduleObservation> = {}): ScheduleObservation => ({
  schedule,
  open: [],
  ended: [],
  ...more,
});
const open = (id: string, change = {}) => ({
  id,
  slotMs: night - 24 * hourMs,
  isWaiting: false,
  cancelRequested: false,
  ...change,
});

/** Slots in short: their hour in UTC, and what becomes of them. */
const told = (nowMs: number, seen: ScheduleObservation): string[] =>
  decideSchedule(nowMs, seen).slots.map(
    (slot) => `${new Date(slot.slotMs).toISOString().slice(11, 16)} ${slot.run ? "run" : slot.reason}`,
  );

describe("a schedule with times", () => {
  it("does nothing before its time, and says when that is", () => {
    expect(decideSchedule(night - 1, see(make()))).toMatchObject({ slots: [], lookAtMs: night });
  });

  it("runs its slot once", () => {
    expect(told(night, see(make()))).toEqual(["02:00 run"]);
    expect(told(night + minuteMs, see(make(), { accountedUntilMs: night }))).toEqual([]);
  });

  it("asks nothing of the time before it was made", () => {
    expect(told(night + hourMs, see(make({ fromMs: night })))).toEqual([]);
  });

  it("that was made by a clock which ran ahead begins with the slots that are on time", () => {
    const schedule = make({ fromMs: night + 999 * hourMs });
    expect(decideSchedule(night - hourMs, see(schedule))).toMatchObject({ slots: [], lookAtMs: night });
    expect(told(night + minuteMs, see(schedule))).toEqual(["02:00 run"]);
    expect(told(night + hourMs, see(schedule))).toEqual([]);
    // Clocks that differ a little are not wrong.
    expect(told(night + minuteMs, see(make({ fromMs: night + 2 * minuteMs })))).toEqual([]);
  });

  it("makes one backup for what was missed, or none", () => {
    const later = night + 3 * 24 * hourMs + hourMs;
    const missed = ["02:00 missed", "02:00 missed", "02:00 missed"];
    expect(told(later, see(make({ missed: "once" })))).toEqual([...missed, "02:00 run"]);
    expect(told(later, see(make({ missed: "skip" })))).toEqual([...missed, "02:00 missed"]);
    expect(told(night + 4 * minuteMs, see(make({ missed: "skip" })))).toEqual(["02:00 run"]);
  });

  it("looks back a week when nothing is recorded", () => {
    expect(told(night + hourMs, see(make({ fromMs: 0 })))).toHaveLength(7);
  });

  it("runs only the newest of several that are due", () => {
    const cron = "* * * * *";
    expect(told(night + 2 * minuteMs, see(make({ cron }), { accountedUntilMs: night - 1 }))).toEqual([
      "02:00 superseded",
      "02:01 superseded",
      "02:02 run",
    ]);
  });

  it("answers a long time in pieces, and runs nothing before the last", () => {
    const schedule = make({ cron: "* * * * *", fromMs: 0 });
    const first = decideSchedule(night, see(schedule, { accountedUntilMs: night - 9 * hourMs }));
    expect(first.slots).toHaveLength(500);
    expect(first.slots.some(({ run }) => run)).toBe(false);
    expect(first.lookAtMs).toBe(night);
    const until = first.slots.at(-1)?.slotMs ?? 0;
    expect(told(night, see(schedule, { accountedUntilMs: until })).at(-1)).toBe("02:00 run");
  });

  it("records what passes while it is suspended", () => {
    expect(told(night + 24 * hourMs, see(make({ suspended: true })))).toEqual([
      "02:00 suspended",
      "02:00 suspended",
    ]);
  });

  it("has no times that it cannot read", () => {
    expect(told(night, see(make({ cron: "whenever" })))).toEqual([]);
    const { cron: _, ...none } = make();
    expect(cronTimesOf(none).nextAfter(0)).toBeUndefined();
  });

  describe("that is due while the backup before has not ended", () => {
    const seen = (overlap: Schedule["overlap"], ...some: ReturnType<typeof open>[]) =>
      see(make({ overlap }), { accountedUntilMs: night - hourMs, open: some });

    it("skips it", () => {
      const [slot] = decideSchedule(night, seen("skip", open("backup-a"))).slots;
      expect(slot).toMatchObject({ reason: "overlap", message: "backup-a had not ended." });
    });

    it("queues one, and no more", () => {
      expect(told(night, seen("queue", open("backup-a")))).toEqual(["02:00 run"]);
      expect(told(night, seen("queue", open("backup-a"), open("backup-b", { isWaiting: true })))).toEqual([
        "02:00 overlap",
      ]);
    });

    it("cancels that one, once", () => {
      const decided = decideSchedule(night, seen("cancel-previous", open("backup-a")));
      expect(decided).toMatchObject({ slots: [{ run: true }], cancels: ["backup-a"] });
      const requested = open("backup-a", { cancelRequested: true });
      expect(decideSchedule(night, seen("cancel-previous", requested)).cancels).toEqual([]);
    });

    it("cancels it in a later look when the first one ended in between", () => {
      const [a, b] = [open("backup-a"), open("backup-b", { slotMs: night })];
      const later = see(make({ overlap: "cancel-previous" }), { accountedUntilMs: night, open: [a, b] });
      expect(decideSchedule(night + 1, later).cancels).toEqual(["backup-a"]);
    });
  });

  describe("with windows", () => {
    const inWindow = (change: Partial<Schedule> = {}) => make({ windows: windows("01:00-05:00"), ...change });

    it("lets its backup begin before the window closes, and stops it then where that is asked for", () => {
      const closeMs = night + 3 * hourMs;
      expect(decideSchedule(night, see(inWindow())).slots[0]).toMatchObject({
        limits: { startBeforeMs: closeMs },
      });
      expect(
        decideSchedule(night, see(inWindow({ windowEnd: "stop", startWithinSeconds: 600 }))).slots[0],
      ).toEqual({
        slotMs: night,
        run: true,
        limits: { startBeforeMs: night + 10 * minuteMs, stopAtMs: closeMs },
      });
    });

    it("waits for the window", () => {
      const early = inWindow({ cron: "0 0 * * *" });
      const midnight = night - 2 * hourMs;
      const waiting = decideSchedule(midnight, see(early));
      expect(waiting).toMatchObject({ slots: [], waits: { slotMs: midnight, untilMs: night - hourMs } });
      expect(waiting.lookAtMs).toBe(night - hourMs);
      expect(told(night - hourMs, see(early))).toEqual(["00:00 run"]);
    });

    it("lets a later slot take the place of one that waits", () => {
      const hourly = inWindow({ cron: "0 * * * *" });
      const seen = see(hourly, { accountedUntilMs: night - 8 * hourMs });
      expect(told(night - 2 * hourMs, seen)).toEqual(
        Array.from({ length: 5 }, (_, index) => `${19 + index}:00 window`),
      );
      expect(told(night - hourMs, see(hourly, { accountedUntilMs: night - 3 * hourMs }))).toEqual([
        "00:00 window",
        "01:00 run",
      ]);
    });

    it("skips what would begin too late", () => {
      const early = inWindow({ cron: "0 0 * * *", startWithinSeconds: 1800 });
      expect(told(night - 2 * hourMs, see(early))).toEqual(["00:00 window"]);
    });

    it("makes up for what was missed in the next window", () => {
      const noon = night + 10 * hourMs;
      expect(told(noon, see(inWindow({ missed: "skip" })))).toEqual(["02:00 missed"]);
      expect(decideSchedule(noon, see(inWindow()))).toMatchObject({
        slots: [],
        waits: { slotMs: night, untilMs: night + 23 * hourMs },
      });
      expect(told(night + 23 * hourMs, see(inWindow()))).toEqual(["02:00 run"]);
      expect(told(night + 24 * hourMs, see(inWindow()))).toEqual(["02:00 missed", "02:00 run"]);
    });
  });
});

describe("a schedule with a recovery point objective", () => {
  const { cron: _, ...untimed } = make();
  const schedule: Schedule = { ...untimed, rpoSeconds: 3600 };
  const ended = (startMs: number, minutes: number, outcome: "Completed" | "Failed" = "Completed") => ({
    createdAtMs: startMs,
    begunAtMs: startMs,
    finishedAtMs: startMs + minutes * minuteMs,
    outcome,
  });

  it("begins at once", () => {
    expect(decideSchedule(night, see(schedule)).slots).toEqual([
      { slotMs: schedule.fromMs, run: true, limits: {} },
    ]);
  });

  it("begins at once, too, when it was made by a clock which ran ahead", () => {
    expect(told(night, see({ ...schedule, fromMs: night + 999 * hourMs }))).toEqual(["01:55 run"]);
  });

  it("asks for the next backup so early that it is complete before the newest is too old", () => {
    const seen = see(schedule, { accountedUntilMs: night, ended: [ended(night, 8)] });
    const decided = decideSchedule(night + 10 * minuteMs, seen);
    // 60 minutes after the recovery point, less 8 minutes and a quarter of them.
    expect(decided).toMatchObject({ slots: [], lookAtMs: night + 50 * minuteMs });
    expect(told(night + 50 * minuteMs, seen)).toEqual(["02:50 run"]);
  });

  it("pauses between backups that take too long for it, and longer after failures", () => {
    const long = see(schedule, { accountedUntilMs: night, ended: [ended(night, 90)] });
    expect(decideSchedule(night + 91 * minuteMs, long).lookAtMs).toBe(night + 96 * minuteMs);
    const failed = [2, 1, 0].map((hour) => ended(night + hour * hourMs, 1, "Failed"));
    const seen = see(schedule, { accountedUntilMs: night + 2 * hourMs, ended: failed });
    expect(decideSchedule(night + 2 * hourMs + 2 * minuteMs, seen).lookAtMs).toBe(
      night + 2 * hourMs + 25 * minuteMs,
    );
  });

  it("is not led astray by a recovery point that lies ahead", () => {
    const seen = see(schedule, { accountedUntilMs: night, ended: [ended(night + 999 * hourMs, 1)] });
    expect(decideSchedule(night + minuteMs, seen).lookAtMs).toBeLessThan(night + 2 * hourMs);
  });

  it("waits for a window, for the backup that runs, and while it is suspended", () => {
    const inWindow = { ...schedule, windows: windows("04:00-06:00") };
    expect(decideSchedule(night, see(inWindow))).toMatchObject({ slots: [], lookAtMs: night + 2 * hourMs });
    expect(decideSchedule(night, see(schedule, { open: [open("backup-a")] })).slots).toEqual([]);
    expect(decideSchedule(night, see({ ...schedule, suspended: true }))).toMatchObject({ slots: [] });
  });
});

it("gives each slot one answer, in whatever way servers come and go", () => {
  const schedules = fc.record({
    cron: fc.constantFrom("0 2 * * *", "30 2 * * *", "0 */2 * * *", "40 * * * *", "@daily-random"),
    timeZone: fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"),
    windows: fc.constantFrom([], windows("01:00-05:00"), windows("22:00-02:00", "12:00-13:00")),
    missed: fc.constantFrom<Schedule["missed"]>("skip", "once"),
    startWithinSeconds: fc.constantFrom(600, 7200, 86_400),
  });
  const looks = fc.array(fc.integer({ min: 1, max: 20 * hourMs }), { minLength: 10, maxLength: 40 });
  fc.assert(
    fc.property(schedules, looks, fc.constantFrom(2, 9), (change, steps, month) => {
      const fromMs = Date.UTC(2026, month, month === 2 ? 25 : 20);
      const schedule = make({ ...change, fromMs });
      const answered: number[] = [];
      let nowMs = fromMs;
      for (const step of steps) {
        nowMs += step;
        const accountedUntilMs = answered.at(-1);
        const seen = see(schedule, accountedUntilMs === undefined ? {} : { accountedUntilMs });
        const [one] = decideSchedules(nowMs, [seen]);
        // Another server that looks at the same moment decides the same.
        expect(decideSchedules(nowMs, [seen])).toEqual([one]);
        for (const slot of one?.slots ?? []) answered.push(slot.slotMs);
        expect(one?.lookAtMs ?? Infinity).toBeGreaterThan(nowMs);
        expect(one?.waits?.slotMs ?? 0).toBeLessThanOrEqual(nowMs);
      }
      const times = cronTimesOf(schedule);
      const slots: number[] = [];
      for (let at = times.nextAfter(fromMs); at !== undefined && at <= nowMs; at = times.nextAfter(at))
        slots.push(at);
      // What waits for its window is the newest.
      expect(slots.slice(0, answered.length)).toEqual(answered);
      expect(slots.length - answered.length).toBeLessThanOrEqual(1);
    }),
    { numRuns: 60 },
  );
});
