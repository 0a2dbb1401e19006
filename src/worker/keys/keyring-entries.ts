import { createHmac } from "node:crypto";

import { Failure } from "../../core/failure.ts";
import type { KeyService, Recipient, WrappedKey } from "../../core/ports/key-service.ts";
import type { EncryptionMode } from "../../core/repository/encryption.ts";
import type { KeyEntry, Keyring } from "../../core/repository/keyring.ts";
import { keyContext } from "../../core/repository/layout.ts";

/** A key of a keyring, unwrapped. */
export interface OpenedKey {
  /** 32 bytes. */
  readonly secret: Buffer;
  readonly encryption: EncryptionMode;
}

/** First 16 hex digits of HMAC-SHA256(key, "lc2-key-check"): tells a wrong key from a damaged byte. */
export function keyCheck(key: Uint8Array): string {
  return createHmac("sha256", key).update("lc2-key-check").digest("hex").slice(0, 16);
}

/** A new entry: a key wrapped for every recipient, under its name in the keyring of one backup. */
export async function wrapKey(
  keys: KeyService,
  recipients: readonly Recipient[],
  { secret, encryption }: OpenedKey,
  {
    projectId,
    backupId,
    name,
  }: { readonly projectId: string; readonly backupId: string; readonly name: string },
): Promise<KeyEntry> {
  const mode = encryption === "server" ? { encryption } : {};
  const context = keyContext(projectId, backupId, name, mode.encryption);
  const wrapped: WrappedKey[] = [];
  for (const recipient of recipients) wrapped.push(await keys.wrap(recipient, secret, context));
  return { check: keyCheck(secret), ...mode, wrapped };
}

/** Opens the entries of one keyring, and says of what does not open whether the key or the keyring is wrong. */
export class KeyringOpener {
  readonly #keys: KeyService;
  readonly #keyring: Keyring;

  constructor(keys: KeyService, keyring: Keyring) {
    this.#keys = keys;
    this.#keyring = keyring;
  }

  /**
   * The key of the entry called `name` (`data`, `files`, `files:{backup id}`). Rejects with `key-missing`,
   * `key-wrong` or `keyring-damaged`.
   */
  async open(name: string, entry: KeyEntry): Promise<OpenedKey> {
    const secret = await this.#unwrap(name, entry).catch(async (error: unknown) => {
      throw (await this.#othersOpen(name, error))
        ? this.#damaged(name, "names a key that its other entries do not", error)
        : error;
    });
    if (secret.length !== 32 || keyCheck(secret) !== entry.check) {
      throw this.#damaged(name, "opens to a key that does not fit its check value");
    }
    return { secret, encryption: entry.encryption ?? "client" };
  }

  async #unwrap(name: string, entry: KeyEntry): Promise<Buffer> {
    const { projectId, backupId } = this.#keyring;
    const context = keyContext(projectId, backupId, name, entry.encryption);
    try {
      return Buffer.from(await this.#keys.unwrap(projectId, entry.wrapped, context));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw new Failure(error.code, `The ${name} key of ${backupId} cannot be opened: ${error.message}`, {
        cause: error,
      });
    }
  }

  /** A changed id looks like a missing key; it is one only if no entry of this keyring opens. */
  async #othersOpen(name: string, error: unknown): Promise<boolean> {
    if (!(error instanceof Failure) || (error.code !== "key-missing" && error.code !== "key-wrong"))
      return false;
    const { data, files } = this.#keyring.keys;
    for (const [other, entry] of Object.entries({ data, files })) {
      const opens = this.#unwrap(other, entry).then(
        () => true,
        () => false,
      );
      if (other !== name && (await opens)) return true;
    }
    return false;
  }

  #damaged(name: string, problem: string, cause?: unknown): Failure {
    return new Failure(
      "keyring-damaged",
      `The ${name} entry in keyring.json of ${this.#keyring.backupId} ${problem}: the file was changed. ` +
        "Put keyring.json back from a copy of the repository.",
      { cause },
    );
  }
}
