import { expect, test } from "vitest";
import { dumpFailure } from "./dump-failure.ts";

const exit = { code: 1, signal: null };

test.each([
  [
    "pg_dump: error: query failed: ERROR:  canceling statement due to lock timeout",
    "lock-timeout",
    "backoff",
  ],
  ['pg_dump: error: query failed: ERROR:  invalid snapshot identifier: "1"', "snapshot-lost", "backoff"],
  ["pg_dump: error: query failed: ERROR:  permission denied for table t", "rights-missing", "never"],
  ["pg_dump: error: query would be affected by row-level security policy", "rights-missing", "never"],
  ["ERROR:  canceling statement due to conflict with recovery", "dump-failed", "backoff"],
  ["pg_dump: error: server closed the connection unexpectedly", "dump-failed", "backoff"],
  ['sslmode value "require" invalid when SSL support is not compiled in', "database-tls-failed", "never"],
  ['pg_dump: error: invalid page in block 7 of relation "t"', "dump-failed", "never"],
  ["", "dump-failed", "never"],
])("%s is %s", (said, code, retry) => {
  const failure = dumpFailure(exit, said === "" ? [] : [said], ["process 1"], 5);
  expect([failure.code, failure.retry]).toEqual([code, retry]);
});

test("its last words are its error with the details, not what came before", () => {
  const said = [
    "pg_dump: warning: something",
    "pg_dump: error: query failed",
    "pg_dump: detail: Query was: SELECT 1",
  ];
  expect(dumpFailure(exit, said, [], 5).message).toBe(
    "pg_dump ended with exit code 1: query failed Query was: SELECT 1.",
  );
});

test("a program that cannot be started, or is killed, says so", () => {
  const error = new Error("spawn EACCES");
  expect(dumpFailure({ code: null, signal: null, error }, [], [], 5).message).toContain("cannot be started");
  expect(dumpFailure({ code: null, signal: "SIGKILL" }, [], [], 5).message).toContain("want of memory");
});
