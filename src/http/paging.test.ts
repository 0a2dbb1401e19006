import { describe, expect, it } from "vitest";
import { nextCursor, readCursor, readMoment } from "./paging.ts";

describe("a cursor", () => {
  it("says where the next page begins, counted from what was there at the first", () => {
    const first = readCursor(undefined, 1_000);
    expect(first).toEqual({ offset: 0, untilMs: 1_000 });
    const { nextCursor: cursor } = nextCursor(first, 2, 5);
    expect(readCursor(cursor, 9_000)).toEqual({ offset: 2, untilMs: 1_000 });
  });

  it("is not there after the last page, nor after an empty one", () => {
    expect(nextCursor({ offset: 4, untilMs: 0 }, 1, 5)).toEqual({});
    expect(nextCursor({ offset: 9, untilMs: 0 }, 0, 50)).toEqual({});
  });

  it.each(["", "x", Buffer.from("-1.5").toString("base64url"), Buffer.from("1").toString("base64url")])(
    "%j is refused",
    (cursor) => {
      expect(() => readCursor(cursor, 0)).toThrow("no nextCursor");
    },
  );
});

describe("a moment", () => {
  it.each([
    ["2025-11-01", "start", "2025-11-01T00:00:00.000Z"],
    ["2025-11-01", "end", "2025-11-01T23:59:59.999Z"],
    ["2025-11-01T10:30", "end", "2025-11-01T10:30:00.000Z"],
    ["2025-11-01T10:30:00Z", "start", "2025-11-01T10:30:00.000Z"],
    ["2025-11-01T00:30:00+02:00", "start", "2025-10-31T22:30:00.000Z"],
  ] as const)("%s as %s is %s", (text, edge, instant) => {
    expect(new Date(readMoment("startDate", text, edge) ?? 0).toISOString()).toBe(instant);
  });

  it("is none where none is given, and one of the calendar", () => {
    expect(readMoment("startDate", undefined, "start")).toBeUndefined();
    for (const text of ["2026-02-30", "2026-13-01", "2026-01-01T25:00Z", "0000-00-00"]) {
      expect(() => readMoment("startDate", text, "start")).toThrow("no time of the calendar");
    }
  });
});
