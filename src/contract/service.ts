/**
 * Everything the product does for a person, as one interface. The command line speaks to it: run
 * in-process by `src/main`, or (later) over HTTP by `src/client`.
 *
 * Every method rejects with a `Failure`. Methods that wait take an `AbortSignal`: aborting cancels the
 * operation cleanly (worker ended, nothing half done visible) and rejects with `cancelled`.
 */
import type { FailureRecord } from "../core/failure.ts";
import type { HookKind } from "../core/hooks/hook.ts";
import type { ApiKeys } from "./access.ts";
import type { Copies } from "./copies.ts";
import type { Environments } from "./environments.ts";
import type { Notifications } from "./notifications.ts";
import type { Projects } from "./projects.ts";
import type { RestorePoints } from "./restore-points.ts";
import type { Keys } from "./keys.ts";
import type { Repositories } from "./repositories.ts";
import type { WorkerOutput } from "../core/ports/worker-launcher.ts";
import type { Schedules } from "./schedules.ts";
import type { BackupMetadata } from "../core/repository/metadata.ts";
import type { RestorePlan } from "../core/restore/restore.ts";
import type {
  BackupWish,
  RestoreWish,
  RestoreDatabaseEvidence,
  RestoreFilesEvidence,
  UndoEvidence,
} from "./operations.ts";
import type { BackupStatus, RestoreStatus } from "./statuses.ts";
import type { LogLine, ServiceEvent, Waiting } from "./waiting.ts";
import type {
  BrowseBackupResult,
  BrowseItem,
  DeleteBackupResult,
  VerifyBackupResult,
} from "./worker-task.ts";

export type { LogLine, ServiceEvent, Waiting };

/** Where something stands that waits for its turn, and why. */
export interface QueueView {
  readonly waitsSince: string;
  /** Counts from 1, among those of its kind that wait; absent: it is about to begin. */
  readonly position?: number;
  readonly of?: number;
  /** What has to end, or to begin, before it. */
  readonly behind?: { readonly id: string; readonly projectId: string };
  /** A clause that names no other operation and no other project. */
  readonly reason: string;
}

/** What is remarkable about something that is under way. */
export interface Condition {
  readonly type: "Stalled";
  readonly since: string;
  readonly message: string;
}

/** One row of a list: the fields of §7, and what people look for first. */
export interface BackupSummary {
  readonly backupId: string;
  readonly projectId: string;
  readonly application?: string;
  /** The environment that it is a backup of. */
  readonly environment?: string;
  readonly status: BackupStatus;
  /** Stored bytes; absent until known. */
  readonly size?: number;
  readonly createdAt: string;
  readonly completedAt?: string;
  readonly verifiedAt?: string;
  readonly repository: string;
  /** The schedule that asked for it, and for which of its times. */
  readonly schedule?: { readonly name: string; readonly slot: string };
}

/** §7's backup details and more. */
export interface BackupView extends BackupSummary {
  readonly requestId: string;
  readonly components: {
    readonly database?: {
      readonly dump?: string;
      readonly name?: string;
      readonly rows?: number;
      readonly tables?: number;
      readonly status: string;
    };
    readonly storage?: { readonly location?: string; readonly objects?: number; readonly status: string };
  };
  readonly progress?: number;
  readonly conditions?: readonly Condition[];
  /** Present while it is queued. */
  readonly queue?: QueueView;
  readonly error?: FailureRecord;
  /** In their order; absent where none was asked for. */
  readonly hooks?: readonly HookView[];
  /** Other repositories that have it too, as far as the catalog knows. */
  readonly alsoIn?: readonly string[];
  /** The sealed metadata; completed backups only. */
  readonly metadata?: BackupMetadata;
}

/** How one hook of an operation went. */
export interface HookView extends HookRunView {
  readonly name: string;
  readonly kind: HookKind;
  readonly when: "before" | "after";
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly tries?: number;
  readonly output?: string;
  readonly outputCut?: true;
  /** Of one that holds: how undoing it went, once it was begun. */
  readonly undo?: HookRunView;
}

export interface HookRunView {
  /** `Unknown`: its worker died before it said how it went. */
  readonly status: "Pending" | "InProgress" | "Holding" | "Completed" | "Failed" | "Unknown";
  readonly error?: FailureRecord;
}

export interface RestoreView {
  readonly restoreId: string;
  readonly projectId: string;
  readonly backupId: string;
  readonly restoreType: string;
  /** The environment that is restored into. */
  readonly targetEnvironment?: string;
  readonly status: RestoreStatus;
  /** Present while it is queued. */
  readonly queue?: QueueView;
  /** 0..100 */
  readonly progress: number;
  readonly conditions?: readonly Condition[];
  readonly estimatedCompletion?: string;
  readonly createdAt: string;
  readonly completedAt?: string;
  readonly plan?: RestorePlan;
  readonly database?: RestoreDatabaseEvidence & {
    readonly swapped?: boolean;
    readonly retiredDatabase?: string;
  };
  readonly files?: RestoreFilesEvidence;
  readonly undone?: UndoEvidence;
  /** In their order; absent where none was asked for. */
  readonly hooks?: readonly HookView[];
  readonly error?: FailureRecord;
}

export interface BackupQuery {
  readonly projectId?: string;
  readonly application?: string;
  readonly environment?: string;
  readonly status?: BackupStatus;
  /** Only what is in this repository, as far as the catalog knows. */
  readonly repository?: string;
  /** Both ends inclusive; milliseconds since the epoch. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly limit: number;
  readonly offset?: number;
}

/** Where a backup is looked for. With a repository the catalog need not know it. */
export interface BackupReference {
  readonly backupId: string;
  readonly projectId?: string;
  readonly repository?: string;
}

/** How a request that nobody waits for is known. */
export interface Submission {
  /** Correlates everything that is said about it; absent: made. */
  readonly requestId?: string;
  /** Of what it makes, chosen beforehand: submitted again under this id, nothing new is begun. */
  readonly operationId?: string;
}

export interface Restores {
  planRestore(wish: RestoreWish, options: { repository?: string }, waiting: Waiting): Promise<RestorePlan>;
  /** Plans, refuses on blockers or when `approve` is given and is not the plan's hash, then runs. */
  createRestore(
    wish: RestoreWish,
    options: { repository?: string; approve?: string; onPlan?: (plan: RestorePlan) => Promise<void> },
    waiting: Waiting,
  ): Promise<RestoreView>;
  /** Records what `createRestore` would do and returns; a server carries it out when its turn comes. */
  submitRestore(
    wish: RestoreWish,
    options: { repository?: string; approve?: string } & Submission,
  ): Promise<RestoreView>;
  listRestores(query: {
    projectId?: string;
    limit: number;
    offset?: number;
  }): Promise<{ readonly restores: readonly RestoreView[]; readonly total: number }>;
  getRestore(restoreId: string): Promise<RestoreView>;
  restoreLogs(restoreId: string): Promise<readonly LogLine[]>;
  cancelRestore(restoreId: string): Promise<RestoreView>;
  undoRestore(restoreId: string, waiting: Waiting): Promise<RestoreView>;
}

export interface DownloadResult {
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface Lc2Service
  extends
    ApiKeys,
    Copies,
    Environments,
    Keys,
    Notifications,
    Projects,
    Repositories,
    RestorePoints,
    Restores,
    Schedules {
  /** Into the installation's own repository, where none is named. */
  createBackup(
    wish: BackupWish,
    options: { repository?: string; maxRateBytesPerSecond?: number },
    waiting: Waiting,
  ): Promise<BackupView>;
  /** Records what `createBackup` would do and returns; a server carries it out when its turn comes. */
  submitBackup(
    wish: BackupWish,
    options: { repository?: string; maxRateBytesPerSecond?: number } & Submission,
  ): Promise<BackupView>;
  /** What `createBackup` would do: probes sources and repository, starts nothing. */
  dryRunBackup(
    wish: BackupWish,
    options: { repository?: string },
    waiting: Waiting,
  ): Promise<readonly string[]>;
  /** Newest first. */
  listBackups(
    query: BackupQuery,
  ): Promise<{ readonly backups: readonly BackupSummary[]; readonly total: number }>;
  getBackup(reference: BackupReference): Promise<BackupView>;
  backupLogs(reference: BackupReference): Promise<readonly LogLine[]>;
  /** The order is that of the backup; an item whose promise is not kept yet holds the others back. */
  browseBackup(
    reference: BackupReference,
    pattern: string | undefined,
    onItem: (item: BrowseItem) => void | Promise<void>,
    waiting: Waiting,
  ): Promise<BrowseBackupResult>;
  /**
   * Writes one file of the backup, or one database archive (`database/lportal.dump`), to `output`; into a file
   * descriptor by a worker alone, so that nothing passes this process. What came must be thrown away when it rejects.
   */
  downloadBackup(
    reference: BackupReference,
    path: string,
    output: WorkerOutput,
    waiting: Waiting,
  ): Promise<DownloadResult>;
  verifyBackup(
    reference: BackupReference,
    options: { restoreInto?: string },
    waiting: Waiting,
  ): Promise<VerifyBackupResult>;
  cancelBackup(reference: BackupReference): Promise<BackupView>;
  deleteBackup(
    reference: BackupReference,
    options: { dryRun: boolean },
    waiting: Waiting,
  ): Promise<DeleteBackupResult>;

  close(): Promise<void>;
}
