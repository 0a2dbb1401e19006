/**
 * Runs once before the tests that use real servers. Nothing is downloaded or started until a
 * test asks for it. At the end the servers are stopped and, when `LC2_TEST_REPORT` names a file, the
 * PostgreSQL versions that tests ran on are written there, one a line.
 */
import { writeFile } from "node:fs/promises";
import { startServerKeeper } from "./server-keeper.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where `ask-keeper.ts` asks for servers. */
    serverKeeper: string;
  }
}

interface SetupContext {
  provide(key: "serverKeeper", value: string): void;
}

/** vitest's hook; it calls the returned function when all tests have run. */
export async function setup(context: SetupContext): Promise<() => Promise<void>> {
  const keeper = await startServerKeeper();
  context.provide("serverKeeper", keeper.address);
  return async () => {
    await keeper.stop();
    const report = process.env["LC2_TEST_REPORT"];
    if (report === undefined || report === "") return;
    await writeFile(
      report,
      keeper
        .usedVersions()
        .map((version) => `${version}\n`)
        .join(""),
    );
  };
}
