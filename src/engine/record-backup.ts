import { hooksOfBackup, type BackupSpec, type BackupWish } from "../core/backup/backup.ts";
import { validateBackup, validateProjectId } from "../core/backup/validate-backup.ts";
import { resolveBackup } from "../core/environment/resolve-backup.ts";
import { InvalidRequest, refuseProblems, type Problem } from "../core/problem.ts";
import { readEnvironment } from "./read-environment.ts";
import type { EngineParts } from "./parts.ts";
import { ensureProject, readProject } from "./read-project.ts";
import {
  recordOperation,
  type OperationWish,
  type OwnedSubmission,
  type RecordedOperation,
} from "./record-operation.ts";
import { normalizeRepositoryUrl } from "./repository-url.ts";
import type { BackupRequest } from "./run-backup.ts";
import { withRefusedHooks } from "./run-hooks.ts";

/**
 * The request with the places of its environment as they are now. Refuses it with everything that is wrong; `others`:
 * with what it is a part of.
 */
export async function resolveWish(
  parts: EngineParts,
  wish: BackupWish,
  others: readonly Problem[] = [],
): Promise<BackupSpec> {
  const { projectId, environment: name } = wish;
  if (name !== undefined && validateProjectId(projectId).length > 0)
    throw new InvalidRequest([...validateProjectId(projectId), ...others]);
  const environment = name === undefined ? undefined : await readEnvironment(parts, projectId, name);
  const { spec, problems } = resolveBackup(wish, environment);
  const found = [...others, ...(problems.length > 0 ? problems : validateBackup(spec))];
  refuseProblems(await withRefusedHooks(parts, found, hooksOfBackup(spec), "backup"));
  return spec;
}

/** Where a backup goes: as it is asked for, else as its project says, else into the installation's own repository. */
export async function placeOf(
  parts: EngineParts,
  { projectId }: { readonly projectId: string },
  { repository }: { readonly repository?: string },
): Promise<string> {
  if (repository !== undefined) return normalizeRepositoryUrl(repository);
  return (await readProject(parts, projectId)).repository ?? parts.defaultRepository;
}

export const toRequest = (
  spec: BackupSpec,
  { maxRateBytesPerSecond: rate }: { readonly maxRateBytesPerSecond?: number },
): BackupRequest => ({ spec, ...(rate === undefined ? {} : { maxRateBytesPerSecond: rate }) });

export async function recordBackup(
  parts: EngineParts,
  request: BackupRequest,
  repository: string,
  submission: OwnedSubmission,
): Promise<RecordedOperation> {
  await ensureProject(parts, request.spec.projectId);
  return (await recordOperation(parts, toWish(request, repository), submission)).operation;
}

export function toWish(request: BackupRequest, repository: string): OperationWish {
  const { projectId, application, environment } = request.spec;
  return {
    kind: "backup",
    projectId,
    ...(application === undefined ? {} : { application }),
    ...(environment === undefined ? {} : { environment }),
    spec: request,
    repository,
  };
}
