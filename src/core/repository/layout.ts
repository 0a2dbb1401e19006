import type { OperationKind } from "../operation/operation.ts";
import type { EncryptionMode, ServerEncryption } from "./encryption.ts";

/**
 * Names of everything in a repository (format version 1). The whole specification is
 * `docs/reference/backup-format.md`.
 */
export const formatVersion = 1;

export const repositoryFile = "lc2-repository.json";

/** `lc2-repository.json`. */
export interface RepositoryDescription {
  readonly format: "lc2-repository";
  readonly formatVersion: number;
  readonly id: string;
  readonly createdAt: string;
  readonly encryption: EncryptionMode;
  /** Of server mode: how the store encrypts every object, as it states it itself. */
  readonly serverEncryption?: ServerEncryption;
  /** Canonical URL of the repository that backups of this one are copied to when no other is named. */
  readonly copyTo?: string;
}

export const projectPrefix = (projectId: string): string => `backups/${projectId}/`;
export const backupPrefix = (projectId: string, backupId: string): string =>
  `backups/${projectId}/${backupId}/`;
export const metadataName = (projectId: string, backupId: string): string =>
  `${backupPrefix(projectId, backupId)}metadata.json`;
export const keyringName = (projectId: string, backupId: string): string =>
  `${backupPrefix(projectId, backupId)}keyring.json`;

/** `a1`, `a2`, …: what one attempt writes, relative to the backup's prefix. */
export const attemptName = (attempt: number): string => `a${attempt}`;

/** What a part of an attempt measured, for the seal; relative to the backup's prefix. */
export const evidenceName = (attempt: number, component: "database" | "files"): string =>
  `${attemptName(attempt)}/${component}.evidence.json`;

/** What a hook of an attempt left, and that it ended well; relative to the backup's prefix. */
export const hookArtifactName = (attempt: number, hook: string): string =>
  `${attemptName(attempt)}/hooks/${hook}/artifact.tar`;
export const hookEvidenceName = (attempt: number, hook: string): string =>
  `${attemptName(attempt)}/hooks/${hook}/evidence.json`;

/** Where a restore keeps what it overwrote. */
export const undoPrefix = (projectId: string, restoreId: string): string => `undo/${projectId}/${restoreId}/`;

/** What people defined of a project. */
export const definitionsPrefix = (projectId: string): string => `projects/${projectId}/definitions/`;

export const leasePrefix = "leases/";

/** Where what a store can do is tried out; nothing of it stays. */
export const probePrefix = "probe/";

/**
 * The associated data of a stored stream: binds it to its place, so that pieces cannot be swapped
 * between names, attempts, backups or projects. Never the repository, so that folders can move.
 *
 * `name` is relative to the backup (`a1/database/lportal.dump`); a pack member adds `@offset`.
 */
export function associatedData(projectId: string, backupId: string, name: string, offset?: number): string {
  return `lc2/1\n${projectId}\n${backupId}\n${name}${offset === undefined ? "" : `@${offset}`}`;
}

/**
 * The context a backup's key is wrapped in. `keyName` is `data`, `files` or `files:{earlier backup id}`. That a backup
 * is stored in server mode is part of it: nobody who can only write the keyring can make a reader take bytes for
 * whole that no key authenticates.
 */
export function keyContext(
  projectId: string,
  backupId: string,
  keyName: string,
  encryption?: "server",
): string {
  const mode = encryption === undefined ? "" : `;${encryption}`;
  return `lc2-keyring/1\n${projectId}\n${backupId}\n${keyName}${mode}`;
}

/** Ids that become folder names: lower-case letters, digits and hyphens, as §7 of the API asks. */
export const projectIdPattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
export const probeIdPattern = /^[0-9a-f]{16}$/;
export const backupIdPattern = /^backup-\d{8}-\d{6}-[0-9a-f]{6}$/;

const ownNames =
  /^(?:(?:backups|undo)\/[a-z0-9-]+\/(?:backup|restore)-\d{8}-\d{6}-[0-9a-f]{6}\/|projects\/[a-z0-9-]+\/definitions\/|leases\/|probe\/[0-9a-f]{16}\/|lc2-repository\.json)/;

/** Whether a name can be of a repository: in a bucket others may write beside it, and below it. */
export const isRepositoryName = (name: string): boolean => ownNames.test(name);

/** `backup-20251110-020000-3f9c2a`: sorts by creation time (UTC). */
export function makeOperationId(kind: OperationKind, nowMs: number, random: string): string {
  const digits = new Date(nowMs).toISOString().replaceAll(/\D/g, "");
  return `${kind}-${digits.slice(0, 8)}-${digits.slice(8, 14)}-${random.slice(0, 6)}`;
}

/** When an operation was given its id, to the second; 0 where this is none. */
export function operationStartMs(id: string): number {
  const [, ...digits] = /^[a-z]+-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-/.exec(id) ?? [];
  const [year, month, day, hour, minute, second] = digits;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) || 0;
}
