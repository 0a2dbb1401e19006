import type { Waiting } from "./waiting.ts";

export interface RotateKeyResult {
  readonly rewrapped: number;
  readonly alreadyCurrent: number;
  readonly keyId: string;
}

/** The verbs about the keys of projects. Key material is for the machine that keeps it: no server sends or takes it. */
export interface Keys {
  /** Makes a new key for the project and re-wraps every keyring of it in the repository; no data moves. */
  rotateKey(
    projectId: string,
    options: { repository?: string; dryRun: boolean },
    waiting: Waiting,
  ): Promise<RotateKeyResult>;
  /** The keyfile's text, fit for paper. */
  exportKey(projectId: string): Promise<string>;
  /** Adds the keys of an exported text to the project's keyfile. Idempotent. `dryRun`: says which, adds none. */
  importKey(text: string, options: { dryRun: boolean }): Promise<ImportKeyResult>;
  /** Makes an offline recovery key; its private half is returned once and kept nowhere. */
  createRecoveryKey(projectId: string): Promise<{ keyId: string; privateText: string }>;
}

export interface ImportKeyResult {
  readonly projectId: string;
  readonly added: readonly string[];
  readonly known: readonly string[];
}
