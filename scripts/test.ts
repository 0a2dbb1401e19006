/**
 * `npm test`: every test but the benchmarks, on real servers. Arguments go to vitest (a path, `-t name`,
 * `--project unit`, `--coverage`). The last line is `N passed, N failed` (and `, N skipped` when any were);
 * the exit code is 0 only when tests ran and none failed.
 */
import { readFileSync, rmSync } from "node:fs";
import { testSummaryLine, runTests } from "./run-tests.ts";

const versionsFile = new URL("../.cache/postgres-versions.json", import.meta.url);
rmSync(versionsFile, { force: true });

const summary = runTests(process.argv.slice(2));

console.log(describePostgresVersions());
console.log(testSummaryLine(summary));
process.exitCode = summary.ok ? 0 : 1;

/** The global set-up of the integration tests writes what it started: `["16.14", "17.10"]`. */
function describePostgresVersions(): string {
  try {
    const versions = JSON.parse(readFileSync(versionsFile, "utf8")) as string[];
    return `PostgreSQL: ran on ${versions.join(", ")}`;
  } catch {
    return "PostgreSQL: none (no integration test was asked for, or its set-up failed)";
  }
}
