/**
 * The keys of one backup: made once, kept wrapped in `keyring.json`, opened with the project's key.
 * Every failure here says which of four things is wrong: the project's key is not here (`key-missing`),
 * is another one (`key-wrong`), the keyring was changed (`keyring-damaged`), or there is no keyring
 * (`backup-incomplete`).
 */
import { randomBytes } from "node:crypto";

import { Failure } from "../../core/failure.ts";
import type { KeyService } from "../../core/ports/key-service.ts";
import type { ObjectStore } from "../../core/ports/object-store.ts";
import type { KeyEntry, Keyring } from "../../core/repository/keyring.ts";
import { parseKeyring } from "../../core/repository/keyring.ts";
import type { EncryptionMode } from "../../core/repository/encryption.ts";
import { formatVersion, keyringName } from "../../core/repository/layout.ts";
import { KeyringOpener, keyCheck, wrapKey, type OpenedKey } from "./keyring-entries.ts";
import { readObject } from "../streams/read-object.ts";
import { streamKey, type StreamKey } from "../streams/stream-key.ts";

/** What this module needs of a `TaskRun`. */
export interface KeyringPlace {
  readonly context: { readonly projectId: string };
  readonly store: ObjectStore;
  readonly keys: KeyService;
}

export interface BackupKeys {
  /** Who encrypts what this backup stores. */
  readonly encryption: EncryptionMode;
  /** 32 bytes: the data key itself, which signs `metadata.json` and evidence in either mode. */
  readonly signing: Buffer;
  /**
   * Encrypts journals, in either mode the data key itself: nobody signs them, so this is what tells those of our own
   * work from those that somebody else put there.
   */
  readonly journal: Uint8Array;
  /** Encrypts database, configuration and manifest. */
  readonly data: StreamKey;
  /** Encrypts the stored bytes of files. */
  readonly files: StreamKey;
  /**
   * Files key of this backup or of an earlier one that its manifest refers to; undefined for any other.
   * Throws the failure of that one entry where it could not be opened: a damaged reference costs the
   * files that need it, not the whole backup.
   */
  filesOf(backupId: string): StreamKey | undefined;
  /** The same as a later backup's keyring keeps it. */
  filesKeyOf(backupId: string): OpenedKey | undefined;
}

/**
 * Makes the keys of a new backup and stores them wrapped for all recipients; makes the project's key
 * too when there is none (`projectKeyCreated`: say so loudly). Idempotent: where the backup has a keyring
 * already, opens it, and its mode is the one that counts. Rejects as `openBackupKeys` does.
 */
export async function createBackupKeys(
  run: KeyringPlace,
  backupId: string,
  encryption: EncryptionMode = "client",
): Promise<{ keys: BackupKeys; projectKeyCreated: boolean }> {
  const { projectId } = run.context;
  // Looked at first: a missing project key must not be made anew beside a keyring that needs the old one.
  if ((await readKeyring(run.store, projectId, backupId)) !== undefined) {
    return { keys: await openBackupKeys(run, backupId), projectKeyCreated: false };
  }
  const { recipients, created } = await run.keys.recipients(projectId, { create: true });
  const data: OpenedKey = { secret: randomBytes(32), encryption };
  const files: OpenedKey = { secret: randomBytes(32), encryption };
  const of = { projectId, backupId };
  const keyring: Keyring = {
    format: "lc2-keyring",
    formatVersion,
    projectId,
    backupId,
    keys: {
      data: await wrapKey(run.keys, recipients, data, { ...of, name: "data" }),
      files: await wrapKey(run.keys, recipients, files, { ...of, name: "files" }),
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
 * Adds the files keys of earlier backups, by their ids, that the manifest refers to, wrapped anew for
 * this backup. Idempotent; entries that are there already stay.
 */
export async function addKeyReferences(
  run: KeyringPlace,
  backupId: string,
  earlier: ReadonlyMap<string, OpenedKey>,
): Promise<void> {
  const { projectId } = run.context;
  const keyring = await readKeyring(run.store, projectId, backupId);
  if (keyring === undefined) throw missingKeyring(run.store, backupId);
  const { recipients } = await run.keys.recipients(projectId, { create: false });
  const references: Record<string, KeyEntry> = { ...keyring.references };
  let added = false;
  for (const [id, key] of earlier) {
    if (id === backupId || references[id]?.check === keyCheck(key.secret)) continue;
    const name = `files:${id}`;
    references[id] = await wrapKey(run.keys, recipients, key, { projectId, backupId, name });
    added = true;
  }
  if (added)
    await run.store.replace(keyringName(projectId, backupId), printKeyring({ ...keyring, references }));
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
  if ((await store.head(name)) === undefined) return undefined;
  return parseKeyring((await readObject(store, name)).toString("utf8"), projectId, backupId);
}

/** Unwraps every key of a keyring. */
async function openKeyring(keys: KeyService, keyring: Keyring): Promise<BackupKeys> {
  const opener = new KeyringOpener(keys, keyring);
  const data = await opener.open("data", keyring.keys.data);
  const files = await opener.open("files", keyring.keys.files);
  const references = new Map<string, OpenedKey | Failure>();
  for (const [id, entry] of Object.entries(keyring.references)) {
    references.set(id, await opener.open(`files:${id}`, entry).catch(Failure.from));
  }
  return makeBackupKeys(keyring.backupId, data, files, references);
}

function makeBackupKeys(
  backupId: string,
  data: OpenedKey,
  files: OpenedKey,
  references: ReadonlyMap<string, OpenedKey | Failure>,
): BackupKeys {
  const filesKeyOf = (id: string): OpenedKey | undefined => {
    const found = id === backupId ? files : references.get(id);
    if (found instanceof Failure) throw found;
    return found;
  };
  const streamOf = ({ encryption, secret }: OpenedKey): StreamKey => streamKey(encryption, secret);
  return {
    encryption: data.encryption,
    signing: data.secret,
    journal: data.secret,
    data: streamOf(data),
    files: streamOf(files),
    filesKeyOf,
    filesOf: (id) => {
      const found = filesKeyOf(id);
      return found === undefined ? undefined : streamOf(found);
    },
  };
}

function missingKeyring(store: ObjectStore, backupId: string): Failure {
  return new Failure(
    "backup-incomplete",
    `keyring.json of ${backupId} is missing in ${store.url}. If the backup was deleted, its keys were destroyed ` +
      "first and nothing can read it again; if its folder was not copied whole, copy keyring.json too.",
  );
}
