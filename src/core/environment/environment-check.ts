/** One right that a backup or a restore will need, and whether it is there. */
export interface RightCheck {
  /** `database main`, `files main`, `repository`. */
  readonly subject: string;
  /** What was tried: `read everything`, `create databases`, `s3:PutObject`. */
  readonly right: string;
  readonly result: "ok" | "missing" | "unknown";
  /** Why it is not there, or what could not be found out. */
  readonly message?: string;
  /** What gives it: SQL statements, or the statements of a bucket's policy as JSON. */
  readonly remedy?: readonly string[];
}

export interface EnvironmentCheck {
  readonly checks: readonly RightCheck[];
}

/** What the environment is going to be used for. */
export type CheckPurpose = "backup" | "restore";

/** Production is backed up; the others are restored into. Pure. */
export const usualPurposes = (role: string): readonly CheckPurpose[] =>
  role === "production" ? ["backup"] : ["restore"];

export const ok = (subject: string, right: string): RightCheck => ({ subject, right, result: "ok" });

export function missing(
  subject: string,
  right: string,
  message: string,
  remedy: readonly string[] = [],
): RightCheck {
  return { subject, right, result: "missing", message, ...(remedy.length === 0 ? {} : { remedy }) };
}

/**
 * A sentence of a failure, and the statements that it ends with (lines set in by two spaces), apart. Pure.
 */
export function splitRemedy(message: string): {
  readonly message: string;
  readonly remedy: readonly string[];
} {
  const lines = message.split("\n");
  const isStatement = (line: string): boolean => line.startsWith("  ");
  return {
    message: lines.filter((line) => !isStatement(line)).join(" "),
    remedy: lines.filter(isStatement).map((line) => line.trim()),
  };
}

/** One statement of a bucket's policy that allows these actions; `objects`: of the objects below the prefix. Pure. */
export function policyStatement(
  { bucket, prefix }: { readonly bucket: string; readonly prefix: string },
  actions: readonly string[],
  scope: "bucket" | "objects",
): string {
  const arn = `arn:aws:s3:::${bucket}`;
  const Resource = scope === "bucket" ? arn : `${arn}/${prefix}*`;
  return JSON.stringify({ Effect: "Allow", Action: actions, Resource });
}
