import type { HookSpec } from "../hooks/hook.ts";

/** A place that is backed up or restored into: its databases and files, and what may be done with it. */
export interface Environment {
  readonly projectId: string;
  readonly name: string;
  readonly description?: string;
  readonly role: EnvironmentRole;
  /** A restore into it is run only when its plan was approved by its hash. */
  readonly protected: boolean;
  readonly region?: string;
  readonly application?: "liferay" | "drupal" | "bloomreach";
  readonly databases: readonly EnvironmentDatabase[];
  readonly storages: readonly EnvironmentStorage[];
  /**
   * Environments of the project whose backups may be restored here; absent: all of the project's, and backups that
   * name no environment.
   */
  readonly allowedSources?: readonly string[];
  /** Of each backup of it: before those of the request. */
  readonly preBackupHooks?: readonly HookSpec[];
  /** Of each backup of it: after those of the request. */
  readonly postBackupHooks?: readonly HookSpec[];
  /** Of each restore into it: before those of the request. */
  readonly preRestoreHooks?: readonly HookSpec[];
  /** Of each restore into it: after those of the request. */
  readonly postRestoreHooks?: readonly HookSpec[];
}

export const environmentRoles = ["production", "staging", "development"] as const;
export type EnvironmentRole = (typeof environmentRoles)[number];

export interface EnvironmentDatabase {
  readonly name: string;
  /** `postgres://user@host:port/name?…` without a password. */
  readonly url: string;
  /** Where the password is; absent: as libpq finds one. */
  readonly password?: SecretReference;
  /** Major version of the client tools. */
  readonly tools?: string;
}

export interface EnvironmentStorage {
  readonly name: string;
  /** `file:///…` or `s3://bucket/prefix?…` */
  readonly url: string;
  /** Of a bucket; absent: as the AWS clients find them. */
  readonly credentials?: BucketCredentials;
}

export interface BucketCredentials {
  readonly accessKeyId: SecretReference;
  readonly secretAccessKey: SecretReference;
  readonly sessionToken?: SecretReference;
}

/**
 * Where a secret is, never the secret: `env:NAME`, a variable of the process that moves the bytes, or `file:/path`, a
 * file of its machine, whose last line end does not count. Read when it is needed and kept nowhere.
 */
export type SecretReference = string;

/** What the one database, or the one set of files, is called where nobody names it. */
const onlyOne = "main";

/** An environment as it is asked for: what is not said has its default. */
export type EnvironmentWish = Partial<Omit<Environment, "databases" | "storages">> &
  Pick<Environment, "projectId" | "name"> & {
    readonly databases?: readonly (Partial<EnvironmentDatabase> & Pick<EnvironmentDatabase, "url">)[];
    readonly storages?: readonly (Partial<EnvironmentStorage> & Pick<EnvironmentStorage, "url">)[];
  };

/** With the defaults filled in: development unless it is said, and production is protected unless it is said. Pure. */
export function toEnvironment(wish: EnvironmentWish): Environment {
  const { role = "development", databases = [], storages = [] } = wish;
  return {
    ...wish,
    role,
    protected: wish.protected ?? role === "production",
    databases: databases.map((database) => ({ ...database, name: database.name ?? onlyOne })),
    storages: storages.map((storage) => ({ ...storage, name: storage.name ?? onlyOne })),
  };
}
