/**
 * How a 32-byte key is wrapped, for both kinds of recipient. Specified in
 * `docs/reference/backup-format.md`, "Keyring" and "Recovery key".
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
} from "node:crypto";
import type { KeyObject } from "node:crypto";

import type { WrappedKey } from "../../core/ports/key-service.ts";

const nonceBytes = 12;
const tagBytes = 16;
const wrappedBytes = nonceBytes + 32 + tagBytes;

/** Tink's AES-GCM without prefix ("RAW"): nonce ‖ ciphertext ‖ tag, associated data = the context. */
export function wrapForProject(
  projectKey: Uint8Array,
  id: string,
  key: Uint8Array,
  context: string,
): WrappedKey {
  return { kind: "project", id, wrapped: seal(projectKey, key, context).toString("base64") };
}

/** The key, or undefined when the wrapped bytes were changed or wrapped in another context. */
export function unwrapForProject(
  projectKey: Uint8Array,
  wrapped: WrappedKey,
  context: string,
): Buffer | undefined {
  return open(projectKey, decodeBase64(wrapped.wrapped, wrappedBytes), context);
}

/** Ephemeral X25519, HKDF-SHA256, AES-256-GCM. */
export function wrapForRecovery(publicKey: Buffer, id: string, key: Uint8Array, context: string): WrappedKey {
  const ephemeral = generateKeyPairSync("x25519");
  const ephemeralPublic = rawPublicKey(ephemeral.publicKey);
  const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: importPublicKey(publicKey) });
  const wrappingKey = deriveRecoveryWrappingKey(shared, ephemeralPublic, publicKey);
  return {
    kind: "recovery",
    id,
    wrapped: seal(wrappingKey, key, context).toString("base64"),
    ephemeralPublicKey: ephemeralPublic.toString("base64"),
  };
}

/** The key, or undefined when anything about the wrapped key was changed. */
export function unwrapForRecovery(
  privateKey: Buffer,
  wrapped: WrappedKey,
  context: string,
): Buffer | undefined {
  const ephemeralPublic = decodeBase64(wrapped.ephemeralPublicKey ?? "", 32);
  if (ephemeralPublic === undefined) return undefined;
  const own = importPrivateKey(privateKey);
  let shared: Buffer;
  try {
    shared = diffieHellman({ privateKey: own, publicKey: importPublicKey(ephemeralPublic) });
  } catch {
    // OpenSSL refuses points of low order: nobody's ephemeral key is one.
    return undefined;
  }
  const wrappingKey = deriveRecoveryWrappingKey(shared, ephemeralPublic, recoveryPublicHalf(privateKey));
  return open(wrappingKey, decodeBase64(wrapped.wrapped, wrappedBytes), context);
}

function deriveRecoveryWrappingKey(shared: Buffer, ephemeralPublic: Buffer, recipientPublic: Buffer): Buffer {
  const salt = Buffer.concat([ephemeralPublic, recipientPublic]);
  return Buffer.from(hkdfSync("sha256", shared, salt, "lc2-recovery/1", 32));
}

function seal(wrappingKey: Uint8Array, key: Uint8Array, context: string): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", wrappingKey, nonce).setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
}

function open(wrappingKey: Uint8Array, bytes: Buffer | undefined, context: string): Buffer | undefined {
  if (bytes === undefined) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", wrappingKey, bytes.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Strict: Node's own decoder skips what is no base64, and would hide a changed character. */
function decodeBase64(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === length && bytes.toString("base64") === text ? bytes : undefined;
}

// X25519 keys as 32 raw bytes; what precedes them in DER (RFC 8410) never changes.
const publicDerPrefix = Buffer.from("302a300506032b656e032100", "hex");
const privateDerPrefix = Buffer.from("302e020100300506032b656e04220420", "hex");

export function generateRecoveryKey(): { publicKey: Buffer; privateKey: Buffer } {
  const privateKey = randomBytes(32);
  return { publicKey: recoveryPublicHalf(privateKey), privateKey };
}

export function recoveryPublicHalf(privateKey: Buffer): Buffer {
  return rawPublicKey(createPublicKey(importPrivateKey(privateKey)));
}

function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ format: "der", type: "spki" }).subarray(-32);
}

function importPublicKey(raw: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([publicDerPrefix, raw]), format: "der", type: "spki" });
}

function importPrivateKey(raw: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([privateDerPrefix, raw]), format: "der", type: "pkcs8" });
}
