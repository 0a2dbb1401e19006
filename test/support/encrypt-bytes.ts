import { encryptedSizeBytes, encryptInto } from "../../src/worker/streams/streaming-aead.ts";

/** A whole encrypted stream in memory of its own. */
export function encryptBytes(
  key: Uint8Array,
  associatedData: string | Uint8Array,
  plain: Uint8Array,
): Buffer {
  const stored = Buffer.alloc(encryptedSizeBytes(plain.length));
  encryptInto(stored, 0, key, associatedData, plain);
  return stored;
}
