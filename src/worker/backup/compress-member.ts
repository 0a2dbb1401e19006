import { constants, zstdCompressSync } from "node:zlib";

/** Smaller contents gain nothing worth the time. */
const smallestBytes = 512;
/** Measured on small HTML and JSON files: levels 1 to 3 take the same time, 3 is the smallest. */
const level = 3;
/** Stored compressed only where at least a twentieth is saved. */
const worthwhileRatio = 0.95;

/** Signatures of formats that are compressed already: JPEG, PNG, GIF, ZIP (and office files), gzip, … */
const compressedFormats: readonly (readonly [offset: number, signature: string])[] = [
  [0, "\xff\xd8\xff"],
  [0, "\x89PNG"],
  [0, "GIF8"],
  [0, "PK\x03\x04"],
  [0, "\x1f\x8b"],
  [0, "\x28\xb5\x2f\xfd"],
  [0, "\xfd7zXZ"],
  [0, "7z\xbc\xaf"],
  [0, "BZh"],
  [0, "wOF2"],
  [0, "ID3"],
  [8, "WEBP"],
  [4, "ftyp"],
];

/** Whether a content that begins so is worth trying to compress. */
function isWorthCompressing(beginning: Uint8Array): boolean {
  if (beginning.length < smallestBytes) return false;
  const head = Buffer.from(beginning.buffer, beginning.byteOffset, 16).toString("latin1");
  return (
    !compressedFormats.some(([offset, signature]) => head.startsWith(signature, offset)) &&
    !looksRandom(beginning)
  );
}

/**
 * Whether 512 bytes from the middle have nearly as many different values as random ones (about 221 of 256).
 * Text has below 100, machine code and tables of numbers below 170. Saves trying, which costs fifty times more.
 */
function looksRandom(bytes: Uint8Array): boolean {
  seen.fill(0);
  let different = 0;
  const from = (bytes.length - smallestBytes) >> 1;
  for (let i = from; i < from + smallestBytes; i += 1) {
    const value = bytes[i] as number;
    if (seen[value] !== 0) continue;
    seen[value] = 1;
    different += 1;
  }
  return different > 200;
}

const seen = new Uint8Array(256);

/** One zstd frame where that pays; otherwise the very bytes given. */
export function compressMember(plain: Uint8Array): { codec: "zstd" | "none"; bytes: Uint8Array } {
  if (!isWorthCompressing(plain)) return { codec: "none", bytes: plain };
  const bytes = zstdCompressSync(plain, {
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
    pledgedSrcSize: plain.length,
    chunkSize: plain.length + 512,
  });
  return bytes.length <= plain.length * worthwhileRatio
    ? { codec: "zstd", bytes }
    : { codec: "none", bytes: plain };
}

/** For a file too large to try whole: whether its first piece becomes smaller. */
export function choosesCompression(firstPiece: Uint8Array): boolean {
  return compressMember(firstPiece.subarray(0, 256 << 10)).codec === "zstd";
}
