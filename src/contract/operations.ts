/**
 * The shapes of requests and their results, as the command line, later REST and custom resources, and
 * worker tasks share them. Field names follow §7 of the requirements where it has them.
 */

export interface BackupSpec {
  readonly projectId: string;
  readonly application?: "liferay" | "drupal" | "bloomreach";
  readonly provider: "local";
  readonly database?: DatabaseSourceSpec;
  readonly storage?: FilesSourceSpec;
}

export interface DatabaseSourceSpec {
  /** `postgres://user@host:port/name?…` without a password. */
  readonly url: string;
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
  /** `file:///…` */
  readonly url: string;
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
}

export type RestoreType = "full" | "database-only" | "storage-only" | "selective";
export type RestoreInto = "swap" | "new" | "empty" | "in-place";

export interface RestoreSpec {
  readonly projectId: string;
  readonly backupId: string;
  readonly restoreType: RestoreType;
  readonly database?: {
    readonly url: string;
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
    readonly url: string;
    readonly mode: "merge" | "mirror";
  };
  /** Globs on file paths (`restoreType` selective). */
  readonly include: readonly string[];
  /** `schema.name` (`restoreType` selective). */
  readonly tables: readonly string[];
  /** Keep the retired database at least this long before dropping it; absent: until told. */
  readonly dropAfterSeconds?: number;
}

/** What the restored database was compared on. */
export interface RestoreDatabaseEvidence {
  readonly database: string;
  readonly tables: number;
  readonly rows: number;
  readonly sequences: number;
  readonly largeObjects: number;
  readonly analyzed: boolean;
  /** What was left out because the target role cannot create it; equals the plan's list. */
  readonly leftOut: readonly string[];
  readonly warnings: readonly string[];
  readonly durationMs: number;
}

export interface RestoreFilesEvidence {
  readonly added: number;
  readonly replaced: number;
  readonly removed: number;
  readonly unchanged: number;
  readonly bytesWritten: number;
  /** Files read back and hashed after writing. */
  readonly verified: number;
}

export interface UndoEvidence {
  readonly database?: { readonly swappedBack: boolean; readonly keptAs?: string };
  readonly files?: { readonly restored: number; readonly removed: number };
}
