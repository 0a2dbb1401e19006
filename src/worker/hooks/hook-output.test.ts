import { describe, expect, it } from "vitest";
import { HookOutput } from "./hook-output.ts";

const said = (secrets: readonly string[], ...pieces: string[]) => {
  const output = new HookOutput(secrets);
  for (const piece of pieces) output.add(Buffer.from(piece));
  return output.read();
};

describe("HookOutput", () => {
  it("keeps what was said, without secrets, even one that came in two pieces", () => {
    expect(said(["s3cret", "s3cret-long"], "a s3c", "ret b s3cret-long\n\0")).toEqual({
      output: "a *** b ***",
    });
  });

  it("keeps the last 64 KiB, and no piece of a secret that the cut goes through", () => {
    const secret = "0123456789";
    for (let shift = 0; shift < secret.length; shift += 1) {
      const { output, outputCut } = said([secret], `begin${secret}`, "x".repeat(64 * 1024 - shift));
      expect(outputCut).toBe(true);
      expect(Buffer.byteLength(output)).toBeLessThanOrEqual(64 * 1024);
      expect(output).not.toMatch(/[0-9]/);
    }
  });

  it("holds no more than it keeps of an endless talker", () => {
    const output = new HookOutput([]);
    for (let count = 0; count < 3_000; count += 1) output.add(Buffer.from(`${count} ${"y".repeat(100)}\n`));
    const read = output.read();
    expect(read.outputCut).toBe(true);
    expect(read.output).toMatch(/\n2999 y+$/);
  });
});
