/**
 * Writes a made-up stream of any length as a stored file into a folder, reads it back with every check, and
 * prints its peak memory. Arguments: folder, bytes.
 */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { openFilesystemStore } from "../../src/stores/filesystem/filesystem-store.ts";
import { createStoredFile, readStoredFile } from "../../src/worker/streams/stored-file.ts";

const [folder = "", bytes = "0"] = process.argv.slice(2);
const total = Number(bytes);
const pieceBytes = 4 << 20;

/** Random bytes for a thirty-second of each piece, so that a very long stream is a file of moderate size. */
const noise = randomBytes(1 << 20);
const noiseBytes = pieceBytes >> 5;
function fillPiece(piece: Buffer, offset: number): void {
  const from = (offset / 1024) % (noise.length - noiseBytes);
  noise.copy(piece, piece.length >> 1, from, from + noiseBytes);
  for (let at = 0; at + 8 <= piece.length; at += 64 << 10) piece.writeDoubleLE(offset + at, at);
}

const store = openFilesystemStore(folder);
const place = {
  store,
  projectId: "retail",
  backupId: "backup-20261124-000001-000000",
  key: Buffer.alloc(32, 7),
};
const writer = await createStoredFile(place, "a1/database/long.dump");
const buffers = Array.from({ length: 3 }, () =>
  Buffer.alloc(pieceBytes, "A page of a CMS, and the next one. "),
);
const outstanding: Promise<void>[] = [];
for (let offset = 0, index = 0; offset < total; offset += pieceBytes, index++) {
  if (outstanding.length === buffers.length) await outstanding.shift();
  const piece = (buffers[index % buffers.length] as Buffer).subarray(0, Math.min(pieceBytes, total - offset));
  fillPiece(piece, offset);
  outstanding.push(writer.write(piece));
}
await Promise.all(outstanding);
const file = await writer.finish();

let plainBytes = 0;
let wrongPieces = 0;
let expectedOffset = 0;
// As every task that passes long streams on.
for await (const plain of readStoredFile(place, file, { verifyChecksum: true, releasePieces: true })) {
  if (plain.readDoubleLE(0) !== expectedOffset) wrongPieces += 1;
  expectedOffset += plain.length;
  plainBytes += plain.length;
}
rmSync(folder, { recursive: true });
const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(JSON.stringify({ plainBytes, wrongPieces, storedBytes: file.sizeBytes, peakMiB }));
