import { crc32 } from "node:zlib";

/** The forms in which a store may state the CRC32 of an object that was sent in parts. */
export class PartChecksums {
  /** Of the parts of this upload; unknown where a store copied a part and did not say. */
  #sums: (Uint8Array | undefined)[] = [];
  #whole = 0;

  /** Parts of this upload. */
  get parts(): number {
    return this.#sums.length;
  }

  /** Adds the next part's bytes; its sum, as sent with it, and its number, from 1. */
  add(bytes: Uint8Array): { readonly partNumber: number; readonly sum: string } {
    const sum = encodeCrc(crc32(bytes));
    this.#whole = crc32(bytes, this.#whole);
    return { partNumber: this.#sums.push(Buffer.from(sum, "base64")), sum };
  }

  /** Another upload begins, of parts that were added before and of further ones. */
  restart(): void {
    this.#sums = [];
  }

  /** Adds a part that the store copied from what was added before; its number. */
  addCopied(sum: string | undefined): number {
    return this.#sums.push(sum === undefined ? undefined : Buffer.from(sum, "base64"));
  }

  /**
   * `AAAAAA==` of the whole object; `AAAAAA==-3`, or without the count, of the sums of its three parts. Undefined
   * where a store may state something that cannot be known here.
   */
  accepted(): string[] | undefined {
    const digests: Uint8Array[] = [];
    for (const sum of this.#sums) {
      if (sum === undefined) return undefined;
      digests.push(sum);
    }
    const ofParts = encodeCrc(crc32(Buffer.concat(digests)));
    return [encodeCrc(this.#whole), `${ofParts}-${digests.length}`, ofParts];
  }
}

export function encodeCrc(sum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(sum);
  return bytes.toString("base64");
}

/** How a sum is sent: buckets that lock objects ask some clients to name the algorithm as well. */
export const checksum = (sum: string) => ({ ChecksumAlgorithm: "CRC32" as const, ChecksumCRC32: sum });
