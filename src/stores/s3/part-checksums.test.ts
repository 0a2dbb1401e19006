import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { encodeCrc, PartChecksums } from "./part-checksums.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe("checksums of parts", () => {
  test("accept the sum of the whole, and the sum of the parts' sums with and without their number", () => {
    const sums = new PartChecksums();
    expect(sums.add(bytes("123"))).toEqual({ partNumber: 1, sum: encodeCrc(crc32("123")) });
    expect(sums.add(bytes("456789"))).toMatchObject({ partNumber: 2 });
    const digests = Buffer.concat(
      ["123", "456789"].map((text) => Buffer.from(encodeCrc(crc32(text)), "base64")),
    );
    const ofParts = encodeCrc(crc32(digests));
    // The check value of CRC-32.
    expect(encodeCrc(0xcbf43926)).toBe("y/Q5Jg==");
    expect(sums.accepted()).toEqual(["y/Q5Jg==", `${ofParts}-2`, ofParts]);
  });

  test("of an upload that begins with a copy still tell the whole", () => {
    const sums = new PartChecksums();
    sums.add(bytes("1234"));
    sums.restart();
    expect(sums.parts).toBe(0);
    expect(sums.addCopied(encodeCrc(crc32("1234")))).toBe(1);
    expect(sums.add(bytes("56789")).partNumber).toBe(2);
    expect(sums.accepted()?.[0]).toBe("y/Q5Jg==");
  });

  test("are not known where the store copied a part and gives no sum", () => {
    const sums = new PartChecksums();
    sums.addCopied(undefined);
    expect(sums.accepted()).toBeUndefined();
  });
});
