import { afterEach, beforeEach, expect, test } from "vitest";
import { openFilesPlace, type FilesPlace } from "../../../test/support/files-run.ts";
import { splitLines } from "../read/read-manifest.ts";
import { LineWriter } from "./line-writer.ts";
import { readStoredFile, type StoredFilePlace } from "./stored-file.ts";

let files: FilesPlace;
let place: StoredFilePlace;
beforeEach(() => {
  files = openFilesPlace();
  const { store } = files.run;
  place = { store, projectId: "retail", backupId: "backup-20261124-000001-000000", key: Buffer.alloc(32, 7) };
});
afterEach(() => files.close());

async function writeAndRead(lines: readonly string[]): Promise<string[]> {
  const writer = await LineWriter.create(place, "a1/files/manifest");
  for (const line of lines) await writer.add(line);
  const stored = await writer.finish();
  const read: string[] = [];
  for await (const some of splitLines(readStoredFile(place, stored), "the manifest")) read.push(...some);
  return read;
}

test("lines of any length and any characters come back, over the borders of many pieces", async () => {
  const lines = Array.from(
    { length: 9000 },
    (_, index) => `${index} ${"naïve €🙂 text ".repeat(index % 60)}`,
  );
  expect(await writeAndRead(lines)).toEqual(lines);
});

test("a line that is longer than a piece comes back, among short ones", async () => {
  const long = "€".repeat(300_000);
  expect(await writeAndRead(["before", long, "after"])).toEqual(["before", long, "after"]);
});

test("no lines are an empty file", async () => {
  expect(await writeAndRead([])).toEqual([]);
});
