import { failures } from "../core/failure.ts";
import type { FailureCode } from "../core/failure.ts";

/**
 * The exit codes of `lc2`, documented and stable. Ctrl-C ends with `failed` (code `cancelled`) once
 * everything is cleaned up, so that "it did not happen" is one number for scripts; a second Ctrl-C stops at
 * once with 128 + the signal's number, as shells expect of a process that was cut off.
 */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  notFound: 4,
  timedOut: 5,
  integrity: 6,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What each exit code means, for the help text and the reference page. */
export const exitCodeMeanings: readonly (readonly [ExitCode, string])[] = [
  [exitCodes.done, "done"],
  [exitCodes.failed, "failed, or cancelled"],
  [exitCodes.usage, "the command line cannot be understood"],
  [exitCodes.refused, "refused: policy, protection or validation says no"],
  [exitCodes.notFound, "the thing named does not exist"],
  [exitCodes.timedOut, "timed out waiting"],
  [exitCodes.integrity, "stored data is damaged, missing or not what it claims to be"],
];

const byKind = {
  failed: exitCodes.failed,
  usage: exitCodes.usage,
  refused: exitCodes.refused,
  "not-found": exitCodes.notFound,
  "timed-out": exitCodes.timedOut,
  integrity: exitCodes.integrity,
} as const;

/** The one place where a failure's code becomes an exit code. */
export function exitCodeOf(code: FailureCode): ExitCode {
  return byKind[failures[code].kind];
}
