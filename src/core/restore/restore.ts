import type { BucketCredentials, SecretReference } from "../environment/environment.ts";
import type { FailureCode } from "../failure.ts";
import type { Hooks, HookSpec } from "../hooks/hook.ts";

/** A restore plan: everything that will happen, read before it is run and approved by its hash. */
export interface RestorePlan {
  readonly restoreId: string;
  readonly projectId: string;
  readonly backupId: string;
  readonly restoreType: RestoreType;
  readonly recoveryPoint?: string;
  readonly database?: DatabasePlan;
  readonly files?: FilesPlan;
  /** What would make the restore fail; not empty: it is refused. */
  readonly blockers: readonly PlanNote[];
  /** What the reader should know before approving. */
  readonly warnings: readonly string[];
  /** Human sentences, in order. */
  readonly steps: readonly string[];
  /**
   * SHA-256 (first 16 hex digits) over what decides the outcome: backup, targets, ways, counts; not over
   * the restore's id or estimates, so that the same plan made twice has the same hash.
   */
  readonly hash: string;
  /** The target is, or belongs to, a protected environment: it is run only with this hash. */
  readonly needsApproval?: true;
}

export interface PlanNote {
  readonly code: FailureCode;
  readonly message: string;
}

export interface DatabasePlan {
  /** Target URL without a password. */
  readonly url: string;
  /** Where the password is; absent: as libpq finds one. */
  readonly password?: SecretReference;
  readonly into: RestoreInto;
  /** The database's name the application uses. */
  readonly target: string;
  /** The database the rows are loaded into: a new one beside the target, or the target itself. */
  readonly loadInto: string;
  /** The name the target gets when it is swapped out (swap only). */
  readonly retireAs?: string;
  readonly serverVersion: string;
  /** Folder of the client tools that will be used, and their version. */
  readonly tools: { readonly directory: string; readonly version: string };
  readonly jobs: number;
  readonly createDatabase: boolean;
  readonly noOwner: boolean;
  /** The target lacks a tablespace that the source used; everything goes to the default one. */
  readonly noTablespaces?: boolean;
  /** What the loaded database is called in the end, once it is whole (new: loaded under another name first). */
  readonly finalName?: string;
  /** Encoding and locale of the new database, where they are not the source's. */
  readonly form?: DatabaseFormPlan;
  readonly createRoles: boolean;
  readonly endSessions: boolean;
  /** Dump ids left out because this role cannot create them, with a word for each. */
  readonly leaveOut: readonly { readonly dumpId: number; readonly what: string; readonly why: string }[];
  /** Selective: the tables, and the schema they land in when the target has tables of these names. */
  readonly tables?: readonly { readonly schema: string; readonly name: string; readonly landsIn: string }[];
  /** Selective with replacement: where the replaced tables are moved to. */
  readonly undoSchema?: string;
  readonly rows: number;
  readonly bytes: number;
  readonly estimatedSeconds?: number;
  /** What a swap cuts: sessions now, slots, subscriptions, …; sentences. */
  readonly breaks: readonly string[];
}

export interface DatabaseFormPlan {
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly localeProvider?: string;
  readonly icuLocale?: string;
}

export interface FilesPlan {
  readonly url: string;
  /** Of a bucket; absent: as the AWS clients find them. */
  readonly credentials?: BucketCredentials;
  readonly mode: "merge" | "mirror";
  readonly include: readonly string[];
  readonly add: number;
  readonly change: number;
  readonly remove: number;
  readonly unchanged: number;
  readonly bytesToWrite: number;
  readonly estimatedSeconds?: number;
  /** As the request limits transfers; no part of what is approved. */
  readonly maxConcurrency?: number;
  readonly parallelTransfer?: boolean;
}

export type RestoreType = "full" | "database-only" | "storage-only" | "selective";
export type RestoreInto = "swap" | "new" | "empty" | "in-place";

/** What is asked for when a restore is requested. */
export interface RestoreSpec {
  readonly projectId: string;
  /** The environment whose places are the targets. */
  readonly targetEnvironment?: string;
  readonly backupId: string;
  readonly restoreType: RestoreType;
  readonly database?: {
    readonly url: string;
    /** Where the password is; absent: as libpq finds one. */
    readonly password?: SecretReference;
    /** Absent: chosen by what the target is (missing: new; empty: empty; occupied: swap). */
    readonly into?: RestoreInto;
    readonly tools?: string;
    /** Parallel jobs for rows archives and post-data; absent: number of processors. */
    readonly jobs?: number;
    /** Apply roles.sql where the role may create roles; roles that exist are left alone. */
    readonly createRoles?: boolean;
    /** End other sessions on the target for the swap; default true. */
    readonly endSessions?: boolean;
    /** Objects given to the connecting role instead of their owners; default: decided by rights. */
    readonly noOwner?: boolean;
  };
  readonly storage?: {
    /** `file:///…` or `s3://bucket/prefix?…` */
    readonly url: string;
    /** Of a bucket; absent: as the AWS clients find them. */
    readonly credentials?: BucketCredentials;
    readonly mode: "merge" | "mirror";
    /** Most transfers at a time, 1..256; absent: chosen, and adapted to what the store bears. */
    readonly maxConcurrency?: number;
    /** `false`: one transfer at a time. Default: true. */
    readonly parallelTransfer?: boolean;
  };
  /** Globs on file paths (`restoreType` selective). */
  readonly include: readonly string[];
  /** `schema.name` (`restoreType` selective). */
  readonly tables: readonly string[];
  /** Keep the retired database at least this long before dropping it; absent: until told. */
  readonly dropAfterSeconds?: number;
  /** In this order, after the plan was approved and before anything is changed. */
  readonly preRestoreHooks?: readonly HookSpec[];
  /** In this order, when what was restored is in its place, or it is known that it will not be. */
  readonly postRestoreHooks?: readonly HookSpec[];
}

export const hooksOfRestore = ({
  preRestoreHooks,
  postRestoreHooks,
}: Pick<RestoreSpec, "preRestoreHooks" | "postRestoreHooks">): Hooks => ({
  before: preRestoreHooks ?? [],
  after: postRestoreHooks ?? [],
});

/** A restore as it is asked for: into an environment, or into places that are named. */
export interface RestoreWish extends Omit<RestoreSpec, "database" | "storage"> {
  /** Of a backup, or `latest`: the newest that is usable for the target. */
  readonly backupId: string;
  /** For `latest`: only of backups of this environment. */
  readonly environment?: string;
  /** For `latest`: the newest at or before this instant (ISO 8601). */
  readonly pointInTime?: string;
  readonly database?: Partial<NonNullable<RestoreSpec["database"]>> & { readonly instance?: string };
  readonly storage?: Partial<NonNullable<RestoreSpec["storage"]>> & { readonly instance?: string };
}

/** In place of a backup's id. */
export const latest = "latest";
