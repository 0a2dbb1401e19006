import { createCipheriv, createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFilesPlace, type FilesPlace } from "../../../test/support/files-run.ts";
import { createBackupKeys, type BackupKeys } from "../keys/backup-keys.ts";
import { ContentReader } from "../read/read-files.ts";
import { StoredBytesWriter, type Placement } from "./stored-bytes-writer.ts";

const backupId = "backup-20261124-000001-000000";

let place: FilesPlace;
let keys: BackupKeys;
beforeEach(async () => {
  place = openFilesPlace();
  keys = (await createBackupKeys(place.run, backupId)).keys;
});
afterEach(() => place.close());

/** Text, noise and JPEG-like contents of many sizes, each another. */
function contentOf(index: number): Buffer {
  const size = 1 + ((index * 7919) % 40_000);
  if (index % 3 === 0) return Buffer.alloc(size, `text ${index} `);
  const counter = Buffer.alloc(16);
  counter.writeUInt32BE(index);
  return createCipheriv("aes-256-ctr", Buffer.alloc(32), counter).update(Buffer.alloc(size));
}

describe("stored bytes", () => {
  test("of thousands of small contents, encoded here and in a thread, are all read back", async () => {
    const writer = new StoredBytesWriter(place.run, backupId, 1, keys, "file:///x");
    const placements: Placement[] = [];
    const count = 3000;
    for (let index = 0; index < count; index += 1) {
      placements.push(writer.storeSmall(contentOf(index)));
      await writer.room();
    }
    await writer.finish();
    expect(writer.stored.files).toBeGreaterThan(1);

    const reader = new ContentReader(place.run, backupId, keys);
    const facts = { kind: "file" as const, mtimeNs: "0", mode: 0o644 };
    for (const [index, { stored }] of placements.entries()) {
      const content = contentOf(index);
      const sha256 = createHash("sha256").update(content).digest("hex");
      const entry = {
        ...facts,
        key: `${index}`,
        sizeBytes: content.length,
        sha256,
        ...(stored && { stored }),
      };
      const pieces: Buffer[] = [];
      for await (const piece of reader.read(entry)) pieces.push(piece);
      expect(Buffer.concat(pieces).equals(content)).toBe(true);
    }
  });

  test("are refused for good once the store failed", async () => {
    const run = {
      ...place.run,
      store: Object.create(place.run.store, {
        write: { value: () => Promise.reject(new Error("full")) },
      }) as typeof place.run.store,
    };
    const writer = new StoredBytesWriter(run, backupId, 1, keys, "file:///x");
    writer.storeSmall(Buffer.from("content"));
    await expect(writer.settle()).rejects.toThrow("full");
    writer.storeSmall(Buffer.from("more"));
    await expect(writer.finish()).rejects.toThrow("full");
    await writer.abort();
  });
});
