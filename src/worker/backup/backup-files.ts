import { generatedFilePatterns } from "../../core/applications/application-profile.ts";
import { applicationProfiles } from "../../core/applications/application-profiles.ts";
import type { FilesSourceSpec } from "../../core/backup/backup.ts";
import { Failure } from "../../core/failure.ts";
import { compileFilter, type FileFilterSpec } from "../../core/files/filter.ts";
import { mergeJoin } from "../../core/files/merge-join.ts";
import type { FileSource } from "../../core/ports/file-source.ts";
import { attemptName, backupPrefix, evidenceName } from "../../core/repository/layout.ts";
import type { FilesComponent } from "../../core/repository/metadata.ts";
import type { TaskOf } from "../../contract/worker-task.ts";
import { addKeyReferences, openBackupKeys, type BackupKeys } from "../keys/backup-keys.ts";
import { Breather } from "../breather.ts";
import { openFileSource } from "../open-files.ts";
import { compareSourceAgain } from "./compare-source-again.ts";
import { writeEvidence } from "./evidence.ts";
import { FilesCollector } from "./files-collector.ts";
import { findPreviousFiles } from "./previous-files.ts";
import { ReadAhead } from "./read-ahead.ts";
import { smallFileBytes } from "./read-source-file.ts";
import { repositoryInside } from "./repository-inside.ts";
import { withSharedLease } from "../repository/repository-lease.ts";
import type { TaskRun } from "../task.ts";

/**
 * Backs up the files of a source: lists it once, joins the list with what earlier backups hold, stores what
 * is new or changed, and writes the manifest. What is unchanged is kept by reference to the stored bytes.
 *
 * Leaves `a{n}/files.evidence.json` for the seal. Nothing becomes a backup here; what was stored before a
 * failure or a kill is found again by the next attempt.
 *
 * Rejects with `source-not-found`, `source-unreadable`, `source-empty`, `source-shrank`, `files-unreadable`,
 * `listing-unreliable`, `disk-full` and what the stores say.
 */
export async function backupFiles(task: TaskOf<"backup-files">, run: TaskRun): Promise<FilesComponent> {
  const { storage } = task.spec;
  if (storage === undefined)
    throw new Failure("nothing-to-back-up", "The request names no files. Give --files or --bucket.");
  const source = await openFileSource(storage.url, run, storage);
  try {
    return await backupFilesFrom(source, storage, task, run);
  } finally {
    source.close?.();
  }
}

/** The same from any source. */
export function backupFilesFrom(
  source: FileSource,
  spec: FilesSourceSpec,
  task: TaskOf<"backup-files">,
  run: TaskRun,
): Promise<FilesComponent> {
  return withSharedLease(run, `backing up files for ${task.backupId}`, (signal) =>
    backUp(source, spec, task, { ...run, signal }),
  );
}

async function backUp(
  source: FileSource,
  spec: FilesSourceSpec,
  task: TaskOf<"backup-files">,
  run: TaskRun,
): Promise<FilesComponent> {
  const { backupId, attempt } = task;
  const keys = await openBackupKeys(run, backupId);
  const known = await findPreviousFiles(run, source.url, { backupId, attempt, keys });
  const filter = compileFilter(await filterSpec(source, spec, task, run));
  const ahead = readAheadOf(source);
  const collector = await FilesCollector.create({
    source,
    content: ahead ?? source,
    spec,
    backupId,
    attempt,
    keys,
    filter,
    known,
    run,
  });
  const startedAt = nowText(run);
  try {
    const breather = new Breather(run.signal);
    const listed = source.list({
      filter,
      onLeftOut: () => collector.countExcluded(),
      onNote: (message) => run.report({ type: "log", level: "warn", message }),
    });
    const joined = mergeJoin(known.batches(), listed);
    const batches = ahead?.lookAhead(joined, ({ left, right }) => collector.foresee(left, right));
    for await (const batch of batches ?? joined) {
      for (const { left, right } of batch) {
        await collector.take(left, right);
        if (breather.isDue()) await breather.breathe();
      }
    }
    const finishedAt = nowText(run);
    const result = await collector.finish();
    await addKeyReferences(run, backupId, result.referenceKeys);
    const component: FilesComponent = {
      source: source.url,
      listingStartedAt: startedAt,
      listingFinishedAt: finishedAt,
      ...result.facts,
      references: [...result.referenceKeys.keys()].sort(),
      filters: {
        excludePatterns: spec.excludePatterns,
        excludePaths: spec.excludePaths,
        includePaths: spec.includePaths,
        excludeGenerated: spec.excludeGeneratedFiles,
      },
    };
    if (spec.verifySource)
      await compareSourceAgain(
        run,
        source,
        filter,
        { backupId, keys, manifest: component.manifest },
        (objects) => collector.noteActivity(objects),
      );
    await leaveEvidence(run, backupId, attempt, component, keys);
    return component;
  } catch (error) {
    await collector.abort();
    throw error;
  }
}

/** For a source whose objects take their time to come. */
function readAheadOf(source: FileSource): ReadAhead | undefined {
  const requests = source.opensAtOnce ?? 1;
  return requests > 1 ? new ReadAhead(source, { requests, contentBytes: smallFileBytes }) : undefined;
}

/** The request's filters, with the profile's generated files where asked for, and never the repository itself. */
async function filterSpec(
  source: FileSource,
  spec: FilesSourceSpec,
  task: TaskOf<"backup-files">,
  run: TaskRun,
): Promise<FileFilterSpec> {
  const { application } = task.spec;
  if (spec.excludeGeneratedFiles && application === undefined) {
    throw new Failure(
      "request-invalid",
      "Which files are generated depends on the application. Name it with --application, or leave " +
        "--exclude-generated out.",
    );
  }
  const generated =
    spec.excludeGeneratedFiles && application !== undefined
      ? generatedFilePatterns(applicationProfiles[application], source.url)
      : [];
  const repository = await repositoryInside(source, run);
  if (repository !== undefined) {
    const message = `The repository itself lies in the source, in ${repository}; it is left out.`;
    run.report({ type: "log", level: "warn", message });
  }
  return {
    excludePatterns: [...spec.excludePatterns, ...generated],
    excludePaths: [...spec.excludePaths, ...(repository === undefined ? [] : [repository])],
    includePaths: spec.includePaths,
  };
}

/** The evidence first, then the journals go: at any moment a later attempt finds one of the two. */
async function leaveEvidence(
  run: TaskRun,
  backupId: string,
  attempt: number,
  component: FilesComponent,
  keys: BackupKeys,
): Promise<void> {
  run.signal.throwIfAborted();
  await writeEvidence(run, backupId, evidenceName(attempt, "files"), component, keys);
  const folder = `${backupPrefix(run.context.projectId, backupId)}${attemptName(attempt)}/files/`;
  const journal: string[] = [];
  for await (const object of run.store.list(`${folder}journal-`)) journal.push(object.name);
  for (const name of journal) await run.store.delete(name);
}

const nowText = (run: TaskRun): string => new Date(run.clock.nowMs()).toISOString();
