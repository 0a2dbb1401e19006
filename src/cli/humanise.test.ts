import { describe, expect, test } from "vitest";
import { age, count, counted, duration, instant, percent, ratio, shellWord, size } from "./humanise.ts";

describe("numbers as people read them", () => {
  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [9994, "9.99 kB"],
    [9995, "10.0 kB"],
    [99_949, "99.9 kB"],
    [99_950, "100 kB"],
    [999_499, "999 kB"],
    [999_500, "1.00 MB"],
    [142_000_000, "142 MB"],
    [1_065_000_000, "1.06 GB"],
    [5e15, "5.00 PB"],
    [5e18, "5000 PB"],
  ])("%i bytes are %s", (bytes, text) => {
    expect(size(bytes)).toBe(text);
  });

  test.each([
    [-1, "0 s"],
    [0.04, "0.0 s"],
    [9.94, "9.9 s"],
    [59.4, "59 s"],
    [59.6, "1 min"],
    [95, "1 min 35 s"],
    [3600, "1 h"],
    [3660, "1 h 1 min"],
    [90_000, "1 d 1 h"],
  ])("%d seconds are %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });

  test.each([
    [0, "0s"],
    [59, "59s"],
    [60, "1m"],
    [3600, "1h"],
    [47 * 3600, "47h"],
    [48 * 3600, "2d"],
    [800 * 86_400, "2y"],
    [-5, "0s"],
  ])("%d seconds ago is an age of %s", (seconds, text) => {
    expect(age(0, seconds * 1000)).toBe(text);
  });

  test("counts have thousands separators and the right number", () => {
    expect(count(1_234_567)).toBe("1,234,567");
    expect(count(999)).toBe("999");
    expect(counted(1, "file")).toBe("1 file");
    expect(counted(1204, "file")).toBe("1,204 files");
    expect(counted(2, "entry", "entries")).toBe("2 entries");
  });

  test("a ratio of nothing is no ratio", () => {
    expect(ratio(0, 10)).toBeUndefined();
    expect(ratio(10, 0)).toBeUndefined();
    expect(ratio(1065, 142)).toBe("7.5 : 1");
  });

  test("a percentage is never rounded up to 100 before the end", () => {
    expect(percent(999, 1000)).toBe("99 %");
    expect(percent(1000, 1000)).toBe("100 %");
    expect(percent(5, 0)).toBe("100 %");
  });

  test("times are shown in UTC, and what is no time is left alone", () => {
    expect(instant("2026-11-24T14:05:09.123Z")).toBe("2026-11-24 14:05:09 UTC");
    expect(instant("yesterday")).toBe("yesterday");
  });

  test("words for a shell are quoted only where they must be", () => {
    expect(shellWord("postgres://app@db:5432/lportal")).toBe("postgres://app@db:5432/lportal");
    expect(shellWord("postgres:///db?host=/tmp")).toBe("'postgres:///db?host=/tmp'");
    expect(shellWord("it's")).toBe(`'it'\\''s'`);
    expect(shellWord("")).toBe("''");
  });
});
