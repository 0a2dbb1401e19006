import { Failure } from "../../core/failure.ts";
import type { ProcessExit } from "./dump-archive.ts";
import { lockTimeout } from "./snapshot.ts";

/** Why pg_dump failed, from how it ended and what it said. */
export function dumpFailure(
  exit: ProcessExit,
  said: readonly string[],
  blockers: readonly string[],
  lockTimeoutMs: number,
): Failure {
  const text = said.join("\n");
  const cause = new Error(text === "" ? "pg_dump said nothing" : text);
  if (exit.error) {
    return new Failure("dump-failed", `pg_dump cannot be started: ${exit.error.message}.`, {
      cause: exit.error,
    });
  }
  if (exit.signal !== null) {
    const why =
      exit.signal === "SIGKILL" ? "Somebody, or the kernel for want of memory, ended it" : "It was ended";
    return new Failure(
      "dump-failed",
      `pg_dump was ended by ${exit.signal} before it was done. ${why}; run again.`,
      {
        cause,
        retry: "backoff",
      },
    );
  }
  if (/lock timeout|could not obtain lock/.test(text)) return lockTimeout(blockers, lockTimeoutMs, cause);
  if (
    /invalid snapshot identifier|snapshot "[^"]*" does not exist|could not import the requested snapshot/.test(
      text,
    )
  ) {
    return new Failure(
      "snapshot-lost",
      "The backup's snapshot ended before pg_dump could take it over. Run again.",
      {
        cause,
        retry: "backoff",
      },
    );
  }
  if (/SSL support is not compiled in/.test(text)) {
    return new Failure(
      "database-tls-failed",
      "The pg_dump that was chosen was built without TLS, which sslmode asks for. Choose other client tools with --tools.",
      { cause },
    );
  }
  const last = lastWords(said);
  if (/permission denied|row-level security|must be owner/.test(text)) {
    return new Failure(
      "rights-missing",
      `pg_dump may not read everything: ${last} Grant it, or use another role.`,
      {
        cause,
      },
    );
  }
  if (/conflict with recovery/.test(text)) {
    return new Failure(
      "dump-failed",
      "The standby cancelled the backup because the primary removed rows it still read. Set " +
        "hot_standby_feedback = on (or a longer max_standby_streaming_delay) on the standby and run again.",
      { cause, retry: "backoff" },
    );
  }
  const passing =
    /server closed the connection|terminating connection|shutting down|connection to server/.test(text);
  return new Failure("dump-failed", `pg_dump ended with exit code ${exit.code}: ${last}`, {
    cause,
    retry: passing ? "backoff" : "never",
  });
}

/** Its error and what belongs to it, in one line. */
function lastWords(said: readonly string[]): string {
  const start = said.findIndex((line) => /error:/.test(line));
  const lines = (start < 0 ? said.slice(-3) : said.slice(start, start + 4)).map((line) =>
    line.replace(/^pg_dump: (?:error: |detail: )?/, ""),
  );
  return lines.length === 0
    ? "it said nothing. Look in the server's log."
    : `${lines.join(" ")}.`.replace(/\.\.$/, ".");
}
