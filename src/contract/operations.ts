/**
 * The shapes of requests and their results, as the command line, later REST and custom resources, and
 * worker tasks share them. Field names follow §7 of the requirements where it has them. The requests
 * themselves are the core's, because it decides on them.
 */
export type { BackupSpec, BackupWish, DatabaseSourceSpec } from "../core/backup/backup.ts";
export type { RestoreSpec, RestoreWish } from "../core/restore/restore.ts";

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
  /** Files read back and hashed after writing; of a bucket, objects that were sent with a checksum. */
  readonly verified: number;
}

export interface UndoEvidence {
  readonly database?: { readonly swappedBack: boolean; readonly keptAs?: string };
  readonly files?: { readonly restored: number; readonly removed: number };
}
