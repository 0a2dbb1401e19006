import { createCipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { encryptBytes } from "../../../test/support/encrypt-bytes.ts";
import { Failure } from "../../core/failure.ts";
import { StreamEncryptor, decryptBytes, decryptStream, encryptedSizeBytes } from "./streaming-aead.ts";

const key = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
const place = "lc2/1\nretail\nbackup-20261124-020000-abc123\na1/database/shop.dump";
const firstSegmentPlain = 1_048_520;
const nextSegmentPlain = 1_048_560;
const segment = 1 << 20;

/** Plain bytes that every language makes in a line: byte i is i modulo 251. */
const pattern = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, i) => i % 251));

/**
 * Streams that Tink 1.16.1 (PyPI) wrote of `pattern(plainBytes)` under `key` and `place`: the random header
 * that it chose, and the SHA-256 of the whole stream. `test/integration/tink.test.ts` asks Tink itself.
 */
const writtenByTink = [
  {
    plainBytes: 0,
    header: "2863f0bbc33124bbe5555f7b37b52336d71285a604645599ab2186c2c8c994f506c65a6145192aa5",
    sha256: "70319f857fea835deb4c01b9a90c2e5740e82e11b21ea8d7bfcb02645931b914",
  },
  {
    plainBytes: 5,
    header: "28097a68a5f48578d23973a5bd401e4eefcb9effa67146855af82e14d78f2fb4fc7771f99b50f323",
    sha256: "24516d9a541ba62277ad25aa3cf3c661c98145092f7a63bc7c29a658f10a3bdf",
  },
  {
    plainBytes: firstSegmentPlain,
    header: "285f54b9dee33b038e2e69693946230a12721812560c0ff4ff90abfe1605832f11d3e068ff029423",
    sha256: "bd00f111ea3032189ee4359ae3990c3fab2476907147d12b3ff2aa3618d3cb85",
  },
  {
    plainBytes: firstSegmentPlain + 1,
    header: "28c7ebdfbb459044b8ef94377648cbb7e8764210398b0841f2f645ec2710b190d83ad64a93c754d3",
    sha256: "ef9ac6579212e62d7cb90b9bdca6fca38c05b189e09384bcb22632cf8261990a",
  },
  {
    plainBytes: firstSegmentPlain + nextSegmentPlain,
    header: "28cc2704a5ecc3442a93f6821ecb05d1d11ca6669c63c6372d059b5749fd07f2bc922ffbb81e883a",
    sha256: "c09c91276b8b925cdaa30b9d1ca38e1fac3bb4075bfce395699b2ab77cd0a67e",
  },
  {
    plainBytes: firstSegmentPlain + nextSegmentPlain + 1,
    header: "282f443c34d5420b2a193da6e91073604da3a2ae1770ef7ccb6a05f66fc758bf8da60a1bb8988e6e",
    sha256: "555c7a7e3854ebdf95a125ba611d6e51468ec0187fa7fd270324e916d48cbf39",
  },
];

/** Tink's definition, word for word and slow; with the header given, a stream has one form only. */
function encryptByDefinition(header: Buffer, plain: Buffer): Buffer {
  const derived = Buffer.from(hkdfSync("sha256", key, header.subarray(1, 33), place, 32));
  const pieces = [header];
  let from = 0;
  for (let number = 0; ; number += 1) {
    const to = from + (number === 0 ? firstSegmentPlain : nextSegmentPlain);
    const last = to >= plain.length;
    const counter = Buffer.alloc(5);
    counter.writeUInt32BE(number);
    counter[4] = last ? 1 : 0;
    const cipher = createCipheriv("aes-256-gcm", derived, Buffer.concat([header.subarray(33), counter]));
    pieces.push(cipher.update(plain.subarray(from, to)), cipher.final(), cipher.getAuthTag());
    if (last) return Buffer.concat(pieces);
    from = to;
  }
}

function encryptInPieces(plain: Buffer, pieceBytes: readonly number[]): Buffer {
  const encryptor = new StreamEncryptor(key, place);
  const segments: Buffer[] = [];
  for (const piece of cut(plain, pieceBytes)) {
    for (const bytes of encryptor.push(piece)) segments.push(Buffer.from(bytes));
  }
  segments.push(Buffer.from(encryptor.finish()));
  return Buffer.concat(segments);
}

/** Cuts after the given lengths, again and again. */
function cut(bytes: Buffer, pieceBytes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let from = 0, i = 0; from < bytes.length; i += 1) {
    const length = pieceBytes[i % pieceBytes.length] ?? bytes.length;
    pieces.push(bytes.subarray(from, from + length));
    from += length;
  }
  return pieces;
}

async function decryptInPieces(stored: Buffer, pieceBytes: readonly number[]): Promise<Buffer> {
  async function* source(): AsyncGenerator<Buffer> {
    const reused = Buffer.alloc(Math.max(1, ...pieceBytes));
    for (const piece of cut(stored, pieceBytes)) {
      // As stores do: the chunk is gone when the next one is asked for.
      piece.copy(reused);
      yield reused.subarray(0, piece.length);
      reused.fill(0);
    }
  }
  const plain: Buffer[] = [];
  for await (const bytes of decryptStream(key, place, source(), "shop.dump")) plain.push(bytes);
  return Buffer.concat(plain);
}

/** Both ways of decryption must find it. */
async function expectDamage(stored: Buffer): Promise<Failure> {
  expect(() => decryptBytes(key, place, stored, "shop.dump")).toThrow(
    expect.objectContaining({ code: "data-damaged" }),
  );
  const failure = await decryptInPieces(stored, [300_000]).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "data-damaged" });
  expect(String(failure)).toContain("shop.dump");
  return failure as Failure;
}

function flipBit(bytes: Buffer, at: number, bit = 0): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(at) ^ (1 << bit), at);
  return changed;
}

const sizesAtBoundaries = [
  0,
  1,
  firstSegmentPlain - 1,
  firstSegmentPlain,
  firstSegmentPlain + 1,
  firstSegmentPlain + nextSegmentPlain - 1,
  firstSegmentPlain + nextSegmentPlain,
  firstSegmentPlain + nextSegmentPlain + 1,
];
const plainSize = fc.oneof(fc.nat(3_000_000), fc.nat(300), fc.constantFrom(...sizesAtBoundaries));
const pieces = fc.array(fc.integer({ min: 1, max: 2_500_000 }), { minLength: 1, maxLength: 4 });

describe("the format", () => {
  test.each(writtenByTink)("is Tink's for $plainBytes plain bytes", (vector) => {
    const plain = pattern(vector.plainBytes);
    const stream = encryptByDefinition(Buffer.from(vector.header, "hex"), plain);
    expect(createHash("sha256").update(stream).digest("hex")).toBe(vector.sha256);
    expect(decryptBytes(key, place, stream, "vector").equals(plain)).toBe(true);
  });

  test("of what is written is the defined one, however the plain bytes come", () => {
    fc.assert(
      fc.property(plainSize, pieces, (size, pieceBytes) => {
        const plain = pattern(size);
        for (const stored of [encryptBytes(key, place, plain), encryptInPieces(plain, pieceBytes)]) {
          expect(stored.length).toBe(encryptedSizeBytes(size));
          expect(stored.equals(encryptByDefinition(stored.subarray(0, 40), plain))).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("has a fresh salt and nonce prefix every time", () => {
    const headers = Array.from({ length: 3_000 }, () =>
      encryptBytes(key, place, Buffer.of(1)).subarray(1, 40),
    );
    expect(new Set(headers.map((header) => header.subarray(0, 32).toString("hex"))).size).toBe(3_000);
    expect(new Set(headers.map((header) => header.subarray(32).toString("hex"))).size).toBe(3_000);
  });
});

test("what was encrypted comes back, however the stored bytes come", async () => {
  await fc.assert(
    fc.asyncProperty(plainSize, pieces, pieces, async (size, written, read) => {
      const plain = randomBytes(size);
      expect((await decryptInPieces(encryptInPieces(plain, written), read)).equals(plain)).toBe(true);
      expect(decryptBytes(key, place, encryptBytes(key, place, plain), "x").equals(plain)).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test("every flipped bit of a short stream is found", () => {
  const stored = encryptBytes(key, place, pattern(20));
  for (let at = 0; at < stored.length * 8; at += 1) {
    expect(() => decryptBytes(key, place, flipBit(stored, at >> 3, at & 7), "x")).toThrow(Failure);
  }
});

test("every cut of a short stream is found", () => {
  const stored = encryptBytes(key, place, pattern(20));
  for (let length = 0; length < stored.length; length += 1) {
    expect(() => decryptBytes(key, place, stored.subarray(0, length), "x")).toThrow(Failure);
  }
});

describe("of a stream of three segments", () => {
  const plain = randomBytes(firstSegmentPlain + nextSegmentPlain + 1_000);
  const stored = encryptBytes(key, place, plain);
  const boundaries = [0, 40, segment, 2 * segment].flatMap((at) => [at - 17, at - 1, at, at + 1, at + 17]);
  const inside = boundaries.filter((at) => at >= 0 && at < stored.length);

  test("any flipped bit is found", async () => {
    const anywhere = fc.oneof(fc.nat(stored.length - 1), fc.constantFrom(...inside));
    await fc.assert(
      fc.asyncProperty(anywhere, fc.nat(7), async (at, bit) => {
        await expectDamage(flipBit(stored, at, bit));
      }),
      { numRuns: 40 },
    );
  });

  test("any cut is found", async () => {
    const anywhere = fc.oneof(fc.nat(stored.length - 1), fc.constantFrom(...inside));
    await fc.assert(
      fc.asyncProperty(anywhere, async (length) => {
        await expectDamage(stored.subarray(0, length));
      }),
      { numRuns: 40 },
    );
  });

  test("a cut at a segment's end is called one", async () => {
    const failure = await expectDamage(stored.subarray(0, 2 * segment));
    expect(failure.message).toContain("cut off after segment 1");
  });

  test("bytes after the end are found", async () => {
    for (const extra of [1, 16, 17, segment]) {
      await expectDamage(Buffer.concat([stored, Buffer.alloc(extra)]));
    }
    const [first, rest] = [stored.subarray(0, segment), stored.subarray(segment)];
    await expectDamage(Buffer.concat([first, rest, rest]));
  });

  test("bytes after a whole last segment are called so", async () => {
    const whole = encryptBytes(key, place, plain.subarray(0, firstSegmentPlain + nextSegmentPlain));
    const failure = await expectDamage(Buffer.concat([whole, Buffer.alloc(20)]));
    expect(failure.message).toContain("has bytes after its end in segment 1");
  });

  test("segments swapped, left out or taken from another stream are found", async () => {
    const four = encryptBytes(key, place, randomBytes(3 * segment + 5));
    const at = (number: number): Buffer => four.subarray(number * segment, (number + 1) * segment);
    await expectDamage(Buffer.concat([at(0), at(2), at(1), at(3)]));
    await expectDamage(Buffer.concat([at(0), at(2), at(3)]));
    await expectDamage(Buffer.concat([at(0), stored.subarray(segment, 2 * segment), at(2), at(3)]));
  });

  test("another place and another key open nothing", () => {
    expect(() => decryptBytes(key, `${place}x`, stored, "x")).toThrow(Failure);
    expect(() => decryptBytes(randomBytes(32), place, stored, "x")).toThrow(Failure);
  });

  test("no byte comes out of a segment before it is authenticated", async () => {
    const changed = flipBit(stored, segment + 10);
    const seen: Buffer[] = [];
    const read = async (): Promise<void> => {
      async function* source(): AsyncGenerator<Buffer> {
        yield changed;
      }
      for await (const bytes of decryptStream(key, place, source(), "x")) seen.push(bytes);
    };
    await expect(read()).rejects.toThrow(Failure);
    expect(Buffer.concat(seen).equals(plain.subarray(0, firstSegmentPlain))).toBe(true);
  });
});
