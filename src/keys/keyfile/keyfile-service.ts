import { randomBytes } from "node:crypto";

import { Failure } from "../../core/failure.ts";
import type { KeyService, Recipient, WrappedKey } from "../../core/ports/key-service.ts";
import {
  generateRecoveryKey,
  recoveryPublicHalf,
  unwrapForProject,
  unwrapForRecovery,
  wrapForProject,
  wrapForRecovery,
} from "./key-wrapping.ts";
import { KeyfileFolder } from "./keyfile-folder.ts";
import { mergeKeyfiles } from "./merge-keyfiles.ts";
import type { Keyfile, ProjectKey } from "./keyfile-text.ts";
import { keyId, parseKeyText, printKeyfile, printRecoveryKey } from "./keyfile-text.ts";

export interface KeyfileServiceOptions {
  /** Milliseconds since the epoch, for `created:`. */
  readonly nowMs?: () => number;
  /** Told what was put right on the way: a keyfile that others could read. */
  readonly onNotice?: (message: string) => void;
}

/** Keys in files of a private folder, one file a project. Several processes may use one folder. */
export class KeyfileService implements KeyService {
  readonly #folder: KeyfileFolder;
  readonly #nowMs: () => number;
  /** Values of the recipients that were handed out, by id. */
  readonly #wrappingKeys = new Map<string, Buffer>();

  constructor(directory: string, options: KeyfileServiceOptions = {}) {
    this.#folder = new KeyfileFolder(directory, options.onNotice ?? (() => undefined));
    this.#nowMs = options.nowMs ?? Date.now;
  }

  async recipients(
    projectId: string,
    options: { create: boolean },
  ): Promise<{ recipients: Recipient[]; created: boolean }> {
    const existing = this.#folder.read(projectId);
    const complete = existing !== undefined && existing.keys.length > 0;
    if (!complete && !options.create) throw this.#noKey(projectId);
    const { keyfile, created } = complete
      ? { keyfile: existing, created: false }
      : this.#createKey(projectId, existing);
    const recipients: Recipient[] = [this.#handOut("project", currentKey(keyfile))];
    if (keyfile.recoveryPublicKey !== undefined)
      recipients.push(this.#handOut("recovery", keyfile.recoveryPublicKey));
    return { recipients, created };
  }

  async wrap(recipient: Recipient, key: Uint8Array, context: string): Promise<WrappedKey> {
    const value = this.#wrappingKeys.get(`${recipient.kind} ${recipient.id}`);
    if (value === undefined) {
      throw new Failure(
        "key-missing",
        `There is no ${recipient.kind} key ${recipient.id} in ${this.#folder.directory}.`,
      );
    }
    if (key.length !== 32) throw new RangeError("only keys of 32 bytes are wrapped");
    const wrapFor = recipient.kind === "project" ? wrapForProject : wrapForRecovery;
    return wrapFor(value, recipient.id, key, context);
  }

  async unwrap(projectId: string, wrapped: readonly WrappedKey[], context: string): Promise<Uint8Array> {
    const keyfile = this.#folder.read(projectId);
    let tried: string | undefined;
    for (const one of wrapped) {
      const value = findKey(keyfile, one);
      if (value === undefined) continue;
      const key = (one.kind === "project" ? unwrapForProject : unwrapForRecovery)(value, one, context);
      if (key !== undefined) return key;
      tried = one.id;
    }
    if (tried !== undefined || wrapped.length === 0) throw damagedWrapping(tried);
    throw keyfile === undefined
      ? this.#noKey(projectId, wrapped)
      : this.#otherKey(projectId, keyfile, wrapped);
  }

  /**
   * Makes a new current key; the former ones stay, for the backups that are not re-wrapped yet. Rejects
   * with `key-missing` when the project has no key.
   */
  async rotate(projectId: string): Promise<{ keyId: string }> {
    const key = this.#generateKey();
    this.#folder.update(projectId, (existing) => {
      if (existing === undefined || existing.keys.length === 0) throw this.#noKey(projectId);
      const former = existing.keys.map((old): ProjectKey => ({ ...old, state: "former" }));
      return { ...existing, keys: [...former, key] };
    });
    return { keyId: key.id };
  }

  /** The keyfile's text, fit for paper. Rejects with `key-missing`. */
  async exportKeyfile(projectId: string): Promise<string> {
    const keyfile = this.#folder.read(projectId);
    if (keyfile === undefined) throw this.#noKey(projectId);
    return printKeyfile(keyfile);
  }

  /**
   * Adds the keys of an exported text, or of a recovery key's, to the project's keyfile, which is made
   * when there is none. Idempotent. The current key stays current unless the text comes from a later
   * rotation of it. Rejects with `keyfile-invalid`, naming the line.
   */
  async importKeyfile(
    text: string,
    { dryRun = false }: { readonly dryRun?: boolean } = {},
  ): Promise<{ projectId: string; added: string[]; known: string[] }> {
    const imported = parseKeyText(text, "The text to import", recoveryPublicHalf);
    let outcome = { added: [] as string[], known: [] as string[] };
    this.#folder.update(imported.projectId, (existing) => {
      const { keyfile, added, known } = mergeKeyfiles(existing, imported);
      outcome = { added, known };
      return dryRun ? undefined : keyfile;
    });
    return { projectId: imported.projectId, ...outcome };
  }

  /**
   * Makes a recovery key, the second recipient of keyrings written from now on (`rotate-keys` adds it to
   * those there are). Its private half is returned, for paper, and kept nowhere. Replaces an earlier one.
   */
  async createRecoveryKey(projectId: string): Promise<{ keyId: string; privateText: string }> {
    const { publicKey, privateKey } = generateRecoveryKey();
    const id = keyId(publicKey);
    const createdAt = this.#now();
    this.#folder.update(projectId, (existing) => {
      if (existing === undefined || existing.keys.length === 0) throw this.#noKey(projectId);
      return { ...existing, recoveryPublicKey: { id, createdAt, value: publicKey } };
    });
    return { keyId: id, privateText: printRecoveryKey(projectId, { id, createdAt, value: privateKey }) };
  }

  #createKey(projectId: string, existing: Keyfile | undefined): { keyfile: Keyfile; created: boolean } {
    const key = this.#generateKey();
    if (existing === undefined) {
      return this.#folder.createIfAbsent({ projectId, keys: [key], recoveryPrivateKeys: [] });
    }
    // A keyfile that holds only an imported recovery key.
    const keyfile = this.#folder.update(projectId, (now) => {
      if (now !== undefined && now.keys.length > 0) return undefined;
      return { projectId, recoveryPrivateKeys: [], ...now, keys: [key] };
    });
    if (keyfile === undefined) throw this.#noKey(projectId);
    return { keyfile, created: keyfile.keys.some(({ id }) => id === key.id) };
  }

  #generateKey(): ProjectKey {
    const value = randomBytes(32);
    return { id: keyId(value), createdAt: this.#now(), value, state: "current" };
  }

  #now(): string {
    return new Date(this.#nowMs()).toISOString();
  }

  #handOut(kind: Recipient["kind"], key: { readonly id: string; readonly value: Buffer }): Recipient {
    this.#wrappingKeys.set(`${kind} ${key.id}`, key.value);
    return { kind, id: key.id };
  }

  #noKey(projectId: string, wrapped: readonly WrappedKey[] = []): Failure {
    const needed = wrapped.length === 0 ? "" : ` (needed: ${listIds(wrapped)})`;
    const firstOne = wrapped.length === 0 ? " A project that is new gets its key from its first backup." : "";
    return new Failure(
      "key-missing",
      `There is no key of project ${projectId} in ${this.#folder.directory}${needed}. ` +
        `Import the copy that was exported: lc2 key import FILE.${firstOne}`,
    );
  }

  #otherKey(projectId: string, keyfile: Keyfile, wrapped: readonly WrappedKey[]): Failure {
    const held = [...keyfile.keys, ...keyfile.recoveryPrivateKeys].map(({ id }) => id).join(", ");
    return new Failure(
      "key-wrong",
      `The keyfile ${this.#folder.path(projectId)} holds ${held}, but this was wrapped with ${listIds(wrapped)}: ` +
        "another installation's key, or a later one. Import that key: lc2 key import FILE.",
    );
  }
}

function currentKey(keyfile: Keyfile): ProjectKey {
  const current = keyfile.keys.find(({ state }) => state === "current");
  if (current === undefined)
    throw new Failure("keyfile-invalid", `The keyfile of ${keyfile.projectId} has no current key.`);
  return current;
}

function findKey(keyfile: Keyfile | undefined, wrapped: WrappedKey): Buffer | undefined {
  const held = wrapped.kind === "project" ? keyfile?.keys : keyfile?.recoveryPrivateKeys;
  return held?.find(({ id }) => id === wrapped.id)?.value;
}

function damagedWrapping(id: string | undefined): Failure {
  return new Failure(
    "keyring-damaged",
    id === undefined
      ? "it is wrapped for no key at all. Put keyring.json back from a copy of the repository."
      : `the key ${id} is the right one but does not open it, so the wrapped bytes were changed or belong to ` +
          "another backup. Put keyring.json back from a copy of the repository.",
  );
}

const listIds = (wrapped: readonly WrappedKey[]): string =>
  wrapped.map(({ kind, id }) => `${kind} key ${id}`).join(" or ");
