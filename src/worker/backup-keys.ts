/**
 * The keys of one backup: made once, kept wrapped in `keyring.json`, opened with the project's key.
 * Every failure here says which of four things is wrong: the project's key is not here (`key-missing`),
 * is another one (`key-wrong`), the keyring was changed (`keyring-damaged`), or there is no keyring
 * (`backup-incomplete`).
 */
import { createHmac, randomBytes } from "node:crypto";

import { Failure } from "../core/failure.ts";
import type { KeyService, Recipient, WrappedKey } from "../core/ports/key-service.ts";
import type { ObjectStore } from "../core/ports/object-store.ts";
import type { KeyEntry, Keyring } from "../core/repository/keyring.ts";
import { parseKeyring } from "../core/repository/keyring.ts";
import { formatVersion, keyContext, keyringName } from "../core/repository/layout.ts";

/** What this module needs of a `TaskRun`. */
export interface KeyringPlace {
  readonly context: { readonly projectId: string };
  readonly store: ObjectStore;
  readonly keys: KeyService;
}

export interface BackupKeys {
  /** 32 bytes; encrypts database, configuration and manifest. */
  readonly data: Buffer;
  /** 32 bytes; encrypts the stored bytes of files. */
  readonly files: Buffer;
  /**
   * Files key of this backup or of an earlier one that its manifest refers to; undefined for any other.
   * Throws the failure of that one entry where it could not be opened: a damaged reference costs the
   * files that need it, not the whole backup.
   */
  filesOf(backupId: string): Buffer | undefined;
}

/** A keyring is some KiB; anything larger is not one. */
const maximumKeyringBytes = 64 << 20;

/**
 * Makes the keys of a new backup and stores them wrapped for all recipients; makes the project's key
 * too when there is none (`projectKeyCreated`: say so loudly). Idempotent: where the backup has a keyring
 * already, opens it. Rejects as `openBackupKeys` does.
 */
export async function createBackupKeys(
  run: KeyringPlace,
  backupId: string,
): Promise<{ keys: BackupKeys; projectKeyCreated: boolean }> {
  const { projectId } = run.context;
  // Looked at first: a missing project key must not be made anew beside a keyring that needs the old one.
  if ((await readKeyring(run.store, projectId, backupId)) !== undefined) {
    return { keys: await openBackupKeys(run, backupId), projectKeyCreated: false };
  }
  const { recipients, created } = await run.keys.recipients(projectId, { create: true });
  const data = randomBytes(32);
  const files = randomBytes(32);
  const keyring: Keyring = {
    format: "lc2-keyring",
    formatVersion,
    projectId,
    backupId,
    keys: {
      data: await wrapForAll(run.keys, recipients, data, keyContext(projectId, backupId, "data")),
      files: await wrapForAll(run.keys, recipients, files, keyContext(projectId, backupId, "files")),
    },
    references: {},
  };
  const ours = await run.store.createIfAbsent(keyringName(projectId, backupId), printKeyring(keyring));
  const keys = ours ? makeBackupKeys(backupId, data, files, new Map()) : await openBackupKeys(run, backupId);
  return { keys, projectKeyCreated: created };
}

/** Opens the keys of a backup with the project's key (or the recovery key, where it was imported). */
export async function openBackupKeys(run: KeyringPlace, backupId: string): Promise<BackupKeys> {
  const { projectId } = run.context;
  const keyring = await readKeyring(run.store, projectId, backupId);
  if (keyring === undefined) throw missingKeyring(run.store, backupId);
  return openKeyring(run.keys, keyring);
}

/**
 * Adds the files keys of earlier backups (id → 32 bytes) that the manifest refers to, wrapped anew for
 * this backup. Idempotent; entries that are there already stay.
 */
export async function addKeyReferences(
  run: KeyringPlace,
  backupId: string,
  earlier: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const { projectId } = run.context;
  const keyring = await readKeyring(run.store, projectId, backupId);
  if (keyring === undefined) throw missingKeyring(run.store, backupId);
  const { recipients } = await run.keys.recipients(projectId, { create: false });
  const references: Record<string, KeyEntry> = { ...keyring.references };
  let added = false;
  for (const [id, key] of earlier) {
    if (id === backupId || references[id]?.check === keyCheck(key)) continue;
    references[id] = await wrapForAll(
      run.keys,
      recipients,
      key,
      keyContext(projectId, backupId, `files:${id}`),
    );
    added = true;
  }
  if (added)
    await run.store.replace(keyringName(projectId, backupId), printKeyring({ ...keyring, references }));
}

/** First 16 hex digits of HMAC-SHA256(key, "lc2-key-check"): tells a wrong key from a damaged byte. */
export function keyCheck(key: Uint8Array): string {
  return createHmac("sha256", key).update("lc2-key-check").digest("hex").slice(0, 16);
}

export function printKeyring(keyring: Keyring): Buffer {
  return Buffer.from(`${JSON.stringify(keyring, null, 2)}\n`);
}

/** The parsed keyring, or undefined where there is none. */
export async function readKeyring(
  store: ObjectStore,
  projectId: string,
  backupId: string,
): Promise<Keyring | undefined> {
  const name = keyringName(projectId, backupId);
  const found = await store.head(name);
  if (found === undefined) return undefined;
  if (found.sizeBytes > maximumKeyringBytes) {
    throw new Failure(
      "keyring-damaged",
      `${name} in ${store.url} is ${found.sizeBytes} bytes long, which no keyring is.`,
    );
  }
  const pieces: Buffer[] = [];
  for await (const chunk of store.read(name)) pieces.push(Buffer.from(chunk));
  return parseKeyring(Buffer.concat(pieces).toString("utf8"), projectId, backupId);
}

async function wrapForAll(
  keys: KeyService,
  recipients: readonly Recipient[],
  key: Buffer,
  context: string,
): Promise<KeyEntry> {
  const wrapped: WrappedKey[] = [];
  for (const recipient of recipients) wrapped.push(await keys.wrap(recipient, key, context));
  return { check: keyCheck(key), wrapped };
}

/** Unwraps every key of a keyring. */
async function openKeyring(keys: KeyService, keyring: Keyring): Promise<BackupKeys> {
  const opener = new KeyringOpener(keys, keyring);
  const data = await opener.open("data", keyring.keys.data);
  const files = await opener.open("files", keyring.keys.files);
  const references = new Map<string, Buffer | Failure>();
  for (const [id, entry] of Object.entries(keyring.references)) {
    references.set(id, await opener.open(`files:${id}`, entry).catch(Failure.from));
  }
  return makeBackupKeys(keyring.backupId, data, files, references);
}

class KeyringOpener {
  readonly #keys: KeyService;
  readonly #keyring: Keyring;

  constructor(keys: KeyService, keyring: Keyring) {
    this.#keys = keys;
    this.#keyring = keyring;
  }

  async open(name: string, entry: KeyEntry): Promise<Buffer> {
    const key = await this.#unwrap(name, entry).catch(async (error: unknown) => {
      throw (await this.#othersOpen(name, error))
        ? this.#damaged(name, "names a key that its other entries do not", error)
        : error;
    });
    if (key.length !== 32 || keyCheck(key) !== entry.check) {
      throw this.#damaged(name, "opens to a key that does not fit its check value");
    }
    return key;
  }

  async #unwrap(name: string, entry: KeyEntry): Promise<Buffer> {
    const { projectId, backupId } = this.#keyring;
    const context = keyContext(projectId, backupId, name);
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
    for (const [other, entry] of Object.entries({
      data: this.#keyring.keys.data,
      files: this.#keyring.keys.files,
    })) {
      if (
        other !== name &&
        (await this.#unwrap(other, entry).then(
          () => true,
          () => false,
        ))
      )
        return true;
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

function makeBackupKeys(
  backupId: string,
  data: Buffer,
  files: Buffer,
  references: ReadonlyMap<string, Buffer | Failure>,
): BackupKeys {
  const filesOf = (id: string): Buffer | undefined => {
    const found = id === backupId ? files : references.get(id);
    if (found instanceof Failure) throw found;
    return found;
  };
  return { data, files, filesOf };
}

function missingKeyring(store: ObjectStore, backupId: string): Failure {
  return new Failure(
    "backup-incomplete",
    `keyring.json of ${backupId} is missing in ${store.url}. If the backup was deleted, its keys were destroyed ` +
      "first and nothing can read it again; if its folder was not copied whole, copy keyring.json too.",
  );
}
