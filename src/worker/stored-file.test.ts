import { randomBytes } from "node:crypto";

import { expect, test } from "vitest";

import { MemoryStore } from "../stores/memory/memory-store.ts";
import { createStoredFile, readSmallFile, readStoredFile, writeSmallFile } from "./stored-file.ts";
import type { StoredFilePlace } from "./stored-file.ts";

const backupId = "backup-20261124-020000-abc123";
const makePlace = (): StoredFilePlace => ({
  store: new MemoryStore(),
  projectId: "retail",
  backupId,
  key: randomBytes(32),
});

test("what was written in several calls at once comes back in order", async () => {
  const place = makePlace();
  const pieces = [
    randomBytes(3_000_000),
    Buffer.alloc(4_000_000, "text "),
    randomBytes(10),
    randomBytes(9 << 20),
  ];
  const writer = await createStoredFile(place, "a1/database/shop.dump");
  await Promise.all(pieces.map((piece) => writer.write(piece)));
  const file = await writer.finish();
  const back: Buffer[] = [];
  for await (const piece of readStoredFile(place, file, { verifyChecksum: true })) back.push(piece);
  expect(Buffer.concat(back).equals(Buffer.concat(pieces))).toBe(true);
});

test.each([0, 1, 100_000])("a small file of %i bytes comes back", async (size) => {
  const place = makePlace();
  const plain = randomBytes(size);
  const file = await writeSmallFile(place, "a1/configuration/site.json", plain);
  expect(await readSmallFile(place, file)).toEqual(plain);
});
