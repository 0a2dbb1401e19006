import { Failure } from "../core/failure.ts";

/** What the server says when it, or the way to it, is not there for now (PostgreSQL's manual, appendix A). */
const transientClasses = new Set([
  "08", // connection exceptions
  "53", // insufficient resources: connections, memory, disk
  "57", // shut down, starting up, statement time-out
]);
const transientCodes = new Set([
  "25P03", // idle in a transaction for too long: this process was stopped
  "25P04", // transaction time-out
  "40001", // serialization failure
  "40P01", // deadlock
  "55P03", // lock not available
]);

/** What of a server's answers has an advice of its own. */
const advice: Readonly<Record<string, string>> = {
  "42501":
    "Its role needs the rights of the schema's owner: have the schema made for it with CREATE SCHEMA … AUTHORIZATION.",
  "42P01":
    "A table of it is gone. If somebody dropped it, drop the rest of the schema too and run `lc2 repository scan`.",
  "3F000": "Its schema is gone. Start again, and run `lc2 repository scan`, which fills a new one.",
  "25006": "The server takes no writes: a standby, or set to read only. Name the primary in DATABASE_URL.",
};

/**
 * What went wrong with a catalog on PostgreSQL: `catalog-unreachable` (to be tried again) when server or
 * network are not there for now, `catalog-failed` for all that somebody must mend. `where` names server and
 * database; no secret.
 */
export function postgresCatalogFailure(error: unknown, where: string): Failure {
  if (error instanceof Failure && !error.code.startsWith("database-")) return error;
  // A defect of ours is no outage.
  if (error instanceof TypeError) return Failure.from(error);
  const words = (error instanceof Error ? error.message : String(error)).replace(/\.?\s*$/, ".");
  if (isTransient(error)) {
    return new Failure(
      "catalog-unreachable",
      `The catalog at ${where} does not answer: ${words} Check that the server of DATABASE_URL runs and can be ` +
        "reached from here; nothing is lost, and work goes on when it is back.",
      { cause: error, retry: "backoff" },
    );
  }
  const remedy = advice[codeOf(error)] ?? "Check DATABASE_URL and the rights of its role.";
  return new Failure("catalog-failed", `The catalog at ${where} cannot be used: ${words} ${remedy}`, {
    cause: error,
  });
}

function isTransient(error: unknown): boolean {
  if (error instanceof Failure) return error.retry === "backoff";
  const code = codeOf(error);
  if (/^[0-9A-Z]{5}$/.test(code)) return transientClasses.has(code.slice(0, 2)) || transientCodes.has(code);
  // No answer of the server: the socket broke, or nothing came in time.
  return true;
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
