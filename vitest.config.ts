import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/**
 * With `--coverage`, programs that tests start leave V8's report of themselves here (check-coverage.ts adds
 * them up). Set for the tests' environment only: the test processes are measured by vitest.
 */
const env: Record<string, string> = process.argv.includes("--coverage")
  ? { NODE_V8_COVERAGE: fileURLToPath(new URL("coverage/programs", import.meta.url)) }
  : {};

/**
 * `unit` needs nothing but Node and is part of `npm run check`; `integration` (with the contract suites)
 * has real PostgreSQL servers, which its global set-up installs and starts when a test asks for one.
 */
export default defineConfig({
  test: {
    watch: false,
    // Real servers and dump tools share the machine with the tests, which wait for them a third of the time.
    maxWorkers: 3,
    teardownTimeout: 60_000,
    projects: [
      {
        test: {
          name: "unit",
          env,
          include: ["src/**/*.test.ts", "scripts/**/*.test.ts", "demo/**/*.test.ts"],
          testTimeout: 20_000,
          // Nothing is mocked, so files can share a process: a third of their time went into loading the
          // same modules again.
          isolate: false,
        },
      },
      {
        test: {
          name: "integration",
          env,
          include: ["test/**/*.test.ts"],
          exclude: ["test/bench/**"],
          globalSetup: ["test/support/global-setup.ts"],
          testTimeout: 180_000,
          hookTimeout: 300_000,
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/**/*.test.ts"],
      reporter: ["text-summary", "json", "html"],
      reportsDirectory: "coverage",
      reportOnFailure: true,
    },
  },
});
