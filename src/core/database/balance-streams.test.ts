import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { balanceStreams, chooseStreams } from "./balance-streams.ts";

const mebibyte = 1024 * 1024;

describe("tables dealt out to archives", () => {
  const input = fc.record({
    sizes: fc.array(fc.integer({ min: 0, max: 4096 }), { maxLength: 40 }),
    rest: fc.integer({ min: 0, max: 4096 }),
    streams: fc.integer({ min: 1, max: 6 }),
  });

  test("are each in one archive at most, and none is empty", () => {
    fc.assert(
      fc.property(input, ({ sizes, rest, streams }) => {
        const tables = sizes.map((size, index) => ({ oid: index + 1, sizeBytes: size * mebibyte }));
        const { rows } = balanceStreams(tables, rest * mebibyte, streams);
        expect(rows.length).toBeLessThan(streams);
        expect(rows.every((oids) => oids.length > 0)).toBe(true);
        expect(new Set(rows.flat()).size).toBe(rows.flat().length);
        expect(balanceStreams(tables.toReversed(), rest * mebibyte, streams)).toEqual({ rows });
      }),
    );
  });

  test("end at about the same time: no archive has more than the average and one table over", () => {
    fc.assert(
      fc.property(input, ({ sizes, rest, streams }) => {
        const tables = sizes.map((size, index) => ({ oid: index + 1, sizeBytes: size * mebibyte }));
        const { rows } = balanceStreams(tables, rest * mebibyte, streams);
        const loadOf = (oids: readonly number[]): number =>
          oids.reduce((sum, oid) => sum + (sizes[oid - 1] ?? 0), 0);
        const loads = rows.map(loadOf);
        const total = rest + sizes.reduce((sum, size) => sum + size, 0);
        const largest = Math.max(0, ...sizes);
        for (const load of loads) expect(load).toBeLessThanOrEqual(total / streams + largest);
      }),
    );
  });

  test("stay together where one archive is asked for, and where they are small", () => {
    expect(balanceStreams([{ oid: 1, sizeBytes: 1e12 }], 0, 1)).toEqual({ rows: [] });
    expect(balanceStreams([{ oid: 1, sizeBytes: mebibyte }], 1e12, 4)).toEqual({ rows: [] });
  });
});

test("more archives are read at once for larger databases, never more than processors", () => {
  const gibibyte = 1024 ** 3;
  expect([0.5, 2, 20, 200].map((size) => chooseStreams(size * gibibyte, 8))).toEqual([1, 2, 3, 4]);
  expect(chooseStreams(200 * gibibyte, 2)).toBe(2);
});
