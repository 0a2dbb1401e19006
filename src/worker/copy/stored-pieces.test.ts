import { expect, test } from "vitest";
import { ManifestLine } from "../../core/repository/manifest-line.ts";
import { encodeEntry, type StoredAt } from "../../core/repository/manifest.ts";
import { storedPieces } from "./stored-pieces.ts";

const own = "backup-20261124-000002-000000";
const earlier = "backup-20261124-000001-000000";

async function* linesOf(places: readonly (Partial<StoredAt> | undefined)[]) {
  const lines = places.map((stored, index) => {
    const entry = {
      key: `k${String(index).padStart(6, "0")}`,
      kind: "file" as const,
      sizeBytes: stored === undefined ? 0 : 5,
      mtimeNs: "0",
      mode: 0o644,
      sha256: "0".repeat(64),
      ...(stored === undefined
        ? {}
        : { stored: { file: "", offset: index, length: 5, codec: "none" as const, ...stored } }),
    };
    return new ManifestLine(encodeEntry(entry));
  });
  for (let from = 0; from < lines.length; from += 256) yield lines.slice(from, from + 256);
}

async function piecesOf(places: readonly (Partial<StoredAt> | undefined)[]): Promise<string[]> {
  const pieces: string[] = [];
  for await (const { owner, file, entries } of storedPieces(linesOf(places), own)) {
    pieces.push(`${owner === own ? "" : `${owner} `}${file} ${entries.length}`);
  }
  return pieces;
}

const pack = (number: number, attempt = 1): Partial<StoredAt> => ({
  file: `a${attempt}/files/pack-00000${number}`,
});

test("a pack comes once with all its entries, also between the packs of others", async () => {
  const old = { ...pack(1), backup: earlier };
  const places = [pack(1), old, pack(1), undefined, pack(1, 2), old, pack(2), old, pack(1, 2)];
  expect(await piecesOf(places)).toEqual([
    "a1/files/pack-000001 2",
    "a1/files/pack-000002 1",
    `${earlier} a1/files/pack-000001 3`,
    "a2/files/pack-000001 2",
  ]);
});

test("a file of its own comes at once", async () => {
  expect(await piecesOf([pack(1), { file: "a1/files/file-000001" }, pack(1)])).toEqual([
    "a1/files/file-000001 1",
    "a1/files/pack-000001 2",
  ]);
});

test("a pack that is out of order comes again with the rest", async () => {
  expect(await piecesOf([pack(1), pack(2), pack(1)])).toEqual([
    "a1/files/pack-000001 1",
    "a1/files/pack-000002 1",
    "a1/files/pack-000001 1",
  ]);
});

test("no more entries are held than a bound, however many packs are begun", async () => {
  const places = Array.from({ length: 80_001 }, (_, index) => ({
    backup: `backup-20261124-00000${1 + (index % 2) * 2}-000000`,
    ...pack(1),
  }));
  const sizes = (await piecesOf(places)).map((piece) => Number(piece.split(" ").at(-1)));
  expect(sizes).toEqual([20_000, 20_000, 20_000, 20_000, 1]);
});
