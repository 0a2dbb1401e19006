import type { BackupMetadata } from "../core/repository/metadata.ts";
import type { BackupPlace } from "./locate-backup.ts";
import type { EngineParts } from "./parts.ts";
import { describeSealed } from "./run-backup.ts";

/*
 * Where a backup is, as the catalog knows it: its row names the place where it is looked for first, and further
 * places are its copies. They are alike in everything else, so a copy takes the row over when the first place is gone.
 */

/** Notes that a sealed backup was seen in a repository. */
export async function notePlace(
  parts: EngineParts,
  metadata: BackupMetadata,
  repository: string,
): Promise<void> {
  const { backupId, projectId } = metadata;
  const known = await parts.catalog.getBackup(backupId, projectId);
  const isElsewhere =
    known?.outcome === "Completed" && known.deletedAtMs === undefined && known.repository !== repository;
  if (isElsewhere) {
    await parts.catalog.putCopy({ backupId, projectId, repository, copiedAtMs: parts.clock.nowMs() });
  } else {
    await putFirstPlace(parts, metadata, repository);
  }
}

/** Makes a repository the place where a backup is looked for first. */
export async function putFirstPlace(
  parts: EngineParts,
  metadata: BackupMetadata,
  repository: string,
): Promise<void> {
  await parts.catalog.putBackup(describeSealed(metadata, repository));
  await parts.catalog.removeCopy(metadata.backupId, metadata.projectId, repository);
}

/** Notes that a backup is no longer in a repository: its oldest copy takes over, or it is no longer listed. */
export async function forgetPlace(
  parts: EngineParts,
  { backupId, projectId, repository }: BackupPlace,
): Promise<void> {
  const { catalog } = parts;
  await catalog.removeCopy(backupId, projectId, repository);
  const known = await catalog.getBackup(backupId, projectId);
  if (known?.repository !== repository) return;
  const [copy] = await catalog.listCopies(backupId, projectId);
  const metadata = (await catalog.getBackupMetadata(backupId, projectId)) as BackupMetadata | undefined;
  if (copy === undefined || metadata === undefined) {
    await catalog.markBackup(backupId, projectId, { deletedAtMs: parts.clock.nowMs() });
  } else {
    await putFirstPlace(parts, metadata, copy.repository);
  }
}

/** Every other place of a backup that the catalog knows. */
export async function listOtherPlaces(
  parts: EngineParts,
  { backupId, projectId, repository }: BackupPlace,
): Promise<string[]> {
  const known = await parts.catalog.getBackup(backupId, projectId);
  const copies = await parts.catalog.listCopies(backupId, projectId);
  const places = [
    ...(known?.outcome === "Completed" ? [known.repository] : []),
    ...copies.map((copy) => copy.repository),
  ];
  return places.filter((place) => place !== repository);
}
