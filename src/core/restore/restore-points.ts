import type { Environment } from "../environment/environment.ts";
import { refuseSource } from "../environment/guard-restore.ts";
import type { IndexedBackup } from "../ports/catalog.ts";
import type { BackupMetadata } from "../repository/metadata.ts";

/** A state that can be gone back to, or the reason why it cannot. */
export interface RestorePoint {
  readonly backupId: string;
  readonly environment?: string;
  /** The instant whose state it is: the database's, or the beginning of the list of files. */
  readonly at: string;
  readonly database: boolean;
  readonly files: boolean;
  readonly verifiedAt?: string;
  readonly usable: boolean;
  /** Why it is not. */
  readonly reason?: string;
}

/**
 * What a backup is as a restore point, for a target where one is named; undefined: it ended without being one.
 * `metadata`: as sealed, where it is known. Pure.
 */
export function describeRestorePoint(
  backup: IndexedBackup,
  metadata: BackupMetadata | undefined,
  target?: Environment,
): RestorePoint | undefined {
  const { outcome } = backup;
  if (outcome === "Failed" || outcome === "Cancelled") return undefined;
  const components = metadata?.components;
  const at =
    components?.database?.recoveryPoint.at ??
    components?.files?.listingStartedAt ??
    new Date(backup.createdAtMs).toISOString();
  const reason = whyUnusable(backup, metadata, target);
  return {
    backupId: backup.backupId,
    ...(backup.environment === undefined ? {} : { environment: backup.environment }),
    at,
    database: components?.database !== undefined,
    files: components?.files !== undefined,
    ...(backup.verifiedAtMs === undefined ? {} : { verifiedAt: new Date(backup.verifiedAtMs).toISOString() }),
    usable: reason === undefined,
    ...(reason === undefined ? {} : { reason }),
  };
}

function whyUnusable(
  backup: IndexedBackup,
  metadata: BackupMetadata | undefined,
  target: Environment | undefined,
): string | undefined {
  if (backup.outcome === undefined) return "It is still being made.";
  if (metadata === undefined) return "What it holds is not known here. `lc2 repository scan` reads it.";
  if (target === undefined) return undefined;
  const refused = refuseSource(target, backup);
  if (refused !== undefined) return refused.message;
  if (
    target.application !== undefined &&
    backup.application !== undefined &&
    target.application !== backup.application
  )
    return `It is of ${backup.application}, and the environment ${target.name} runs ${target.application}.`;
  const { database, files } = metadata.components;
  const fits =
    (database !== undefined && target.databases.length > 0) ||
    (files !== undefined && target.storages.length > 0);
  return fits ? undefined : `The environment ${target.name} has no place for what it holds.`;
}

/** Whether it is the state at or before the instant, and can be gone back to. */
export const isUsableAt = (point: RestorePoint, atMs: number | undefined): boolean =>
  point.usable && (atMs === undefined || Date.parse(point.at) <= atMs);
