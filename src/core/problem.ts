import type { FailureCode } from "./failure.ts";

/** One thing that is wrong with a request. */
export interface Problem {
  readonly code: FailureCode;
  /** The field, as §7 names it. */
  readonly field: string;
  readonly message: string;
}

/** A problem of the general code, when it is one. */
export function when(isWrong: boolean, field: string, message: string): Problem[] {
  return isWrong ? [{ code: "request-invalid", field, message }] : [];
}

/** A hundred years: what is meant to be longer is meant to be for ever. */
export const longestSeconds = 3_153_600_000;

export const isWholeBetween = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;
