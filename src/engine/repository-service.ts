import type { OfRepository, Repositories } from "../contract/repositories.ts";
import type { ScanRepositoryResult, WorkerContext } from "../contract/worker-task.ts";
import { validateProjectId } from "../core/backup/validate-backup.ts";
import { Failure } from "../core/failure.ts";
import type { DefinitionRecord } from "../core/ports/definition-records.ts";
import type { BackupMetadata } from "../core/repository/metadata.ts";
import { refuseProblems } from "../core/problem.ts";
import { refuseCopyInto } from "./copy-target.ts";
import { forgetPlace, notePlace, putFirstPlace } from "./backup-places.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { ensureProject } from "./read-project.ts";
import { normalizeRepositoryUrl, repositoryAt } from "./repository-url.ts";
import { runTaskAlone } from "./run-worker.ts";
import { beginCall, runTaskFor } from "./service-call.ts";

/** The verbs of repositories. Only `scan` touches the catalog. */
export function createRepositoryService(parts: EngineParts): Repositories {
  return {
    checkRepository: async (place, { readData, subset, projectId }, waiting) => {
      const { context, onlyProject } = contextOf(parts, place, projectId);
      const part = subset === undefined ? {} : { subset };
      const task = { kind: "check-repository", context, onlyProject, readData, ...part } as const;
      return at(context, await runTaskFor(parts, task, waiting));
    },

    scanRepository: async (place, { projectId, dryRun }, waiting) => {
      const told = await beginCall(parts, waiting);
      const { context, onlyProject } = contextOf(parts, place, projectId);
      const startedAtMs = parts.clock.nowMs();
      const found = await runTaskFor(told, { kind: "scan-repository", context, onlyProject }, waiting);
      if (dryRun === true) return at(context, found);
      const { repository } = context;
      return at(context, await indexScan(told, repository, projectId, found, startedAtMs, waiting.signal));
    },

    sweepRepository: async (place, { dryRun, minimumAgeSeconds }, waiting) => {
      const { context } = contextOf(parts, place);
      const task = { kind: "sweep-repository", context, dryRun, minimumAgeSeconds } as const;
      return at(context, await runTaskFor(parts, task, waiting));
    },

    setCopyTarget: async (place, { to }, waiting) => {
      const { context } = contextOf(parts, place);
      const wish = to === undefined ? {} : { copyTo: normalizeRepositoryUrl(to) };
      if (wish.copyTo !== undefined) refuseCopyInto(context.repository, wish.copyTo);
      await runTaskFor(parts, { kind: "set-copy-target", context, ...wish }, waiting);
      return at(context, wish);
    },

    probeRepository: async (place, waiting) => {
      const { context } = contextOf(parts, place);
      return at(context, await runTaskFor(parts, { kind: "probe-repository", context }, waiting));
    },
  };
}

/** Without a project the task is about the whole repository. */
function contextOf(parts: EngineParts, place: string | undefined, projectId?: string) {
  if (projectId !== undefined) refuseProblems(validateProjectId(projectId));
  const repository = repositoryAt(parts, place);
  const context = makeContext(parts, { repository, projectId: projectId ?? "" });
  return { context, onlyProject: projectId !== undefined };
}

const at = <Result>({ repository }: WorkerContext, result: Result): OfRepository<Result> => ({
  repository,
  ...result,
});

/**
 * Makes the catalog say what the repository holds: what was found is listed, and what the catalog listed
 * at this place and is not there any more is not.
 */
async function indexScan(
  parts: EngineParts,
  repository: string,
  projectId: string | undefined,
  found: ScanRepositoryResult,
  startedAtMs: number,
  signal: AbortSignal,
): Promise<ScanRepositoryResult> {
  await noteFound(parts, repository, found.backups, signal);
  const definitions = await adoptDefinitions(parts, found);
  const present = new Set([...found.backups, ...found.incomplete].map(({ backupId }) => backupId));
  // What was sealed while the scan ran may not have been seen by it.
  const gone = (await listIndexed(parts, repository, projectId)).filter(
    ({ backupId, finishedAtMs }) => !present.has(backupId) && (finishedAtMs ?? startedAtMs) < startedAtMs,
  );
  for (const { backupId, projectId: owner } of gone) {
    await forgetPlace(parts, { backupId, projectId: owner, repository });
  }
  if (gone.length === 0) return { ...found, definitions };
  const names = gone.map(({ backupId }) => backupId).join(", ");
  const note = `No longer in this repository, so no longer listed there: ${names}.`;
  return { ...found, definitions, notes: [...found.notes, note] };
}

/**
 * Takes over what people defined, where the catalog has nothing newer, and names every project that has backups.
 * Returns what is in the catalog because of it.
 */
async function adoptDefinitions(
  parts: EngineParts,
  { definitions, backups }: ScanRepositoryResult,
): Promise<readonly DefinitionRecord[]> {
  const adopted: DefinitionRecord[] = [];
  for (const definition of definitions) {
    if (!(await parts.catalog.adoptDefinition(definition))) continue;
    if (definition.deletedAtMs === undefined) adopted.push(definition);
  }
  for (const projectId of new Set(backups.map((backup) => backup.projectId))) {
    await ensureProject(parts, projectId);
  }
  return adopted;
}

/**
 * What is known from another repository is a copy of it, unless there is no repository at that other place any
 * more: then it was moved here.
 */
async function noteFound(
  parts: EngineParts,
  repository: string,
  backups: readonly BackupMetadata[],
  signal: AbortSignal,
): Promise<void> {
  const isGone = new Map<string, boolean>();
  for (const metadata of backups) {
    const { backupId, projectId } = metadata;
    const place = (await parts.catalog.getBackup(backupId, projectId))?.repository ?? repository;
    if (place !== repository && !isGone.has(place)) {
      isGone.set(place, await isRepositoryGone(parts, place, signal));
    }
    if (isGone.get(place) === true) await putFirstPlace(parts, metadata, repository);
    else await notePlace(parts, metadata, repository);
  }
}

async function isRepositoryGone(
  parts: EngineParts,
  repository: string,
  signal: AbortSignal,
): Promise<boolean> {
  const context = makeContext(parts, { repository, projectId: "" });
  const task = { kind: "describe-repository", context } as const;
  try {
    await runTaskAlone(parts, "describe-repository", task, { signal });
    return false;
  } catch (error) {
    // One that cannot be reached at this moment may be there.
    return Failure.from(error).kind === "not-found";
  }
}

async function listIndexed(parts: EngineParts, repository: string, projectId: string | undefined) {
  const query = {
    repository,
    outcome: "Completed",
    limit: 1_000_000,
    ...(projectId === undefined ? {} : { projectId }),
  } as const;
  return (await parts.catalog.listBackups(query)).backups;
}
