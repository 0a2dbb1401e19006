import { expect, test } from "vitest";
import { countTests, testSummaryLine } from "./run-tests.ts";

const report = (...files: { status: string; tests?: string[] }[]) => ({
  testResults: files.map(({ status, tests = [] }) => ({
    status,
    assertionResults: tests.map((each) => ({ status: each })),
  })),
});

test("passed, failed and skipped tests are counted over all files", () => {
  const summary = countTests(
    report(
      { status: "passed", tests: ["passed", "skipped"] },
      { status: "failed", tests: ["passed", "failed"] },
    ),
    false,
  );
  expect(summary).toEqual({ passed: 2, failed: 1, skipped: 1, ok: false });
  expect(testSummaryLine(summary)).toBe("2 passed, 1 failed, 1 skipped");
});

test("a file that could not be loaded is a failure", () => {
  expect(
    countTests(report({ status: "passed", tests: ["passed"] }, { status: "failed" }), false).failed,
  ).toBe(1);
});

test("a runner that ends badly is a failure even when every test passed", () => {
  expect(countTests(report({ status: "passed", tests: ["passed"] }), false)).toMatchObject({
    failed: 1,
    ok: false,
  });
});

test("a run without tests is not a success", () => {
  const summary = countTests(report(), true);
  expect(summary.ok).toBe(false);
  expect(testSummaryLine(summary)).toBe("0 passed, 0 failed");
});
