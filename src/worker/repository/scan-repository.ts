import { Failure } from "../../core/failure.ts";
import { backupPrefix, projectIdPattern } from "../../core/repository/layout.ts";
import type { BackupMetadata } from "../../core/repository/metadata.ts";
import { namedStoredFiles, referencedBackups } from "../../core/repository/stored-files.ts";
import type { ScanRepositoryResult, TaskOf } from "../../contract/worker-task.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import type { DefinitionRecord } from "../../core/ports/definition-records.ts";
import { readSavedDefinitions } from "./saved-definitions.ts";
import { missingReferences } from "./check-references.ts";
import { openBackup, readMetadataUnchecked } from "./read-metadata.ts";
import { forProject, listBackupFolders, openRepository } from "./repository.ts";
import type { TaskRun } from "../task.ts";

/**
 * Finds every backup in a repository from the repository alone, for a catalog that was lost or never knew
 * it. Where the project's key is at hand the signatures are checked; where it is not, that is said.
 * A folder that lacks something it needs (copied by hand, say) is named with what is missing.
 */
export async function scanRepository(
  task: TaskOf<"scan-repository">,
  run: TaskRun,
): Promise<ScanRepositoryResult> {
  const description = await openRepository(run);
  const found: BackupMetadata[] = [];
  const incomplete: { backupId: string; missing: readonly string[] }[] = [];
  const notes = new Set<string>();
  let unsealed = 0;
  let carried = 0;
  const definitions: DefinitionRecord[] = [];
  for (const projectId of await listDefiningProjects(run, task.onlyProject)) {
    definitions.push(...(await readDefinitions(forProject(run, projectId), notes)));
  }
  for (const projectId of await listProjects(run, task.onlyProject)) {
    const project = forProject(run, projectId);
    const folders: string[] = [];
    const others = new Set<string>();
    for await (const folder of listBackupFolders(project, projectId)) {
      if (folder.sealed) folders.push(folder.backupId);
      else others.add(folder.backupId);
    }
    const referred = new Set<string>();
    for (const backupId of folders) {
      run.signal.throwIfAborted();
      try {
        const { metadata, keys } = await readWithBestCheck(project, backupId, notes);
        for (const earlier of referencedBackups(metadata)) referred.add(earlier);
        const missing = await listMissing(project, metadata);
        // A folder that is no backup may hold some of what this one needs and not all of it.
        const isPartial = referencedBackups(metadata).some((earlier) => others.has(earlier));
        if (missing.length === 0 && isPartial && keys !== undefined)
          missing.push(...(await listMissingReferences(project, metadata, keys)));
        if (missing.length > 0) incomplete.push({ backupId, missing });
        found.push(metadata);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        incomplete.push({ backupId, missing: [error.message] });
      }
    }
    for (const backupId of others) {
      if (referred.has(backupId)) carried += 1;
      else unsealed += 1;
    }
  }
  const { id: repositoryId, copyTo } = description;
  return {
    repositoryId,
    ...(copyTo === undefined ? {} : { copyTo }),
    backups: found,
    unsealed,
    carried,
    incomplete,
    definitions,
    notes: [...notes],
  };
}

const longestMissing = 1_000;

export async function listProjects(run: TaskRun, onlyProject: boolean): Promise<string[]> {
  if (onlyProject) return [run.context.projectId];
  const projects: string[] = [];
  for await (const projectId of run.store.listFolders("backups/"))
    if (projectIdPattern.test(projectId)) projects.push(projectId);
  return projects;
}

/** A project may be defined and not backed up yet. */
async function listDefiningProjects(run: TaskRun, onlyProject: boolean): Promise<string[]> {
  if (onlyProject) return [run.context.projectId];
  const projects: string[] = [];
  for await (const projectId of run.store.listFolders("projects/"))
    if (projectIdPattern.test(projectId)) projects.push(projectId);
  return projects;
}

async function readDefinitions(run: TaskRun, notes: Set<string>): Promise<readonly DefinitionRecord[]> {
  const { projectId } = run.context;
  return await readSavedDefinitions(run, ({ code, message }) => {
    notes.add(
      code === "key-missing"
        ? `What is defined in project ${projectId} needs its key, which is not here. Bring it with \`lc2 key import\`, then scan again.`
        : message,
    );
  });
}

async function readWithBestCheck(
  run: TaskRun,
  backupId: string,
  notes: Set<string>,
): Promise<{ metadata: BackupMetadata; keys?: BackupKeys }> {
  try {
    return await openBackup(run, backupId);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "key-missing") throw error;
    const { projectId } = run.context;
    notes.add(
      `The key of project ${projectId} is not here: its backups are listed, but neither checked nor readable. Bring it with \`lc2 key import\`.`,
    );
    return { metadata: await readMetadataUnchecked(run, backupId) };
  }
}

/** What a backup needs and the repository lacks: its own files by size, and the folders it refers to. */
export async function listMissing(run: TaskRun, metadata: BackupMetadata): Promise<string[]> {
  const prefix = backupPrefix(run.context.projectId, metadata.backupId);
  const missing: string[] = [];
  if ((await run.store.head(`${prefix}keyring.json`)) === undefined) missing.push("keyring.json");
  for (const file of namedStoredFiles(metadata)) {
    const object = await run.store.head(prefix + file.name);
    if (object === undefined) missing.push(file.name);
    else if (object.sizeBytes !== file.sizeBytes)
      missing.push(`${file.name} (${object.sizeBytes} of ${file.sizeBytes} bytes)`);
  }
  for (const earlier of referencedBackups(metadata)) {
    if (!(await holdsFolder(run, backupPrefix(run.context.projectId, earlier)))) {
      missing.push(`the folder of ${earlier}, which holds files that are unchanged since`);
    }
  }
  return missing;
}

/** What the manifest says bytes are in and the repository lacks, the first so many by name. */
async function listMissingReferences(
  run: TaskRun,
  metadata: BackupMetadata,
  keys: BackupKeys,
): Promise<string[]> {
  const { files } = metadata.components;
  if (files === undefined) return [];
  const missing: string[] = [];
  for await (const { name, thaw } of missingReferences(run, metadata.backupId, files, keys, () => true)) {
    if (thaw !== undefined) continue;
    missing.push(name);
    if (missing.length < longestMissing) continue;
    missing.push("and perhaps more");
    break;
  }
  return missing;
}

async function holdsFolder(run: TaskRun, prefix: string): Promise<boolean> {
  for await (const folder of run.store.listFolders(prefix)) return folder !== "";
  return false;
}
