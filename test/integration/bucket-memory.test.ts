import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { workerMemoryVariables, workerNodeOptions } from "../../src/main/worker-memory.ts";

const support = join(import.meta.dirname, "../support");

/** Peak of a process that lists so many objects over HTTP and joins them with the backup before. */
async function measure(objects: number): Promise<{ newObjects: number; peakMiB: number }> {
  const folder = mkdtempSync(join(tmpdir(), "lc2-bucket-memory-"));
  const server = spawn(process.execPath, [join(support, "synthetic-bucket-server.ts"), String(objects)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    const [endpoint] = (await once(server.stdout, "data")) as [Buffer];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        ...workerNodeOptions,
        join(support, "bucket-memory-program.ts"),
        endpoint.toString().trim(),
        join(folder, "repository"),
        String(objects),
      ],
      {
        env: {
          ...process.env,
          ...workerMemoryVariables,
          AWS_ACCESS_KEY_ID: "any",
          AWS_SECRET_ACCESS_KEY: "any",
        },
      },
    );
    return JSON.parse(stdout) as { newObjects: number; peakMiB: number };
  } finally {
    server.stdin.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

test("100,000 objects of a bucket are listed and joined with the backup before in the memory of 10,000", async () => {
  const few = await measure(10_000);
  const many = await measure(100_000);
  expect([few.newObjects, many.newObjects]).toEqual([0, 0]);
  expect(many.peakMiB).toBeLessThan(256);
  expect(many.peakMiB).toBeLessThan(few.peakMiB + 48);
});
