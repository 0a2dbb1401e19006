import type { RestorePoint } from "../core/restore/restore-points.ts";

export type { RestorePoint } from "../core/restore/restore-points.ts";

export interface RestorePointQuery {
  readonly projectId: string;
  /** Only of this environment. */
  readonly environment?: string;
  /** For a restore into this environment of the project. */
  readonly target?: string;
  /** At or before it; milliseconds since the epoch. */
  readonly atMs?: number;
  readonly limit: number;
  readonly offset?: number;
}

export interface RestorePoints {
  /** Newest first, usable or not; backups that failed are none. `total` counts the backups that were looked at. */
  listRestorePoints(
    query: RestorePointQuery,
  ): Promise<{ readonly restorePoints: readonly RestorePoint[]; readonly total: number }>;
}
