import { createHash, randomBytes } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { encryptBytes } from "../../../test/support/encrypt-bytes.ts";
import { Failure } from "../../core/failure.ts";
import type { ObjectStore, ObjectWriter } from "../../core/ports/object-store.ts";
import { associatedData } from "../../core/repository/layout.ts";
import type { StoredFile } from "../../core/repository/metadata.ts";
import { MemoryStore } from "../../stores/memory/memory-store.ts";
import { createStoredFile, readSmallFile, readStoredFile, writeSmallFile } from "./stored-file.ts";
import type { StoredFilePlace } from "./stored-file.ts";
import { decryptBytes } from "./streaming-aead.ts";

const projectId = "retail";
const backupId = "backup-20261124-020000-abc123";
const prefix = `backups/${projectId}/${backupId}/`;
const name = "a1/database/shop.dump";

interface EncryptedPlace extends StoredFilePlace {
  readonly key: Uint8Array;
}

const makePlace = (store: ObjectStore = new MemoryStore()): EncryptedPlace => ({
  store,
  projectId,
  backupId,
  key: randomBytes(32),
});

async function write(place: StoredFilePlace, pieces: readonly Buffer[], level?: number): Promise<StoredFile> {
  const writer = await createStoredFile(place, name, level === undefined ? {} : { level });
  await Promise.all(pieces.map((piece) => writer.write(piece)));
  return writer.finish();
}

async function read(place: StoredFilePlace, file: StoredFile): Promise<Buffer> {
  const back: Buffer[] = [];
  for await (const piece of readStoredFile(place, file, { verifyChecksum: true })) back.push(piece);
  return Buffer.concat(back);
}

async function readObject(store: ObjectStore, object: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of store.read(object)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Puts `plain` in a stored file's place as if it were its compressed form: a valid stream of anything. */
async function plant(place: EncryptedPlace, compressed: Buffer, plainBytes: number): Promise<StoredFile> {
  const stored = encryptBytes(place.key, associatedData(projectId, backupId, name), compressed);
  await place.store.replace(prefix + name, stored);
  const sha256 = createHash("sha256").update(stored).digest("hex");
  return { name, sizeBytes: stored.length, sha256, plainBytes, codec: "zstd" };
}

/** One frame as `lc2` writes them. */
const frame = (plain: Buffer): Buffer =>
  zstdCompressSync(plain, {
    params: { [constants.ZSTD_c_checksumFlag]: 1 },
    pledgedSrcSize: plain.length,
  });

describe("writing and reading", () => {
  test("any pieces come back in order, compressed or not", async () => {
    const piece = fc.oneof(
      fc.nat(6_000_000).map((length) => randomBytes(length)),
      fc.nat(5_000_000).map((length) => Buffer.alloc(length, "INSERT INTO journal ")),
      fc.nat(100).map((length) => randomBytes(length)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 5 }), fc.constantFrom(0, 1, 2), async (pieces, level) => {
        const place = makePlace();
        const file = await write(place, pieces, level);
        const plain = Buffer.concat(pieces);
        expect(file).toMatchObject({ name, plainBytes: plain.length, codec: level === 0 ? "none" : "zstd" });
        expect((await read(place, file)).equals(plain)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test("size and checksum are those of the stored form", async () => {
    const place = makePlace();
    const file = await write(place, [randomBytes(3_000_000)]);
    const stored = await readObject(place.store, prefix + name);
    expect(file.sizeBytes).toBe(stored.length);
    expect(file.sha256).toBe(createHash("sha256").update(stored).digest("hex"));
  });

  test.each([0, 5, 5_000_000])("decrypted, %i bytes are one ordinary .zst file", async (size) => {
    const place = makePlace();
    const plain = randomBytes(size);
    await write(place, [plain]);
    const stored = await readObject(place.store, prefix + name);
    const zst = decryptBytes(place.key, associatedData(projectId, backupId, name), stored, name);
    expect(zst.subarray(0, 4)).toEqual(Buffer.from("28b52ffd", "hex"));
    expect(zstdDecompressSync(zst).equals(plain)).toBe(true);
  });

  test("a buffer may be reused when its write has resolved", async () => {
    const place = makePlace();
    const writer = await createStoredFile(place, name, { level: 0 });
    const reused = Buffer.alloc(1_500_000);
    const expected = createHash("sha256");
    for (let fill = 1; fill <= 4; fill += 1) {
      reused.fill(fill);
      expected.update(reused);
      await writer.write(reused);
    }
    const file = await writer.finish();
    expect(
      createHash("sha256")
        .update(await read(place, file))
        .digest("hex"),
    ).toBe(expected.digest("hex"));
  });

  test.each([0, 1, 100_000])("a small file of %i bytes comes back", async (size) => {
    const place = makePlace();
    const plain = randomBytes(size);
    expect(await readSmallFile(place, await writeSmallFile(place, name, plain))).toEqual(plain);
  });

  test.each([0, 2])("released pieces are whole until the next one is asked for (level %i)", async (level) => {
    const place = makePlace();
    const plain = Buffer.concat([randomBytes(5_000_000), Buffer.alloc(5_000_000, "text "), randomBytes(9)]);
    const file = await write(place, [plain], level);
    const seen: Buffer[] = [];
    const copies: Buffer[] = [];
    for await (const piece of readStoredFile(place, file, { releasePieces: true })) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(seen.at(-1)?.length ?? 0).toBe(0);
      seen.push(piece);
      copies.push(Buffer.from(piece));
    }
    expect(copies.length).toBeGreaterThan(2);
    expect(Buffer.concat(copies).equals(plain)).toBe(true);
  });

  test("the reader is told of every stored byte", async () => {
    const place = makePlace();
    const file = await write(place, [randomBytes(3_000_000)]);
    let seen = 0;
    for await (const _ of readStoredFile(place, file, { onStoredBytes: (bytes) => (seen += bytes) }))
      continue;
    expect(seen).toBe(file.sizeBytes);
  });
});

describe("damage", () => {
  const pieces = [randomBytes(700_000), Buffer.alloc(4 << 20, "some text "), randomBytes(1_600_000)];

  test("a flipped bit anywhere is found", async () => {
    const place = makePlace();
    const file = await write(place, pieces);
    const stored = await readObject(place.store, prefix + name);
    await fc.assert(
      fc.asyncProperty(fc.nat(stored.length - 1), fc.nat(7), async (at, bit) => {
        const changed = Buffer.from(stored);
        changed.writeUInt8(changed.readUInt8(at) ^ (1 << bit), at);
        await place.store.replace(prefix + name, changed);
        await expect(read(place, file)).rejects.toMatchObject({ code: "data-damaged" });
      }),
      { numRuns: 25 },
    );
  });

  test("a missing, cut or grown file is incomplete, and named", async () => {
    const place = makePlace();
    const file = await write(place, pieces);
    const stored = await readObject(place.store, prefix + name);
    for (const bytes of [
      stored.subarray(0, -1),
      stored.subarray(0, 1 << 20),
      Buffer.concat([stored, stored]),
    ]) {
      await place.store.replace(prefix + name, bytes);
      const failure = await read(place, file).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "backup-incomplete" });
      expect(String(failure)).toContain(`${name} of ${backupId}`);
      expect(String(failure)).toContain(String(bytes.length));
    }
    await place.store.delete(prefix + name);
    await expect(read(place, file)).rejects.toMatchObject({ code: "backup-incomplete" });
  });

  test("another file of the same backup in its place is found", async () => {
    const place = makePlace();
    const file = await write(place, [Buffer.alloc(1_000)], 0);
    const other = await writeSmallFile(place, "a1/database/roles.sql", randomBytes(1_000));
    const bytes = await readObject(place.store, prefix + other.name);
    await place.store.replace(prefix + name, bytes);
    await expect(read(place, { ...file, sizeBytes: bytes.length })).rejects.toMatchObject({
      code: "data-damaged",
    });
  });

  test.each([
    ["left out", [1, 0, 1]],
    ["doubled", [1, 1, 1, 1]],
  ])("a whole zstd frame %s is found by the length", async (_, uses) => {
    const place = makePlace();
    const frames = [randomBytes(5_000), randomBytes(5_000), randomBytes(5_000)].map(frame);
    const compressed = uses.flatMap((use, i) => (use === 1 ? [frames[i % 3] as Buffer] : []));
    const file = await plant(place, Buffer.concat(compressed), 15_000);
    await expect(read(place, file)).rejects.toMatchObject({ code: "data-damaged" });
  });

  describe("in the zstd frames inside", () => {
    const plain = [
      randomBytes(400),
      Buffer.alloc(90_000, "words and words "),
      Buffer.alloc(0),
      randomBytes(50),
    ];
    const plainBytes = 90_450;
    const whole = Buffer.concat(plain.map(frame));
    const positions = Array.from({ length: whole.length }, (_, at) => at);
    /** The failure's code, or "same" or "other" for what came out. */
    const outcomeOf = async (compressed: Buffer): Promise<string> => {
      const place = makePlace();
      const file = await plant(place, compressed, plainBytes);
      return read(place, file).then(
        (bytes) => (bytes.equals(Buffer.concat(plain)) ? "same" : "other"),
        (error: unknown) => (error instanceof Failure ? error.code : "no failure of ours"),
      );
    };

    test("a cut anywhere is found", async () => {
      expect(await outcomeOf(whole)).toBe("same");
      const outcomes = await Promise.all(positions.map((at) => outcomeOf(whole.subarray(0, at))));
      expect(new Set(outcomes)).toEqual(new Set(["data-damaged"]));
    });

    test("a changed byte anywhere is found, or means the same to zstd", async () => {
      const outcomes: string[] = [];
      for (const at of positions) {
        const changed = Buffer.from(whole);
        changed.writeUInt8(changed.readUInt8(at) ^ 0x41, at);
        outcomes.push(await outcomeOf(changed));
      }
      const harmless = outcomes.filter((outcome) => outcome !== "data-damaged");
      expect(harmless.filter((outcome) => outcome !== "same")).toEqual([]);
      expect(harmless.length).toBeLessThan(10);
    });
  });

  test.each([
    ["of more than 4 MiB", frame(Buffer.alloc((4 << 20) + 1)), (4 << 20) + 1],
    [
      "that does not state its length",
      zstdCompressSync(Buffer.alloc(100), { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } }),
      100,
    ],
    ["that is no frame", Buffer.from("this is not a zstd frame at all"), 100],
  ])("a frame %s is refused before it is decompressed", async (_, compressed, plainBytes) => {
    const place = makePlace();
    const file = await plant(place, compressed, plainBytes);
    await expect(read(place, file)).rejects.toMatchObject({ code: "data-damaged" });
  });

  test("a checksum that is not the stated one is found", async () => {
    const place = makePlace();
    const file = await write(place, pieces);
    await expect(read(place, { ...file, sha256: "0".repeat(64) })).rejects.toMatchObject({
      code: "data-damaged",
    });
  });

  test.each([-1, 1])("a plain length that is off by %i is found", async (difference) => {
    const place = makePlace();
    const file = await write(place, [Buffer.alloc(1_000)]);
    const claimed = { ...file, plainBytes: file.plainBytes + difference };
    await expect(read(place, claimed)).rejects.toMatchObject({ code: "data-damaged" });
  });
});

/** A memory store whose writers do not do what they say. */
class FaultyStore extends MemoryStore {
  readonly #fault: (writer: ObjectWriter) => Partial<ObjectWriter>;
  aborted = 0;

  constructor(fault: (writer: ObjectWriter) => Partial<ObjectWriter>) {
    super();
    this.#fault = fault;
  }

  override async write(object: string): Promise<ObjectWriter> {
    const writer = await super.write(object);
    const abort = async (): Promise<void> => {
      this.aborted += 1;
      await writer.abort();
    };
    return {
      write: (bytes) => writer.write(bytes),
      commit: () => writer.commit(),
      abort,
      ...this.#fault(writer),
    };
  }
}

describe("a store that fails", () => {
  test("is found out when it says yes and keeps less", async () => {
    const dropping = new FaultyStore((writer) => {
      let calls = 0;
      return { write: (bytes) => ((calls += 1) === 2 ? Promise.resolve() : writer.write(bytes)) };
    });
    await expect(write(makePlace(dropping), [randomBytes(3_000_000)])).rejects.toMatchObject({
      code: "store-failed",
    });
  });

  test("is found out when it says yes and keeps nothing", async () => {
    const forgetting = new FaultyStore(() => ({
      commit: () => Promise.resolve({ name, sizeBytes: 0, modifiedAtMs: 0 }),
    }));
    await expect(writeSmallFile(makePlace(forgetting), name, randomBytes(10))).rejects.toMatchObject({
      code: "store-failed",
    });
    expect(forgetting.aborted).toBe(1);
  });

  test("fails every later write and the end, and nothing is left", async () => {
    const full = new FaultyStore(() => ({
      write: () => Promise.reject(new Failure("disk-full", "There is no space left.")),
    }));
    const place = makePlace(full);
    const writer = await createStoredFile(place, name);
    // Nobody waits for these two: their rejection must neither be lost nor end the process.
    void writer.write(randomBytes(2_000_000));
    void writer.write(randomBytes(2_000_000));
    await expect(writer.finish()).rejects.toMatchObject({ code: "disk-full" });
    await writer.abort();
    await writer.abort();
    expect(await place.store.head(prefix + name)).toBeUndefined();
  });
});

test("an aborted file leaves nothing, and takes nothing more", async () => {
  const place = makePlace();
  const writer = await createStoredFile(place, name);
  void writer.write(randomBytes(3_000_000));
  await writer.abort();
  expect(await place.store.head(prefix + name)).toBeUndefined();
  await expect(writer.write(randomBytes(10))).rejects.toThrow("ended already");
});
