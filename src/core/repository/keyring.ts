import { Failure } from "../failure.ts";
import type { WrappedKey } from "../ports/key-service.ts";
import { backupIdPattern, formatVersion } from "./layout.ts";

/**
 * `keyring.json`: the keys of one backup, each wrapped for the project's key (and the recovery key,
 * where there is one). Destroying this file makes the backup unreadable for ever.
 *
 * In server mode `data` signs `metadata.json` and evidence and encrypts journals, and `files` encrypts nothing.
 *
 * - `data` encrypts database, configuration and manifest,
 * - `files` encrypts the stored bytes of files,
 * - `references` holds the files key of every earlier backup that this backup's manifest refers to,
 *   wrapped anew under this backup's context.
 */
export interface Keyring {
  readonly format: "lc2-keyring";
  readonly formatVersion: number;
  readonly projectId: string;
  readonly backupId: string;
  readonly keys: { readonly data: KeyEntry; readonly files: KeyEntry };
  readonly references: Readonly<Record<string, KeyEntry>>;
}

export interface KeyEntry {
  /** Tells a wrong key from a damaged byte: first 16 hex digits of HMAC-SHA256(key, "lc2-key-check"). */
  readonly check: string;
  /** What the key is of was stored in server mode: the store encrypts it, and this key does not. Absent: it does. */
  readonly encryption?: "server";
  readonly wrapped: readonly WrappedKey[];
}

/** Checks form, version and owner of a parsed keyring. */
export function parseKeyring(text: string, projectId: string, backupId: string): Keyring {
  let value: Keyring;
  try {
    value = JSON.parse(text) as Keyring;
  } catch (cause) {
    throw new Failure("keyring-damaged", `keyring.json of ${backupId} is not JSON.`, { cause });
  }
  if (value?.format !== "lc2-keyring" || !Number.isInteger(value.formatVersion)) {
    throw new Failure("keyring-damaged", `keyring.json of ${backupId} is not a keyring.`);
  }
  if (value.formatVersion > formatVersion) {
    throw new Failure(
      "format-too-new",
      `keyring.json of ${backupId} has format version ${value.formatVersion}; this version of lc2 knows ${formatVersion}.`,
    );
  }
  if (value.projectId !== projectId || value.backupId !== backupId) {
    throw new Failure(
      "keyring-damaged",
      `keyring.json in the folder of ${backupId} belongs to ${value.projectId}/${value.backupId}.`,
    );
  }
  if (!isKeyring(value)) {
    throw new Failure(
      "keyring-damaged",
      `keyring.json of ${backupId} is not in its stated form: it was changed.`,
    );
  }
  return value;
}

function isKeyring(value: Partial<Keyring>): boolean {
  const { keys, references } = value;
  return (
    isKeyEntry(keys?.data) &&
    isKeyEntry(keys?.files) &&
    typeof references === "object" &&
    references !== null &&
    Object.entries(references).every(([id, entry]) => backupIdPattern.test(id) && isKeyEntry(entry))
  );
}

function isKeyEntry(entry: Partial<KeyEntry> | undefined): boolean {
  return (
    typeof entry?.check === "string" &&
    (entry.encryption === undefined || entry.encryption === "server") &&
    Array.isArray(entry.wrapped) &&
    entry.wrapped.every(isWrappedKey)
  );
}

function isWrappedKey(value: Partial<WrappedKey> | null): boolean {
  return (
    (value?.kind === "project" || value?.kind === "recovery") &&
    typeof value.id === "string" &&
    typeof value.wrapped === "string" &&
    (value.ephemeralPublicKey === undefined || typeof value.ephemeralPublicKey === "string")
  );
}
