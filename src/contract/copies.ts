import type { FailureRecord } from "../core/failure.ts";
import type { BackupReference, QueueView } from "./service.ts";
import type { CopyStatus } from "./statuses.ts";
import type { LogLine, Waiting } from "./waiting.ts";
import type { FileAmount } from "./worker-task.ts";

/** One copying of a backup into another repository. What it brought is absent until it ended, and where nobody counted it. */
export interface CopyView {
  readonly copyId: string;
  readonly backupId: string;
  readonly projectId: string;
  readonly from: string;
  readonly to: string;
  readonly status: CopyStatus;
  /** Present while it is queued. */
  readonly queue?: QueueView;
  /** It was there already, whole: nothing was done. */
  readonly wasThere?: boolean;
  readonly repositoryCreated?: boolean;
  readonly copied?: FileAmount;
  /** What was there already: of earlier copies, or of a run that was stopped. */
  readonly found?: FileAmount;
  /** Backups some of whose stored files came along, because this one refers to them. */
  readonly earlierBackups?: readonly string[];
  readonly createdAt: string;
  readonly completedAt?: string;
  readonly error?: FailureRecord;
}

export interface Copies {
  /**
   * Copies a sealed backup into the repository at `to` (absent: the one that its repository names), which is made
   * where there is nothing. A second call goes on where a stopped one ended; one for a backup that is there whole
   * resolves with `wasThere`.
   */
  copyBackup(
    reference: BackupReference,
    options: {
      to?: string;
      maxRateBytesPerSecond?: number;
      encryption?: "client" | "server";
      kmsKey?: string;
    },
    waiting: Waiting,
  ): Promise<CopyView>;
  /** Newest first: those that run, and those that ended however they did. */
  listCopies(query: {
    projectId?: string;
    limit: number;
    offset?: number;
  }): Promise<{ readonly copies: readonly CopyView[]; readonly total: number }>;
  /** Rejects with `copy-not-found`. */
  getCopy(copyId: string): Promise<CopyView>;
  copyLogs(copyId: string): Promise<readonly LogLine[]>;
  /** What arrived whole stays for the next copy. Rejects with `already-finished`. */
  cancelCopy(copyId: string): Promise<CopyView>;
}
