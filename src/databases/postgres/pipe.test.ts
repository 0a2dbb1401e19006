import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openPipe, readPieces } from "./pipe.ts";

const directory = mkdtempSync(join(tmpdir(), "lc2-pipe-"));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** The read end of a pipe that a shell command writes into. */
async function outputOf(command: string): Promise<number> {
  const pipe = await openPipe(join(directory, "p"));
  const child = spawn("sh", ["-c", command], { stdio: ["ignore", pipe.writeEnd, "ignore"] });
  children.push(child);
  closeSync(pipe.writeEnd);
  return pipe.readEnd;
}

const makeBuffers = (): Buffer[] => Array.from({ length: 3 }, () => Buffer.allocUnsafeSlow(256 * 1024));
const idle = new AbortController().signal;

test("every byte arrives once and in order, with takers that are slow and finish at odd times", async () => {
  const hash = createHash("sha256");
  let bytes = 0;
  let atOnce = 0;
  let most = 0;
  await readPieces(await outputOf("seq 1 700000"), {
    buffers: makeBuffers(),
    signal: idle,
    async take(piece) {
      most = Math.max(most, ++atOnce);
      const copy = Buffer.from(piece);
      hash.update(copy);
      bytes += piece.length;
      for (let turns = bytes % 7; turns > 0; turns--) await new Promise(setImmediate);
      // The buffer is ours until now.
      expect(piece.equals(copy)).toBe(true);
      atOnce--;
    },
  });
  const expected = Array.from({ length: 700_000 }, (_, i) => `${i + 1}\n`).join("");
  expect(bytes).toBe(expected.length);
  expect(hash.digest("hex")).toBe(createHash("sha256").update(expected).digest("hex"));
  expect(most).toBeLessThanOrEqual(3);
  expect(readdirSync(directory)).toEqual([]);
});

test("no output at all is an end like any other", async () => {
  let taken = 0;
  const take = async (): Promise<void> => void taken++;
  await readPieces(await outputOf("true"), { buffers: makeBuffers(), signal: idle, take });
  expect(taken).toBe(0);
});

test("reading waits for its pace", async () => {
  let allowed = 0;
  let read = 0;
  await readPieces(await outputOf("head -c 1000000 /dev/zero"), {
    buffers: makeBuffers(),
    signal: idle,
    pace(bytes) {
      // The one before was waited for.
      expect(allowed).toBe(read);
      read += bytes;
      return new Promise<void>((resolve) =>
        setImmediate(() => {
          allowed += bytes;
          resolve();
        }),
      );
    },
    take: () => Promise.resolve(),
  });
  expect(read).toBe(1_000_000);
});

test.each([
  ["rejects", () => Promise.reject(new Error("no more"))],
  [
    "throws",
    () => {
      throw new Error("no more");
    },
  ],
])("a taker that %s ends the reading, and the writer", async (_, take) => {
  const reading = readPieces(await outputOf("yes"), { buffers: makeBuffers(), signal: idle, take });
  await expect(reading).rejects.toThrow("no more");
});

test("an abort ends the reading while the writer is silent", async () => {
  const controller = new AbortController();
  const reading = readPieces(await outputOf("exec sleep 1000"), {
    buffers: makeBuffers(),
    signal: controller.signal,
    take: () => Promise.resolve(),
  });
  controller.abort(new Error("stop"));
  await expect(reading).rejects.toThrow("stop");
});
