import type { FailureRecord } from "../failure.ts";
import type { Served } from "../admission/admit-operations.ts";
import type { FoundPlace } from "../admission/found-place.ts";
import type { StoreWait } from "../admission/store-wait.ts";
import type { AccessRecords } from "./access-records.ts";
import type { DefinitionRecord, DefinitionRecords } from "./definition-records.ts";
import type { PlaceRecords } from "./place-records.ts";
import type { ScheduleRecords } from "./schedule-records.ts";
import type { NotificationRecords } from "./notification-records.ts";
import type {
  LogLine,
  Operation,
  OperationEnd,
  OperationKind,
  OperationTask,
  Outcome,
  TaskState,
} from "../operation/operation.ts";

/**
 * What is going on and what is where: operations with their tasks and log, and an index of what the
 * repositories hold. The operation's row is the queue and its lease the lock; losing the catalog loses
 * no backup. It holds no secret: URLs are stored as given and must come without passwords.
 *
 * Every method is one atomic step; any number of processes may use one catalog at once. Methods that
 * take an `owner` change nothing and return false when that owner no longer holds the operation's lease:
 * the caller has been given up for dead and must stop. Rejects with `catalog-failed` when the catalog
 * cannot be read or written, and with `catalog-unreachable` (to be tried again; it comes back by itself) while
 * the server of one is away: then it is not known whether the step was done.
 *
 * Leases are measured by the catalog's own clock, which nobody sets back (SQLite: the machine's
 * monotonic clock; PostgreSQL: the server's), never by the callers' wall clocks.
 */
export interface Catalog
  extends AccessRecords, DefinitionRecords, NotificationRecords, PlaceRecords, ScheduleRecords {
  /**
   * Adds an operation, claimed by `operation.leaseOwner` (or waiting, when that is `nobody`), and for a backup its row
   * in the index. False when there is one of this id: an id that is derived from what it acts on keeps two from doing it at once.
   */
  createOperation(operation: NewOperation, lease: { readonly seconds: number }): Promise<boolean>;
  getOperation(id: string): Promise<Operation | undefined>;
  /** Those of these ids that there are, in any order. */
  findOperations(ids: readonly string[]): Promise<readonly Operation[]>;
  /** Newest first. */
  listOperations(
    query: OperationQuery,
  ): Promise<{ readonly operations: readonly Operation[]; readonly total: number }>;
  /** All that are not finished, oldest first. */
  listOpenOperations(): Promise<readonly OpenOperation[]>;

  /** All there are, by what they have in common. */
  countOperations(): Promise<readonly OperationCount[]>;

  /** Extends the lease. `held: false`: somebody else has taken the operation over or ended it. */
  renewLease(id: string, owner: string, seconds: number): Promise<{ readonly held: boolean }>;
  /** Takes an open operation over, in one statement: true for exactly one of several callers. */
  takeOver(id: string, from: string, to: string, lease: { readonly seconds: number }): Promise<boolean>;
  /** What is going on and what waits. */
  observeQueue(): Promise<QueueObservation>;
  /**
   * Lets waiting operations begin: `choose` is shown the queue and names them with the owners that claim them. The look
   * and the claims are one step that no other one of its kind runs beside, on any machine: two that decide at the same
   * moment decide one after the other. `choose` is pure; it is called at most once. Returns what was claimed.
   */
  admit(
    choose: (queue: QueueObservation) => readonly QueueClaim[],
    claim: { readonly seconds: number; readonly nowMs: number },
  ): Promise<readonly Operation[]>;
  /** Starts the next attempt as one that waits for its turn, not to begin before the instant where one is given. */
  returnToQueue(id: string, owner: string, notBeforeMs?: number): Promise<boolean>;
  /** Notes a store that nobody is to be sent to for now; replaces what was noted of it. */
  putStoreWait(wait: StoreWait): Promise<void>;
  /** It answers again. Idempotent. */
  removeStoreWait(store: string): Promise<void>;
  /** Asks the owner to cancel. False when the operation is finished or unknown. Idempotent. */
  requestCancel(id: string): Promise<boolean>;
  /** Starts the next attempt, to begin not before the instant. Idempotent for the same `attempt`. */
  startAttempt(id: string, owner: string, attempt: number, notBeforeMs: number): Promise<boolean>;
  /** Records the end, once: false when one is recorded already. Closes a backup's row in the index. */
  finishOperation(id: string, owner: string, end: OperationEnd): Promise<boolean>;

  /** Adds a running task; false when the attempt has one of this name already. */
  startTask(task: NewTask, owner: string): Promise<boolean>;
  updateTask(key: TaskKey, owner: string, change: TaskChange): Promise<boolean>;
  /** Removes a task that is to be run anew: a look or a clean-up whose outcome was lost. */
  removeTask(key: TaskKey, owner: string): Promise<boolean>;
  /** Of all attempts, oldest first. */
  listTasks(operationId: string): Promise<readonly OperationTask[]>;

  /** Keeps the newest `maximumLogLines` of an operation. */
  appendLog(operationId: string, line: LogLine): Promise<void>;
  /** Oldest first. */
  listLog(operationId: string): Promise<readonly LogLine[]>;

  /** Adds or replaces what is known of a sealed backup: it was seen, so it is not deleted. */
  putBackup(backup: SealedBackup): Promise<void>;
  /** Newest first. Deleted ones are left out. */
  listBackups(
    query: BackupIndexQuery,
  ): Promise<{ readonly backups: readonly IndexedBackup[]; readonly total: number }>;
  /** By id, deleted ones too; the one of `projectId` when several projects have one of this id. */
  getBackup(backupId: string, projectId?: string): Promise<IndexedBackup | undefined>;
  /** The metadata as sealed (JSON), where it is known. */
  getBackupMetadata(backupId: string, projectId: string): Promise<unknown>;
  markBackup(
    backupId: string,
    projectId: string,
    change: { readonly verifiedAtMs?: number; readonly deletedAtMs?: number },
  ): Promise<void>;

  /** Notes that a backup is at another place too. Idempotent. */
  putCopy(copy: BackupCopy): Promise<void>;
  /** Places of a backup that were noted with `putCopy`, oldest first. */
  listCopies(backupId: string, projectId: string): Promise<readonly BackupCopy[]>;
  /** Idempotent. */
  removeCopy(backupId: string, projectId: string, repository: string): Promise<void>;

  getRestore(restoreId: string): Promise<RestoreRecord | undefined>;
  putRestore(restoreId: string, change: Partial<Omit<RestoreRecord, "restoreId">>): Promise<void>;
  /** Restores with a retired database that is still there, oldest first. */
  listRetiredDatabases(): Promise<readonly RestoreRecord[]>;
  /**
   * Reserves the one right to act on a retired database (to drop it or to remind of it) until
   * `untilMs`; true for exactly one caller.
   */
  claimRetired(restoreId: string, nowMs: number, untilMs: number): Promise<boolean>;

  close(): Promise<void>;
}

export const maximumLogLines = 1_000;

export type NewOperation = Omit<
  Operation,
  "attempt" | "notBeforeMs" | "cancelRequested" | "end" | "admittedAtMs" | "heldPlaces"
>;
/** Not finished. `leaseLeftMs` is 0 or less when the owner has not renewed its lease in time. */
export interface OpenOperation {
  readonly operation: Operation;
  readonly leaseLeftMs: number;
}
export interface QueueObservation {
  /** All that are not finished, oldest first. */
  readonly open: readonly Operation[];
  /** Of the projects that wait: when something was last taken from the queue for them. */
  readonly served: readonly Served[];
  readonly storeWaits: readonly StoreWait[];
  /** What places are, as far as it was found out. */
  readonly knownPlaces: readonly FoundPlace[];
  /** What is said of the projects that wait. */
  readonly projects: readonly Pick<DefinitionRecord, "projectId" | "spec">[];
}
export interface QueueClaim {
  readonly id: string;
  readonly owner: string;
}
export interface OperationQuery {
  readonly kind: OperationKind;
  readonly projectId?: string;
  readonly limit: number;
  readonly offset?: number;
}

export interface OperationCount {
  readonly kind: OperationKind;
  readonly projectId: string;
  readonly application?: string;
  /** Absent: not finished. */
  readonly outcome?: Outcome;
  readonly count: number;
  /** From request to end, of all that ended. */
  readonly durationMs: number;
}

export interface TaskKey {
  readonly operationId: string;
  readonly attempt: number;
  readonly name: string;
}
export type NewTask = TaskKey & { readonly startedAtMs: number };
export interface TaskChange {
  readonly state?: TaskState;
  readonly worker?: string;
  readonly progress?: unknown;
  readonly recoveryPoint?: string;
  readonly result?: unknown;
  readonly failure?: FailureRecord;
  readonly finishedAtMs?: number;
}

/** A row of the index of backups: sealed ones, and those under way or ended without a seal. */
export interface IndexedBackup {
  readonly backupId: string;
  readonly projectId: string;
  readonly application?: string;
  /** The environment that it is a backup of. */
  readonly environment?: string;
  readonly repository: string;
  readonly createdAtMs: number;
  /** Absent while the operation is open. */
  readonly outcome?: "Completed" | "Failed" | "Cancelled";
  readonly finishedAtMs?: number;
  /** Bytes this backup added to the repository. */
  readonly storedBytes?: number;
  readonly verifiedAtMs?: number;
  readonly deletedAtMs?: number;
}

export interface SealedBackup {
  readonly backupId: string;
  readonly projectId: string;
  readonly application?: string;
  /** The environment that it is a backup of. */
  readonly environment?: string;
  readonly repository: string;
  readonly createdAtMs: number;
  readonly sealedAtMs: number;
  readonly storedBytes: number;
  /** JSON. */
  readonly metadata: unknown;
}

/** A place of a backup beside the repository that its row names. */
export interface BackupCopy {
  readonly backupId: string;
  readonly projectId: string;
  readonly repository: string;
  readonly copiedAtMs: number;
}

export interface BackupIndexQuery {
  readonly projectId?: string;
  readonly application?: string;
  readonly environment?: string;
  /** Canonical URL; of the repository that its row names, or of a copy. */
  readonly repository?: string;
  /** `open`: not finished yet. */
  readonly outcome?: "Completed" | "Failed" | "Cancelled" | "open";
  /** Both ends inclusive. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly limit: number;
  readonly offset?: number;
}

/** What is known of a restore beyond its operation. */
export interface RestoreRecord {
  readonly restoreId: string;
  readonly backupId?: string;
  /** JSON. */
  readonly plan?: unknown;
  readonly approvedAtMs?: number;
  /** The answer to the plan, when it was no. */
  readonly refusal?: FailureRecord;
  /** The name of the database that was swapped out; it is there until `droppedAtMs`. */
  readonly retiredDatabase?: string;
  readonly retiredAtMs?: number;
  readonly dropDueAtMs?: number;
  readonly droppedAtMs?: number;
  /** What an undo did; JSON. */
  readonly undone?: unknown;
  readonly undoneAtMs?: number;
}
