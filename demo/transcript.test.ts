import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { createTranscript, showBytes, showCount } from "./transcript.ts";

function write(colour: boolean, use: (transcript: ReturnType<typeof createTranscript>) => void): string {
  let text = "";
  const out = new Writable({
    write(chunk: Buffer, _, done) {
      text += chunk.toString();
      done();
    },
  });
  use(createTranscript(out, colour));
  return text;
}

test("a long command is folded before its options, so that it can be pasted", () => {
  const text = write(false, (transcript) => {
    transcript.command(
      `lc2 backup create --project demo --files ${"/x".repeat(30)} --repository ${"/y".repeat(30)}`,
    );
  });
  expect(text).toBe(
    `    $ lc2 backup create --project demo \\\n          --files ${"/x".repeat(30)} \\\n          --repository ${"/y".repeat(30)}\n`,
  );
});

test("steps are numbered, and colours come only where they are asked for", () => {
  const use = (transcript: ReturnType<typeof createTranscript>) => {
    transcript.step("Start");
    transcript.step("End");
    transcript.good("equal");
  };
  expect(write(false, use)).toBe("\n 1  Start\n\n 2  End\n    ✓ equal\n");
  expect(write(true, use)).toContain("\u001B[32m✓\u001B[0m");
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.00 kB"],
  [999_600, "1.00 MB"],
  [12_345_678, "12.3 MB"],
  [318_000_000, "318 MB"],
])("%i bytes are shown as %s", (bytes, shown) => {
  expect(showBytes(bytes)).toBe(shown);
});

test("counts have commas", () => {
  expect(showCount(1_718_016)).toBe("1,718,016");
});
