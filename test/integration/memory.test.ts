import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { workerMemoryVariables, workerNodeOptions } from "../../src/main/worker-memory.ts";

test("a stream of 4 GiB is stored and read back in less than 256 MiB", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lc2-memory-"));
  const program = join(import.meta.dirname, "../support/stream-memory-program.ts");
  const bytes = 4 * 2 ** 30;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...workerNodeOptions, program, join(folder, "repository"), String(bytes)],
    { env: { ...process.env, ...workerMemoryVariables } },
  );
  rmSync(folder, { recursive: true });
  const facts = JSON.parse(stdout) as { plainBytes: number; wrongPieces: number; peakMiB: number };
  expect(facts).toMatchObject({ plainBytes: bytes, wrongPieces: 0 });
  expect(facts.peakMiB).toBeLessThan(256);
});
