/**
 * What the engine asks of a worker and what the worker answers. One worker process does one task:
 * it reads the task as the first line of standard input, lease renewals as further lines (end of input
 * = the parent is gone), and writes `WorkerMessage` lines to file descriptor 3. Standard output is
 * used by `download` alone; standard error is for crashes. A worker that is handed over speaks the same lines at a
 * socket, with the next one that holds its lease.
 *
 * Credentials are not part of a task: the worker inherits the environment (PGPASSWORD, .pgpass, …).
 */
import type { FoundPlace } from "../core/admission/found-place.ts";
import type { FailureRecord } from "../core/failure.ts";
import type { SecretReference } from "../core/environment/environment.ts";
import type { HookPolicy } from "../core/hooks/hook-policy.ts";
import type { HookResult, HookSpec } from "../core/hooks/hook.ts";
import type { CheckPurpose, EnvironmentCheck } from "../core/environment/environment-check.ts";
import type { Environment } from "../core/environment/environment.ts";
import type { DefinitionRecord } from "../core/ports/definition-records.ts";
import type { Happening } from "../core/notification/happening.ts";
import type { Notification } from "../core/notification/notification.ts";
import type { StoreCapability } from "../core/ports/object-store.ts";
import type { DatabaseComponent, FilesComponent, BackupMetadata } from "../core/repository/metadata.ts";
import type { RepositoryDescription } from "../core/repository/layout.ts";
import type { EncryptionMode, ServerEncryption } from "../core/repository/encryption.ts";
import type { RestorePlan } from "../core/restore/restore.ts";
import type {
  BackupSpec,
  RestoreSpec,
  RestoreDatabaseEvidence,
  RestoreFilesEvidence,
  UndoEvidence,
} from "./operations.ts";

/** Where the bytes and the keys are; every task has one. */
export interface WorkerContext {
  /** `file:///…` or `s3://bucket/prefix?…` */
  readonly repository: string;
  readonly keys: { readonly kind: "keyfile"; readonly directory: string };
  readonly projectId: string;
  /** Bytes a second that may be read from the source, over all streams of the task; absent: no limit. */
  readonly maxRateBytesPerSecond?: number;
  /** How the repository's store is to encrypt, as accepted before; absent: as the repository says. */
  readonly serverEncryption?: ServerEncryption;
}

/** Lease of the attempt: the worker ends itself when no renewal came for this long. */
export interface Lease {
  readonly seconds: number;
}

export type WorkerTask = { readonly context: WorkerContext; readonly lease: Lease } & TaskBody;
export type TaskKind = TaskBody["kind"];
export type TaskOf<K extends TaskKind> = WorkerTask & Extract<TaskBody, { kind: K }>;

export type TaskBody =
  /** `dryRun`: probes only; the result says what would be made. */
  | {
      readonly kind: "prepare-backup";
      readonly backupId: string;
      readonly attempt: number;
      readonly spec: BackupSpec;
      readonly dryRun?: boolean;
    }
  | {
      readonly kind: "backup-database";
      readonly backupId: string;
      readonly attempt: number;
      readonly spec: BackupSpec;
    }
  | {
      readonly kind: "backup-files";
      readonly backupId: string;
      readonly attempt: number;
      readonly spec: BackupSpec;
    }
  | {
      readonly kind: "seal-backup";
      readonly backupId: string;
      readonly attempt: number;
      readonly spec: BackupSpec;
      readonly createdAt: string;
    }
  /** Does what a hook does, or what undoes it; keeps its artifact in the backup. */
  | ({ readonly kind: "run-hook"; readonly undo: boolean } & HookWork)
  /**
   * Does what the hook does, says `held`, and undoes it when it is stopped, when its time is over (`hook-hold-expired`)
   * and when lease or parent are lost.
   */
  | ({ readonly kind: "hold-hook" } & HookWork)
  /** Tells one receiver of one happening, under the same id however often it is tried. */
  | {
      readonly kind: "send-notification";
      readonly deliveryId: string;
      readonly notification: Notification;
      readonly happening: Happening;
    }
  /** Only the commit record: is this backup sealed, and what does it say. `check`: its signature is tried. */
  | { readonly kind: "read-metadata"; readonly backupId: string; readonly check?: boolean }
  | { readonly kind: "verify-backup"; readonly backupId: string; readonly scratchDatabase?: string }
  | { readonly kind: "browse-backup"; readonly backupId: string; readonly pattern?: string }
  | { readonly kind: "download"; readonly backupId: string; readonly path: string }
  /**
   * Copies from the context's repository into the one at `to`. `lookOnly`: changes nothing, only answers whether
   * that one has it (`isThere`).
   */
  | {
      readonly kind: "copy-backup";
      readonly backupId: string;
      readonly to: string;
      readonly lookOnly?: boolean;
      /** Of the destination: made so where it is missing, refused where it is there and otherwise. */
      readonly encryption?: EncryptionMode;
      readonly kmsKey?: string;
    }
  | { readonly kind: "delete-backup"; readonly backupId: string; readonly dryRun: boolean }
  | { readonly kind: "plan-restore"; readonly restoreId: string; readonly spec: RestoreSpec }
  | { readonly kind: "restore-database"; readonly restoreId: string; readonly plan: RestorePlan }
  | { readonly kind: "restore-files"; readonly restoreId: string; readonly plan: RestorePlan }
  /** `lookOnly`: changes nothing, only answers whether this plan's swap has happened (`swapped`). */
  | {
      readonly kind: "swap-database";
      readonly restoreId: string;
      readonly plan: RestorePlan;
      readonly lookOnly?: boolean;
    }
  | { readonly kind: "drop-old-database"; readonly restoreId: string; readonly plan: RestorePlan }
  | { readonly kind: "discard-restore"; readonly restoreId: string; readonly plan: RestorePlan }
  | {
      readonly kind: "undo-restore";
      readonly restoreId: string;
      readonly plan: RestorePlan;
      readonly parts: readonly ("database" | "files")[];
    }
  | {
      readonly kind: "check-repository";
      readonly readData: boolean;
      readonly subset?: { readonly part: number; readonly of: number };
      readonly onlyProject: boolean;
    }
  | { readonly kind: "scan-repository"; readonly onlyProject: boolean }
  | { readonly kind: "sweep-repository"; readonly dryRun: boolean; readonly minimumAgeSeconds: number }
  | { readonly kind: "describe-repository" }
  /** Which of the rights that the environment needs are there; without a purpose only what its places are. */
  | {
      readonly kind: "check-environment";
      readonly environment: Environment;
      readonly purposes: readonly CheckPurpose[];
    }
  /** Everything that is defined in the project, what was removed too. */
  | { readonly kind: "save-definitions"; readonly definitions: readonly DefinitionRecord[] }
  /** Sets, or without `copyTo` removes, the repository that backups of this one are copied to. */
  | { readonly kind: "set-copy-target"; readonly copyTo?: string }
  /** Tries what the store can do, on names of its own that it removes again; needs no repository there. */
  | { readonly kind: "probe-repository" }
  | { readonly kind: "rotate-keys"; readonly dryRun: boolean };

/** Which hook, of which attempt of an operation, and what it may do. */
export interface HookWork {
  readonly operationId: string;
  readonly attempt: number;
  readonly hook: HookSpec;
  readonly policy: HookPolicy;
  /** Where its SQL runs. */
  readonly databaseUrl?: string;
  readonly databasePassword?: SecretReference;
  /** Of hooks afterwards: how the operation ends. */
  readonly outcome?: string;
}

/** What the places of a task turned out to be; the engine takes it out of the result. */
export interface Finding {
  /** Absent: nobody looked. */
  readonly found?: readonly FoundPlace[];
}

/** What each task answers when it succeeded. */
export interface TaskResults {
  "prepare-backup": PrepareBackupResult & Finding;
  "backup-database": DatabaseComponent;
  "backup-files": FilesComponent;
  "seal-backup": BackupMetadata;
  "run-hook": HookResult;
  "hold-hook": HookResult;
  "send-notification": { readonly sent: true };
  /** `isChecked`: its signature fits. */
  "read-metadata": { readonly metadata?: BackupMetadata; readonly isChecked?: boolean };
  "verify-backup": VerifyBackupResult;
  "browse-backup": BrowseBackupResult;
  download: { readonly bytes: number; readonly sha256: string };
  "copy-backup": CopyBackupResult;
  "delete-backup": DeleteBackupResult;
  "plan-restore": RestorePlan & Finding;
  "restore-database": RestoreDatabaseEvidence;
  "restore-files": RestoreFilesEvidence;
  "swap-database": { readonly swapped: boolean; readonly retiredDatabase?: string };
  "drop-old-database": { readonly dropped: boolean };
  "discard-restore": { readonly dropped: readonly string[] };
  "undo-restore": UndoEvidence;
  "check-repository": CheckRepositoryResult;
  "scan-repository": ScanRepositoryResult;
  "sweep-repository": SweepRepositoryResult;
  "describe-repository": RepositoryDescription;
  "check-environment": EnvironmentCheck & Finding;
  "save-definitions": {
    readonly saved: number;
    /** What the repository has of these that was changed later: it stays there. */
    readonly changedElsewhere: readonly DefinitionRecord[];
  };
  "set-copy-target": RepositoryDescription;
  "probe-repository": ProbeRepositoryResult;
  "rotate-keys": { readonly rewrapped: number; readonly alreadyCurrent: number; readonly keyId: string };
}

export type WorkerMessage =
  /** The answer to a lease renewal: a worker that gives none for the length of the lease is given up. */
  | { readonly type: "alive" }
  /** Bytes and objects done so far of a component; totals where they are known. Sent about four times a second. */
  | { readonly type: "progress"; readonly progress: Progress }
  /** The database's snapshot is held: the recovery point is fixed and the file listing may start. */
  | { readonly type: "recovery-point"; readonly at: string }
  /** The effect of a hook that holds is there. */
  | { readonly type: "held" }
  | { readonly type: "log"; readonly level: "info" | "warn"; readonly message: string }
  | { readonly type: "item"; readonly item: unknown }
  | { readonly type: "done"; readonly result: TaskResults[TaskKind] }
  | { readonly type: "failed"; readonly failure: FailureRecord };

export interface Progress {
  readonly component: "database" | "files" | "verify" | "check" | "download" | "copy" | "hook";
  /** What is going on, e.g. "reading", "loading", "indexing", "comparing". */
  readonly phase: string;
  readonly bytes: number;
  readonly totalBytes?: number;
  readonly objects?: number;
  readonly totalObjects?: number;
  readonly storedBytes?: number;
  /** Grows with what is done and is in no amount, as verifying; only that it grows says something. */
  readonly activity?: number;
  /** Since when nothing moves; said by the engine, not by the worker. */
  readonly stalledSince?: string;
}

export interface PrepareBackupResult {
  /** The repository or the project's key was made by this task: say so loudly. */
  readonly repositoryCreated: boolean;
  readonly keyCreated: boolean;
  /** How the store encrypts: accepted once, and what the backup's later tasks hold to. */
  readonly serverEncryption?: ServerEncryption;
  readonly database?: {
    readonly name: string;
    readonly serverVersion: string;
    readonly toolVersion: string;
    readonly sizeBytes: number;
    readonly notes: readonly string[];
  };
}

export interface Damage {
  readonly code: FailureRecord["code"];
  readonly backupId?: string;
  readonly name: string;
  readonly message: string;
}

export interface VerifyBackupResult {
  readonly files: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly objects: number;
  /** Empty when every stored byte was read and found whole. */
  readonly damages: readonly Damage[];
  /** With a scratch restore: what was compared. */
  readonly restored?: {
    readonly database: string;
    readonly tables: number;
    readonly rows: number;
    readonly differences: readonly string[];
  };
}

/** Items are streamed as `item` messages of these two shapes. */
export type BrowseItem =
  | {
      readonly type: "table";
      readonly schema: string;
      readonly name: string;
      readonly rows?: number;
      readonly bytes?: number;
    }
  | {
      readonly type: "file" | "directory" | "symlink";
      readonly path: string;
      readonly size: number;
      readonly modifiedAt: string;
      readonly sha256?: string;
      readonly vanished?: true;
    };
export interface BrowseBackupResult {
  readonly tables: number;
  readonly files: number;
  readonly bytes: number;
}

export interface CopyBackupResult {
  /** The destination has the backup, sealed. */
  readonly isThere: boolean;
  /** Absent where it was only looked. */
  readonly done?: {
    /** It was there already, whole: nothing was done. */
    readonly wasThere: boolean;
    /** The destination was made. */
    readonly repositoryCreated: boolean;
    readonly copied: FileAmount;
    /** What was there already: of earlier copies, or of a run that was stopped. */
    readonly found: FileAmount;
    /** Backups some of whose stored files came along, because this one refers to them. */
    readonly earlierBackups: readonly string[];
  };
}

export interface FileAmount {
  readonly files: number;
  readonly sizeBytes: number;
}

export interface DeleteBackupResult {
  readonly keyringDestroyed: boolean;
  readonly deletedFiles: number;
  readonly deletedBytes: number;
  /** Stored bytes kept because later backups' manifests refer to them. */
  readonly keptFiles: number;
  readonly keptBytes: number;
  /** The backups that still hold this backup's files key; it dies with the last of them. */
  readonly filesKeyHeldBy: readonly string[];
}

export interface CheckRepositoryResult {
  /** Where backups of this repository are copied to, where it says so. */
  readonly copyTo?: string;
  readonly backups: number;
  readonly files: number;
  readonly bytesRead: number;
  readonly damages: readonly Damage[];
  /** Unsealed attempts and other things that a sweep would remove; not damage. */
  readonly leftovers: readonly {
    readonly name: string;
    readonly sizeBytes: number;
    readonly ageSeconds: number;
  }[];
}

export interface ScanRepositoryResult {
  readonly repositoryId: string;
  /** Where backups of this repository are copied to, where it says so. */
  readonly copyTo?: string;
  /** Sealed backups found (metadata as stored; signature checked where the key is at hand). */
  readonly backups: readonly BackupMetadata[];
  readonly unsealed: number;
  /** Folders that are no backups but hold stored files which sealed ones refer to. */
  readonly carried: number;
  /** Folders that are not whole, with what is missing. */
  readonly incomplete: readonly { readonly backupId: string; readonly missing: readonly string[] }[];
  /** What people defined of the projects that were found, as far as their keys are at hand. */
  readonly definitions: readonly DefinitionRecord[];
  readonly notes: readonly string[];
}

export interface ProbeRepositoryResult {
  /** Whether a repository is at this place already. */
  readonly repositoryFound: boolean;
  readonly capabilities: readonly StoreCapability[];
}

export interface SweepRepositoryResult {
  readonly deletedFiles: number;
  readonly deletedBytes: number;
  readonly keptYoung: number;
  readonly removed: readonly string[];
}
