import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface TestSummary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Tests ran, none failed, and the runner itself ended well. */
  readonly ok: boolean;
}

/** What is read of vitest's JSON report. */
interface TestReport {
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Runs vitest in a child process with its output shown, and counts from its report. A runner that
 * crashes, leaves no report or ends badly counts as a failure, whatever the tests said.
 */
export function runTests(
  vitestArguments: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): TestSummary {
  const reportFile = `${root}.cache/tests-${String(process.pid)}.json`;
  mkdirSync(`${root}.cache`, { recursive: true });
  const run = spawnSync(
    process.execPath,
    [
      `${root}node_modules/vitest/vitest.mjs`,
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${reportFile}`,
      ...vitestArguments,
    ],
    { cwd: root, stdio: "inherit", env: { ...process.env, ...environment } },
  );
  try {
    return countTests(JSON.parse(readFileSync(reportFile, "utf8")) as TestReport, run.status === 0);
  } catch {
    return { passed: 0, failed: 1, skipped: 0, ok: false };
  } finally {
    rmSync(reportFile, { force: true });
  }
}

/** Counts a report; `exitedWell` says whether the runner's exit code was 0. */
export function countTests(report: TestReport, exitedWell: boolean): TestSummary {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const file of report.testResults) {
    const failedBefore = failed;
    for (const test of file.assertionResults) {
      if (test.status === "passed") passed += 1;
      else if (test.status === "failed") failed += 1;
      else skipped += 1;
    }
    // A file that could not be loaded has no tests to fail; it must not pass as nothing.
    if (file.status === "failed" && failed === failedBefore) failed += 1;
  }
  if (!exitedWell && failed === 0) failed = 1;
  return { passed, failed, skipped, ok: exitedWell && failed === 0 && passed > 0 };
}

/** `N passed, N failed`, and the skipped when there are any: people and CI read this line. */
export function testSummaryLine({ passed, failed, skipped }: TestSummary): string {
  const line = `${String(passed)} passed, ${String(failed)} failed`;
  return skipped === 0 ? line : `${line}, ${String(skipped)} skipped`;
}
