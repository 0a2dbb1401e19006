import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatWindow, parseWindow, windowAtOrAfter, type BackupWindow } from "./backup-window.ts";

const windows = (...texts: string[]): BackupWindow[] =>
  texts.map((text) => parseWindow(text) as BackupWindow);

function at(texts: string[], instant: string, timeZone = "Europe/Berlin"): string {
  const { openMs, closeMs } = windowAtOrAfter(windows(...texts), Date.parse(instant), timeZone);
  return [openMs, closeMs].map((ms) => new Date(ms).toISOString().slice(5, 16)).join(" ");
}

describe("a backup window", () => {
  it("is written as two times of day", () => {
    expect(parseWindow("01:00-05:30")).toEqual({ fromMinute: 60, toMinute: 330 });
    expect(parseWindow("22:00-00:00")).toEqual({ fromMinute: 1320, toMinute: 1440 });
    for (const text of ["01:00-05:30", "22:00-06:00", "00:00-24:00"]) {
      expect(formatWindow(windows(text)[0] as BackupWindow)).toBe(text);
    }
    for (const text of ["", "1-5", "01:00", "01:00-01:00", "25:00-26:00", "01:60-02:00", "01:00-02:60"]) {
      expect(parseWindow(text), text).toBeUndefined();
    }
  });

  it.each([
    ["open", ["01:00-05:00"], "2026-11-10T02:00Z", "11-10T00:00 11-10T04:00"],
    ["next today", ["01:00-05:00"], "2026-11-09T23:00Z", "11-10T00:00 11-10T04:00"],
    ["passed today", ["01:00-05:00"], "2026-11-10T04:00Z", "11-11T00:00 11-11T04:00"],
    ["over midnight, begun yesterday", ["22:00-04:00"], "2026-11-10T01:00Z", "11-09T21:00 11-10T03:00"],
    ["several", ["01:00-02:00", "13:00-14:00"], "2026-11-10T06:00Z", "11-10T12:00 11-10T13:00"],
    ["touching ones are one", ["22:00-24:00", "00:00-02:00"], "2026-11-10T00:30Z", "11-09T21:00 11-10T01:00"],
    [
      "longer on the day the clock is put back",
      ["01:00-05:00"],
      "2026-10-25T00:00Z",
      "10-24T23:00 10-25T04:00",
    ],
    ["shorter when it is put forward", ["01:00-05:00"], "2026-03-29T00:00Z", "03-29T00:00 03-29T03:00"],
    ["put forward over it", ["02:00-03:00"], "2026-03-29T00:30Z", "03-29T01:00 03-29T02:00"],
  ])("%s", (_, texts, instant, expected) => {
    expect(at(texts, instant)).toBe(expected);
  });

  it("is open at the instant or opens after it, in any zone", () => {
    const minute = fc.integer({ min: 0, max: 1439 });
    const window = fc
      .record({ fromMinute: minute, toMinute: minute.map((one) => one + 1) })
      .filter(({ fromMinute, toMinute }) => fromMinute !== toMinute);
    fc.assert(
      fc.property(
        fc.array(window, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: Date.UTC(2010, 0), max: Date.UTC(2030, 0) }),
        fc.constantFrom("UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"),
        (some, ms, timeZone) => {
          const { openMs, closeMs } = windowAtOrAfter(some, ms, timeZone);
          expect(closeMs).toBeGreaterThan(Math.max(openMs, ms));
          expect(openMs).toBeLessThanOrEqual(ms + 49 * 3_600_000);
          expect(windowAtOrAfter(some, Math.max(ms, openMs - 1), timeZone)).toEqual({ openMs, closeMs });
        },
      ),
    );
  });
});
