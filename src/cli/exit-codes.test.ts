import { expect, test } from "vitest";
import { Failure, failures } from "../core/failure.ts";
import type { FailureCode } from "../core/failure.ts";
import { exitCodeMeanings, exitCodeOf } from "./exit-codes.ts";

const documented: Record<Failure["kind"], number> = {
  failed: 1,
  usage: 2,
  refused: 3,
  "not-found": 4,
  "timed-out": 5,
  integrity: 6,
};

test("every failure code has the documented exit code of its kind", () => {
  for (const code of Object.keys(failures) as FailureCode[]) {
    expect(exitCodeOf(code), code).toBe(documented[new Failure(code, "").kind]);
  }
});

test("every exit code from 0 to 6 is explained once", () => {
  expect(exitCodeMeanings.map(([code]) => code)).toEqual([0, 1, 2, 3, 4, 5, 6]);
});
