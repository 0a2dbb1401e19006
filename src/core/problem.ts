import { Failure, type FailureCode } from "./failure.ts";

/** One thing that is wrong with a request. */
export interface Problem {
  readonly code: FailureCode;
  /** The field, as §7 names it. */
  readonly field: string;
  readonly message: string;
}

/** A request with something wrong in it; every problem at once. Its code is the problem's own when there is only one kind. */
export class InvalidRequest extends Failure {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], message = problems.map((problem) => problem.message).join(" ")) {
    const [first] = problems;
    const isOneKind = first !== undefined && problems.every(({ code }) => code === first.code);
    super(isOneKind ? first.code : "request-invalid", message);
    this.problems = problems;
  }
}

/** Everything that is wrong with the request, at once. */
export function refuseProblems(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new InvalidRequest(problems);
}

/** A problem of the general code, when it is one. */
export function when(isWrong: boolean, field: string, message: string): Problem[] {
  return isWrong ? [{ code: "request-invalid", field, message }] : [];
}

/** A hundred years: what is meant to be longer is meant to be for ever. */
export const longestSeconds = 3_153_600_000;

export const isWholeBetween = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;
