import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCron, readCron, type CronTimes } from "./cron-times.ts";
import { changeAfter } from "./wall-clock.ts";

function open(cron: string, timeZone: string): CronTimes {
  const times = parseCron(cron, timeZone);
  if ("problem" in times) throw new Error(times.problem);
  return times;
}

function timesOf(cron: string, timeZone: string, after: string, count: number): string[] {
  const times = open(cron, timeZone);
  const found: string[] = [];
  for (let at = Date.parse(after); found.length < count;) {
    const next = times.nextAfter(at);
    if (next === undefined) break;
    found.push(new Date(next).toISOString().slice(5, 16));
    at = next;
  }
  return found;
}

const zones = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/Sao_Paulo",
  "Australia/Lord_Howe",
  "Africa/Casablanca",
  "Asia/Kathmandu",
  "Pacific/Apia",
];
const crons = [
  "0 2 * * *",
  "30 2 * * *",
  "*/15 2 * * *",
  "0 */2 * * *",
  "0 * * * *",
  "*/7 * * * *",
  "0 0 * * *",
  "59 23 31 * *",
  "30 1 * * 0",
];
const instants = fc.integer({ min: Date.UTC(2009, 0), max: Date.UTC(2031, 0) });

describe("readCron", () => {
  it.each([
    // Europe/Berlin puts the clock forward on 2026-03-29 at 02:00 (01:00 UTC), back on 2026-10-25 at 03:00 (01:00 UTC).
    ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["03-29T01:00", "03-30T00:30"]],
    ["*/15 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["03-29T01:00", "03-30T00:00"]],
    ["0 3 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["03-29T01:00", "03-30T01:00"]],
    ["0 */2 * * *", "Europe/Berlin", "2026-03-28T23:00Z", ["03-29T01:00", "03-29T02:00", "03-29T04:00"]],
    ["30 * * * *", "Europe/Berlin", "2026-03-28T23:45Z", ["03-29T00:30", "03-29T01:30", "03-29T02:30"]],
    ["30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["10-25T00:30", "10-26T01:30"]],
    ["0 */2 * * *", "Europe/Berlin", "2026-10-24T22:00Z", ["10-25T00:00", "10-25T03:00", "10-25T05:00"]],
    ["30 * * * *", "Europe/Berlin", "2026-10-24T23:45Z", ["10-25T00:30", "10-25T01:30", "10-25T02:30"]],
    ["@hourly", "Europe/Berlin", "2026-10-24T23:45Z", ["10-25T00:00", "10-25T01:00", "10-25T02:00"]],
    // Half an hour, on 2026-10-04 at 02:00.
    ["15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00Z", ["10-03T15:30", "10-04T15:15"]],
    // Midnight is what is passed over, on 2018-11-04.
    ["0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00Z", ["11-04T03:00", "11-05T02:00"]],
    // A whole day was passed over, the 30th.
    ["0 12 * * *", "Pacific/Apia", "2011-12-29T00:00Z", ["12-29T22:00", "12-30T10:00", "12-30T22:00"]],
    ["0 0 31 * *", "UTC", "2026-01-31T00:00Z", ["03-31T00:00", "05-31T00:00"]],
    ["0 2 * * 1-5", "UTC", "2026-11-27T12:00Z", ["11-30T02:00", "12-01T02:00"]],
  ])("%s in %s after %s", (cron, timeZone, after, expected) => {
    expect(timesOf(cron, timeZone, after, expected.length)).toEqual(expected);
  });

  it("says what it cannot read", () => {
    for (const cron of ["", "0 2 * *", "0 2 * * * *", "61 * * * *", "0 25 * * *", "often", "@daily-random"]) {
      expect(readCron(cron, "UTC"), cron).toHaveProperty("problem");
    }
    expect(open("0 0 31 2 *", "UTC").nextAfter(0)).toBeUndefined();
    expect(open("* * 31 2 *", "Europe/Berlin").nextAfter(Date.UTC(2026, 0))).toBeUndefined();
  });

  it("always comes after the instant it is asked about, and what comes next does not depend on where one looks", () => {
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.constantFrom(...crons), instants, (timeZone, cron, ms) => {
        const times = open(cron, timeZone);
        const next = times.nextAfter(ms) ?? Infinity;
        expect(next).toBeGreaterThan(ms);
        // From anywhere before it, the same: nothing lies between, and nothing is lost.
        expect(times.nextAfter(next - 1)).toBe(next);
        expect(times.nextAfter(Math.floor((ms + next) / 2))).toBe(next);
      }),
      { numRuns: 200 },
    );
  });

  it("says the same when it was asked before", () => {
    const asked = fc.array(fc.integer({ min: 0, max: 90 * 24 }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.constantFrom(...crons), asked, (timeZone, cron, hours) => {
        const times = readCron(cron, timeZone);
        if ("problem" in times) throw new Error(times.problem);
        for (const hour of hours) {
          const ms = Date.UTC(2026, 1) + hour * 3_600_000;
          expect(times.nextAfter(ms)).toBe(open(cron, timeZone).nextAfter(ms));
        }
      }),
      { numRuns: 100 },
    );
  });

  it("loses and doubles none around a change of the clock", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...zones.filter((zone) => zone !== "UTC" && zone !== "Asia/Kathmandu")),
        fc.constantFrom("30 2 * * *", "0 0 * * *", "15 1,3 * * *", "0 * * * *"),
        instants.filter((ms) => ms < Date.UTC(2011, 5)),
        fc.integer({ min: 50_000, max: 5_000_000 }),
        (timeZone, cron, ms, stepMs) => {
          const change = changeAfter(ms, timeZone) ?? ms;
          const times = open(cron, timeZone);
          const [from, to] = [change - 40 * 3_600_000, change + 40 * 3_600_000];
          const chain: number[] = [];
          for (let at = times.nextAfter(from); at !== undefined && at <= to; at = times.nextAfter(at))
            chain.push(at);
          const looked = new Set<number>();
          for (let at = from; at < to; at += stepMs) {
            const next = times.nextAfter(at);
            if (next !== undefined && next <= at + stepMs && next <= to) looked.add(next);
          }
          expect(chain).toEqual(expect.arrayContaining([...looked]));
          // Looking often enough finds exactly the chain.
          const isOften = stepMs < 15 * 60_000;
          expect(looked.size).toBeGreaterThanOrEqual(isOften ? chain.length : 0);
          const perDay = cron === "0 * * * *" ? 24 : cron.includes(",") ? 2 : 1;
          expect(chain.length).toBeGreaterThanOrEqual(Math.floor((80 / 24) * perDay) - 1);
        },
      ),
      { numRuns: 60 },
    );
  });
});
