import type { Lc2Service } from "../contract/service.ts";
import type { ScanRepositoryResult } from "../contract/worker-task.ts";
import { validateProjectId } from "../core/backup/validate-backup.ts";
import { Failure } from "../core/failure.ts";
import type { BackupMetadata } from "../core/repository/metadata.ts";
import { forgetPlace, notePlace, putFirstPlace } from "./backup-places.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { normalizeRepositoryUrl } from "./repository-url.ts";
import { runTaskAlone } from "./run-worker.ts";
import { beginCall, forward, refuseProblems } from "./service-call.ts";

type RepositoryService = Pick<
  Lc2Service,
  | "checkRepository"
  | "scanRepository"
  | "sweepRepository"
  | "probeRepository"
  | "rotateKey"
  | "exportKey"
  | "importKey"
  | "createRecoveryKey"
>;

/** The keys of this installation, for the verbs that are about keys themselves. */
export interface KeyAdministration {
  /** Makes a new current key. */
  rotate(projectId: string): Promise<{ keyId: string }>;
  exportKeyfile(projectId: string): Promise<string>;
  importKeyfile(text: string): Promise<{ projectId: string; added: string[]; known: string[] }>;
  createRecoveryKey(projectId: string): Promise<{ keyId: string; privateText: string }>;
}

/** The verbs of repositories and keys. Only `scan` touches the catalog. */
export function createRepositoryService(
  parts: EngineParts,
  openKeys: () => Promise<KeyAdministration>,
): RepositoryService {
  /** Without a project the task is about the whole repository. */
  const place = (repository: string, projectId: string | undefined) => {
    if (projectId !== undefined) refuseProblems(validateProjectId(projectId));
    const context = makeContext(parts, {
      repository: normalizeRepositoryUrl(repository),
      projectId: projectId ?? "",
    });
    return { context, onlyProject: projectId !== undefined };
  };

  return {
    checkRepository: async (repository, options, waiting) => {
      const { readData, subset, projectId } = options;
      const task = {
        kind: "check-repository",
        ...place(repository, projectId),
        readData,
        ...(subset === undefined ? {} : { subset }),
      } as const;
      return await runTaskAlone(parts, "check-repository", task, {
        signal: waiting.signal,
        ...forward(waiting),
      });
    },

    scanRepository: async (repository, { projectId }, waiting) => {
      const told = await beginCall(parts, waiting);
      const task = { kind: "scan-repository", ...place(repository, projectId) } as const;
      const { signal } = waiting;
      const startedAtMs = parts.clock.nowMs();
      const found = await runTaskAlone(told, "scan-repository", task, { signal, ...forward(waiting) });
      return await indexScan(told, task.context.repository, projectId, found, startedAtMs, signal);
    },

    sweepRepository: async (repository, { dryRun, minimumAgeSeconds }, waiting) => {
      const { context } = place(repository, undefined);
      const task = { kind: "sweep-repository", context, dryRun, minimumAgeSeconds } as const;
      return await runTaskAlone(parts, "sweep-repository", task, {
        signal: waiting.signal,
        ...forward(waiting),
      });
    },

    probeRepository: async (repository, waiting) => {
      const { context } = place(repository, undefined);
      const task = { kind: "probe-repository", context } as const;
      return await runTaskAlone(parts, "probe-repository", task, {
        signal: waiting.signal,
        ...forward(waiting),
      });
    },

    rotateKey: async (projectId, { repository, dryRun }, waiting) => {
      const { context } = place(repository, projectId);
      const { signal } = waiting;
      const task = { kind: "rotate-keys", context, dryRun } as const;
      if (!dryRun) {
        await (await openKeys()).rotate(projectId);
        return await runTaskAlone(parts, "rotate-keys", task, { signal, ...forward(waiting) });
      }
      const seen = await runTaskAlone(parts, "rotate-keys", task, { signal, ...forward(waiting) });
      // With a new key none of them would be current.
      return { ...seen, rewrapped: seen.rewrapped + seen.alreadyCurrent, alreadyCurrent: 0 };
    },

    exportKey: async (projectId) => {
      refuseProblems(validateProjectId(projectId));
      return await (await openKeys()).exportKeyfile(projectId);
    },

    importKey: async (text) => await (await openKeys()).importKeyfile(text),

    createRecoveryKey: async (projectId) => {
      refuseProblems(validateProjectId(projectId));
      return await (await openKeys()).createRecoveryKey(projectId);
    },
  };
}

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
  const present = new Set([...found.backups, ...found.incomplete].map(({ backupId }) => backupId));
  // What was sealed while the scan ran may not have been seen by it.
  const gone = (await listIndexed(parts, repository, projectId)).filter(
    ({ backupId, finishedAtMs }) => !present.has(backupId) && (finishedAtMs ?? startedAtMs) < startedAtMs,
  );
  for (const { backupId, projectId: owner } of gone) {
    await forgetPlace(parts, { backupId, projectId: owner, repository });
  }
  if (gone.length === 0) return found;
  const names = gone.map(({ backupId }) => backupId).join(", ");
  const note = `No longer in this repository, so no longer listed there: ${names}.`;
  return { ...found, notes: [...found.notes, note] };
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
