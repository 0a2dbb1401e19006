import type { EncryptionMode } from "../../core/repository/encryption.ts";

/**
 * What a stored stream is encrypted with: a key of 32 bytes, or `by-store`: nothing but the store's own encryption.
 * A word, and not a missing key, so that nothing is left unencrypted by an oversight.
 */
export type StreamKey = Uint8Array | "by-store";

export const streamKey = (encryption: EncryptionMode, secret: Uint8Array): StreamKey =>
  encryption === "server" ? "by-store" : secret;
