import type { BackupReference } from "../contract/service.ts";
import type { TaskResults } from "../contract/worker-task.ts";
import { backupIdPattern } from "../core/repository/layout.ts";
import { Failure } from "../core/failure.ts";
import { notePlace } from "./backup-places.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { normalizeRepositoryUrl } from "./repository-url.ts";
import { runTaskOfCall } from "./run-worker.ts";

export interface BackupPlace {
  readonly backupId: string;
  readonly projectId: string;
  readonly repository: string;
}

/**
 * Where a backup is: by the catalog, or, when a repository is named, in that repository, whether the
 * catalog knows it or not (then it is noted in it; of a backup that it knows, only what has the project's signature).
 * Rejects with `backup-not-found`.
 */
export async function locateBackup(
  parts: EngineParts,
  reference: BackupReference,
  signal: AbortSignal = new AbortController().signal,
): Promise<BackupPlace> {
  const { backupId } = reference;
  // A name that is no id could lead a path astray; it is unknown, like any other unknown one.
  if (!backupIdPattern.test(backupId)) throw notFound(reference);
  const projectId = reference.projectId === "" ? undefined : reference.projectId;
  const known = await parts.catalog.getBackup(backupId, projectId);
  if (reference.repository === undefined) {
    if (known === undefined || known.deletedAtMs !== undefined) throw notFound(reference);
    return { backupId, projectId: known.projectId, repository: known.repository };
  }
  const repository = normalizeRepositoryUrl(reference.repository);
  if (known !== undefined && known.repository === repository)
    return { backupId, projectId: known.projectId, repository };
  const found = await findInRepository(parts, backupId, projectId ?? known?.projectId, repository, signal);
  const { metadata, isChecked = false } = found;
  if (metadata === undefined) throw notFound({ ...reference, repository });
  // Anyone who can write there could have made one up.
  const isNew = (await parts.catalog.getBackup(backupId, metadata.projectId)) === undefined;
  if (isChecked || isNew) await notePlace(parts, metadata, repository);
  return { backupId, projectId: metadata.projectId, repository };
}

async function findInRepository(
  parts: EngineParts,
  backupId: string,
  projectId: string | undefined,
  repository: string,
  signal: AbortSignal,
): Promise<TaskResults["read-metadata"]> {
  if (projectId !== undefined) {
    const context = makeContext(parts, { repository, projectId });
    const task = { kind: "read-metadata", context, backupId, check: true } as const;
    return await runTaskOfCall(parts, "read-metadata", task, { signal });
  }
  // The project is not known: the repository is asked for everything it holds.
  const context = makeContext(parts, { repository, projectId: "" });
  const scan = { kind: "scan-repository", context, onlyProject: false } as const;
  const { backups } = await runTaskOfCall(parts, "scan-repository", scan, { signal });
  const metadata = backups.find((each) => each.backupId === backupId);
  return metadata === undefined ? {} : { metadata };
}

export function notFound({ backupId, projectId, repository }: BackupReference): Failure {
  const where = repository === undefined ? "the catalog" : repository;
  const whose = projectId === undefined || projectId === "" ? "" : ` of project ${projectId}`;
  return new Failure(
    "backup-not-found",
    `There is no backup "${backupId}"${whose} in ${where}. \`lc2 backup list\` shows what there is; ` +
      "`lc2 repository scan REPOSITORY` makes the backups of a repository known.",
  );
}
