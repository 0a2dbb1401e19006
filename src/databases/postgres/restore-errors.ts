import { Failure } from "../../core/failure.ts";
import type { ToolOutcome } from "./restore-tool.ts";

/** One thing that pg_restore could not do. */
export interface RestoreError {
  /** What it was working on, in pg_restore's words: `FK CONSTRAINT orders orders_customer_fkey`. */
  readonly object?: string;
  readonly message: string;
}

/**
 * Reads pg_restore's standard error (English). The value parts of messages (`DETAIL: Key (…)=(…)`, COPY
 * context with a row) are not kept: they hold the customer's data.
 */
export function parseRestoreErrors(stderr: string): RestoreError[] {
  const errors: RestoreError[] = [];
  let object: string | undefined;
  for (const line of stderr.split("\n")) {
    const from = /^pg_restore: from TOC entry \d+; \d+ \d+ (.*)$/.exec(line)?.[1];
    if (from !== undefined) {
      object = from;
      continue;
    }
    // In parallel pg_restore does not say the entry, only the command.
    const command = /^Command was: ([^('"$]*(?:"[^"]*"[^('"$]*)*)/.exec(line)?.[1];
    const last = errors.at(-1);
    if (command !== undefined && last !== undefined && last.object === undefined) {
      errors.splice(-1, 1, { ...last, object: command.trim().slice(0, 120) });
    }
    const message =
      /^(?:pg_restore|psql(?::[^:]*:\d+)?): error: (.*)$/.exec(line)?.[1] ??
      /^(?:psql:\S*: )?(?:ERROR|FATAL): {1,2}(.*)$/.exec(line)?.[1];
    if (message === undefined) continue;
    const cleaned = message.replace(/^could not execute query: /, "").replace(/^(?:ERROR|FATAL): {1,2}/, "");
    errors.push({ ...(object === undefined ? {} : { object }), message: withoutValues(cleaned) });
  }
  return errors;
}

const withoutValues = (message: string): string =>
  message.replace(/(invalid input syntax for [^:]*): ".*"$/, "$1").slice(0, 300);

/** A Failure that names what could not be restored, with the likely cause. */
export function restoreToolFailure(outcome: ToolOutcome, doing: string, database: string): Failure {
  const errors = parseRestoreErrors(outcome.stderr);
  const text = outcome.stderr;
  if (/No space left on device|could not extend file/.test(text)) {
    return new Failure(
      "target-disk-full",
      `The target server ran out of disk space while ${doing} into "${database}". Free space there and restore again.`,
    );
  }
  const shown = errors
    .slice(0, 5)
    .map(({ object, message }) => (object === undefined ? message : `${object}: ${message}`));
  const more = errors.length > 5 ? `; and ${errors.length - 5} more` : "";
  const what = shown.length === 0 ? firstWords(text) : shown.join("; ") + more;
  const hint = adviceFor(text);
  return new Failure(
    "restore-tool-failed",
    `${doing[0]?.toUpperCase()}${doing.slice(1)} into "${database}" failed (exit status ${outcome.exitCode}): ${what}. ` +
      (hint ?? "The target was left as it was."),
  );
}

const firstWords = (text: string): string =>
  text.trim().split("\n").slice(-1)[0]?.slice(0, 300) || "it said nothing";

/** The causes page after page of restores has shown; undefined where none fits. */
function adviceFor(stderr: string): string | undefined {
  if (/violates check constraint/.test(stderr)) {
    return (
      "A CHECK that reads another table cannot be restored with its table's rows. In the source, replace it by a " +
      "trigger or mark it NOT VALID, then back up again; or restore the other tables with --table."
    );
  }
  if (/(?:relation|function|type|operator) .* does not exist/.test(stderr)) {
    return (
      "If a function of an index, a generated column or a CHECK finds its tables by search_path only, give it one " +
      "in the source (ALTER FUNCTION … SET search_path = …) and back up again: the tools restore with an empty one."
    );
  }
  if (/cannot drop .* because other objects depend on it/.test(stderr)) {
    // Names of objects only, never a value.
    const user = /^(?:psql:\S* )?(?:DETAIL: {1,2})?(.{1,200}) depends on (?:function|table|type|view) /m.exec(
      stderr,
    )?.[1];
    return (
      `${user ?? "Something that the backup does not have"} uses it. Drop or move that, or restore without ` +
      "--into in-place: a swap takes the whole database's place. The target was left as it was."
    );
  }
  if (/permission denied|must be owner|must be superuser|must be (?:able to SET|a member of)/.test(stderr)) {
    return "The role may not create this. Restore as the database's owner or a superuser, or with --no-owner.";
  }
  return undefined;
}
