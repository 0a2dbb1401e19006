/**
 * Holds the projects' keys. A project's key never leaves its service: it wraps and unwraps the
 * 256-bit keys of backups. Worker side only.
 */
export interface KeyService {
  /**
   * The recipients a new keyring is wrapped for: the project's current key and, where one is set up,
   * its offline recovery key. Creates the project's key when `create` is set and there is none
   * (`created` then tells the caller to say so loudly); without it rejects with `key-missing`.
   */
  recipients(
    projectId: string,
    options: { create: boolean },
  ): Promise<{ recipients: Recipient[]; created: boolean }>;

  /** Wraps a 32-byte key for one recipient, bound to `context`. */
  wrap(recipient: Recipient, key: Uint8Array, context: string): Promise<WrappedKey>;

  /**
   * Unwraps with whichever of the project's keys (current, former or recovery) the wrapped key names.
   * Rejects with `key-missing` when the service holds no key of the project, with `key-wrong` when it holds
   * others but not one that is named, and with `keyring-damaged` when the right key does not open it.
   */
  unwrap(projectId: string, wrapped: readonly WrappedKey[], context: string): Promise<Uint8Array>;
}

/** A key that can be wrapped for. `id` is derived from the key itself, so a wrong key has another id. */
export interface Recipient {
  readonly kind: "project" | "recovery";
  readonly id: string;
}

/** One wrapped copy of a key, as stored in `keyring.json`. */
export interface WrappedKey {
  readonly kind: "project" | "recovery";
  /** Id of the wrapping key. */
  readonly id: string;
  /** Base64 of: 12 bytes nonce, ciphertext, 16 bytes tag (AES-256-GCM, associated data = the context). */
  readonly wrapped: string;
  /** Recovery recipients only: base64 of the ephemeral X25519 public key. */
  readonly ephemeralPublicKey?: string;
}
