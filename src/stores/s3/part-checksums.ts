import { crc32 } from "node:zlib";

/** The forms in which a store may state the CRC32 of an object that was sent in parts. */
export class PartChecksums {
  readonly #sums: number[] = [];
  #whole = 0;

  get parts(): number {
    return this.#sums.length;
  }

  /** Adds the next part's bytes; its sum, as sent with it, and its number, from 1. */
  add(bytes: Uint8Array): { readonly partNumber: number; readonly sum: string } {
    const sum = crc32(bytes);
    this.#whole = crc32(bytes, this.#whole);
    return { partNumber: this.#sums.push(sum), sum: encodeCrc(sum) };
  }

  /** `AAAAAA==` of the whole object; `AAAAAA==-3`, or without the count, of the sums of its three parts. */
  accepted(): string[] {
    const digests = Buffer.alloc(this.#sums.length * 4);
    this.#sums.forEach((sum, index) => digests.writeUInt32BE(sum, index * 4));
    const ofParts = encodeCrc(crc32(digests));
    return [encodeCrc(this.#whole), `${ofParts}-${this.#sums.length}`, ofParts];
  }
}

export function encodeCrc(sum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(sum);
  return bytes.toString("base64");
}
