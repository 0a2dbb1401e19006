import type { RestorePoint, RestorePoints } from "../contract/restore-points.ts";
import type { Environment } from "../core/environment/environment.ts";
import { Failure } from "../core/failure.ts";
import type { BackupIndexQuery, IndexedBackup } from "../core/ports/catalog.ts";
import type { BackupMetadata } from "../core/repository/metadata.ts";
import { describeRestorePoint, isUsableAt } from "../core/restore/restore-points.ts";
import { readEnvironment } from "./read-environment.ts";
import type { EngineParts } from "./parts.ts";
import { beginCall } from "./service-call.ts";

export function createRestorePointService(bareParts: EngineParts): RestorePoints {
  return {
    listRestorePoints: async ({ projectId, environment, target, atMs, limit, offset }) => {
      const parts = await beginCall(bareParts);
      const into = target === undefined ? undefined : await readEnvironment(parts, projectId, target);
      const { backups, total } = await parts.catalog.listBackups({
        ...selectionOf({ projectId, environment, atMs }),
        limit,
        ...(offset === undefined ? {} : { offset }),
      });
      const described = await describeAll(parts, backups, into);
      const isInTime = ({ at }: RestorePoint): boolean => atMs === undefined || Date.parse(at) <= atMs;
      return { restorePoints: described.filter(isInTime), total };
    },
  };
}

export interface Selection {
  readonly projectId: string;
  readonly environment?: string | undefined;
  readonly atMs?: number | undefined;
}

const pageSize = 50;

/**
 * The newest usable state at or before the instant, for the target. Rejects with `restore-point-not-found`, which
 * says what is wrong with the newest ones.
 */
export async function chooseRestorePoint(
  parts: EngineParts,
  selection: Selection,
  target: Environment | undefined,
): Promise<RestorePoint> {
  const reasons: string[] = [];
  for (let offset = 0; ; offset += pageSize) {
    const query = { ...selectionOf(selection), limit: pageSize, offset };
    const { backups } = await parts.catalog.listBackups(query);
    const points = await describeAll(parts, backups, target);
    const found = points.find((point) => isUsableAt(point, selection.atMs));
    if (found !== undefined) return found;
    for (const { backupId, reason } of points)
      if (reason !== undefined) reasons.push(`${backupId}: ${reason}`);
    if (backups.length < pageSize) throw noneFound(selection, target, reasons);
  }
}

function noneFound(
  { projectId, environment, atMs }: Selection,
  target: Environment | undefined,
  reasons: readonly string[],
): Failure {
  const of =
    environment === undefined ? `project ${projectId}` : `environment ${environment} of project ${projectId}`;
  const when = atMs === undefined ? "" : ` at or before ${new Date(atMs).toISOString()}`;
  const into = target === undefined ? "" : ` for ${target.name}`;
  const none = atMs === undefined ? "there are no backups." : "no backup is that old.";
  const why = reasons.length === 0 ? none : reasons.slice(0, 3).join(" ");
  return new Failure(
    "restore-point-not-found",
    `No state of ${of}${when} can be gone back to${into}: ${why} \`lc2 restore-points list\` shows all.`,
  );
}

/** A state is not older than the request for it. */
const selectionOf = ({ projectId, environment, atMs }: Selection): Omit<BackupIndexQuery, "limit"> => ({
  projectId,
  ...(environment === undefined ? {} : { environment }),
  ...(atMs === undefined ? {} : { untilMs: atMs }),
});

async function describeAll(
  { catalog }: EngineParts,
  backups: readonly IndexedBackup[],
  target: Environment | undefined,
): Promise<RestorePoint[]> {
  const points: RestorePoint[] = [];
  for (const backup of backups) {
    const metadata =
      backup.outcome === "Completed"
        ? ((await catalog.getBackupMetadata(backup.backupId, backup.projectId)) as BackupMetadata | undefined)
        : undefined;
    const point = describeRestorePoint(backup, metadata, target);
    if (point !== undefined) points.push(point);
  }
  return points;
}
