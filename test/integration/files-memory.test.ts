import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { workerMemoryVariables, workerNodeOptions } from "../../src/main/worker-memory.ts";

test("200,000 files and a large one are backed up twice in less than 256 MiB", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lc2-memory-"));
  const program = join(import.meta.dirname, "../support/files-memory-program.ts");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...workerNodeOptions, program, join(folder, "repository"), "200000", "300000000"],
    { env: { ...process.env, ...workerMemoryVariables } },
  );
  rmSync(folder, { recursive: true });
  const facts = JSON.parse(stdout) as { objects: number; newObjects: number[]; peakMiB: number };
  expect(facts).toMatchObject({ objects: 200_001, newObjects: [200_001, 0] });
  expect(facts.peakMiB).toBeLessThan(256);
});
