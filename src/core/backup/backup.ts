import type { BucketCredentials, SecretReference } from "../environment/environment.ts";
import type { Hooks, HookSpec } from "../hooks/hook.ts";
import type { EncryptionMode } from "../repository/encryption.ts";

/** A backup as it is run: everything that it goes by. */
export interface BackupSpec {
  readonly projectId: string;
  /** The environment whose places these are. */
  readonly environment?: string;
  readonly application?: "liferay" | "drupal" | "bloomreach";
  readonly provider: "local";
  readonly database?: DatabaseSourceSpec;
  readonly storage?: FilesSourceSpec;
  /** Who encrypts in the repository; absent: as the repository was made, which makes a new one for `client`. */
  readonly encryption?: EncryptionMode;
  /** Of `server`: the key in the store's key service; absent: the store's own. */
  readonly kmsKey?: string;
  /** In this order, before anything is read; once in each attempt. */
  readonly preBackupHooks?: readonly HookSpec[];
  /** In this order, when it is known how the backup ended. */
  readonly postBackupHooks?: readonly HookSpec[];
}

export const hooksOfBackup = ({
  preBackupHooks,
  postBackupHooks,
}: Pick<BackupSpec, "preBackupHooks" | "postBackupHooks">): Hooks => ({
  before: preBackupHooks ?? [],
  after: postBackupHooks ?? [],
});
/** A backup as it is asked for: of an environment, or of places that are named. */
export interface BackupWish extends Omit<BackupSpec, "database" | "storage"> {
  /** Of an environment: only this part. */
  readonly only?: "database" | "storage";
  readonly database?: Partial<DatabaseSourceSpec> & NamedInstance;
  readonly storage?: Partial<FilesSourceSpec> & NamedInstance;
}

interface NamedInstance {
  /** Its name in the environment; absent: the only one there. */
  readonly instance?: string;
}

export interface DatabaseSourceSpec {
  /** `postgres://user@host:port/name?…` without a password. */
  readonly url: string;
  /** Where the password is; absent: as libpq finds one. */
  readonly password?: SecretReference;
  /** Globs on `table` or `schema.table`; the tables are kept, their rows left out. */
  readonly excludeTables: readonly string[];
  /** Parallel archives on the one snapshot; absent: chosen by size. */
  readonly streams?: number;
  /** Major version or folder of the client tools, instead of the ones found. */
  readonly tools?: string;
  /** The server is known to be a standby, and that is wanted. */
  readonly fromStandby?: boolean;
  /** Milliseconds the dump waits for a lock. */
  readonly lockTimeoutMs?: number;
}

export interface FilesSourceSpec {
  /** `file:///…` or `s3://bucket/prefix?…` */
  readonly url: string;
  /** Of a bucket; absent: as the AWS clients find them. */
  readonly credentials?: BucketCredentials;
  readonly excludeGeneratedFiles: boolean;
  readonly excludePatterns: readonly string[];
  readonly excludePaths: readonly string[];
  readonly includePaths: readonly string[];
  /** Refuse when the source holds less than (1 - maxShrink) of the previous backup's objects or bytes; 0..1. */
  readonly maxShrink: number;
  /** List and compare once more at the end. */
  readonly verifySource?: boolean;
  /** Read again and store all, whatever the earlier manifest says. */
  readonly rehash?: boolean;
  /** Files that cannot be read are left out and named, instead of making the backup fail. */
  readonly allowUnreadable?: boolean;
  /** Most transfers at a time of bucket and repository, 1..256; absent: chosen, and adapted to what the store bears. */
  readonly maxConcurrency?: number;
  /** `false`: one transfer at a time. Default: true. */
  readonly parallelTransfer?: boolean;
}
