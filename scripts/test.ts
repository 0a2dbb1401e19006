/**
 * `npm test`: every test but the benchmarks, on real servers. Arguments go to vitest (a path, `-t name`,
 * `--project unit`, `--coverage`). The last line is `N passed, N failed` (and `, N skipped` when any were);
 * the exit code is 0 only when tests ran and none failed.
 */
import { readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { testSummaryLine, runTests } from "./run-tests.ts";

const versionsFile = fileURLToPath(new URL(`../.cache/postgres-${String(process.pid)}`, import.meta.url));

const summary = runTests(process.argv.slice(2), { LC2_TEST_REPORT: versionsFile });

console.log(`PostgreSQL: ${describeVersions()}`);
console.log(testSummaryLine(summary));
process.exitCode = summary.ok ? 0 : 1;

/** What the servers that tests really used said they are; the tests' global set-up writes it, one a line. */
function describeVersions(): string {
  let versions: string[] = [];
  try {
    versions = readFileSync(versionsFile, "utf8").split("\n").filter(Boolean);
  } catch {
    // No integration test was asked for, or the set-up failed, which the summary counts.
  }
  rmSync(versionsFile, { force: true });
  return versions.length === 0 ? "no test used a server" : `ran on ${versions.join(", ")}`;
}
