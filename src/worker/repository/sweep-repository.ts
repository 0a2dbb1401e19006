import {
  backupIdPattern,
  backupPrefix,
  isRepositoryName,
  probePrefix,
  projectIdPattern,
  projectPrefix,
} from "../../core/repository/layout.ts";
import type { SweepRepositoryResult, TaskOf } from "../../contract/worker-task.ts";
import {
  checkSealed,
  collectReferencedFiles,
  deleteForCertain,
  namedFiles,
  readSealedBackups,
} from "./live-files.ts";
import { listProbes, removeProbe } from "./probe-objects.ts";
import { withExclusiveLease } from "./repository-lease.ts";
import { listProjects } from "./scan-repository.ts";
import { forProject, openRepository } from "./repository.ts";
import type { TaskRun } from "../task.ts";
import type { StoredObject } from "../../core/ports/object-store.ts";
import { Failure } from "../../core/failure.ts";

/**
 * Removes what belongs to no backup: attempts that were never sealed or do not count, journals, bytes that
 * only deleted backups referred to, unfinished writes, what was only tried out; each only when it is older than `minimumAgeSeconds`.
 *
 * A project whose manifests cannot be read (its key is not here) is left alone and named. Idempotent.
 */
export async function sweepRepository(
  task: TaskOf<"sweep-repository">,
  run: TaskRun,
): Promise<SweepRepositoryResult> {
  await openRepository(run);
  return withExclusiveLease(run, "sweeping", async (signal) => {
    const removed: string[] = [];
    let deletedBytes = 0;
    let keptYoung = 0;
    for await (const leftover of listAll(run)) {
      signal.throwIfAborted();
      if (run.clock.nowMs() - leftover.modifiedAtMs < task.minimumAgeSeconds * 1000) {
        keptYoung += 1;
        continue;
      }
      const isRemoved = task.dryRun || (await remove(run, leftover.name));
      if (!isRemoved) continue;
      removed.push(leftover.name);
      deletedBytes += leftover.sizeBytes;
    }
    return { deletedFiles: removed.length, deletedBytes, keptYoung, removed };
  });
}

async function* listAll(run: TaskRun): AsyncIterable<StoredObject> {
  // Whoever shares the bucket has uploads under way, too: they are no business of ours.
  for await (const write of run.store.listUnfinished()) if (isRepositoryName(write.name)) yield write;
  yield* listProbes(run.store);
  yield* listLeftovers(run);
}

async function remove(run: TaskRun, name: string): Promise<boolean> {
  if (name.startsWith(probePrefix)) return await removeProbe(run.store, name);
  await deleteForCertain(run, name);
  return true;
}

/**
 * Every object of a backup's folder that no sealed backup names or refers to, whatever its age. Folders below
 * `backups/` that cannot be of a repository are another program's: they are named in the log.
 */
export async function* listLeftovers(run: TaskRun): AsyncIterable<StoredObject> {
  await nameOthers(run, "backups/", projectIdPattern);
  for (const projectId of await listProjects(run, false)) {
    yield* listProjectLeftovers(forProject(run, projectId));
    await nameOthers(run, projectPrefix(projectId), backupIdPattern);
  }
}

async function nameOthers(run: TaskRun, prefix: string, own: RegExp): Promise<void> {
  const first: string[] = [];
  let count = 0;
  for await (const folder of run.store.listFolders(prefix)) {
    if (own.test(folder)) continue;
    count += 1;
    if (first.length < othersNamed) first.push(JSON.stringify(folder));
  }
  if (count === 0) return;
  const names = `${first.join(", ")}${count > first.length ? ", …" : ""}`;
  const message = `${count} folders in ${prefix} of ${run.store.url} are no backups and were left alone: ${names}.`;
  run.report({ type: "log", level: "warn", message });
}

const othersNamed = 10;

async function* listProjectLeftovers(run: TaskRun): AsyncIterable<StoredObject> {
  const { projectId } = run.context;
  try {
    const found = await readSealedBackups(run);
    const [sealed, unsealed] = [await checkSealed(run, found.sealed), found.unsealed];
    const live = await collectReferencedFiles(run, sealed, () => true);
    for (const metadata of sealed) for (const name of namedFiles(run, metadata)) live.add(name);
    for (const backupId of [...sealed.map((metadata) => metadata.backupId), ...unsealed]) {
      for await (const object of run.store.list(backupPrefix(projectId, backupId))) {
        if (!live.has(object.name)) yield object;
      }
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const message = `Project ${projectId} was left alone: without reading all of its backups nobody can tell what they need. ${error.message}`;
    run.report({ type: "log", level: "warn", message });
  }
}
