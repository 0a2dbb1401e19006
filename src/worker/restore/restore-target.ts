import { generatedFilePatterns } from "../../core/applications/application-profile.ts";
import { applicationProfiles } from "../../core/applications/application-profiles.ts";
import { compileFilter, compilePatterns, textsInMatches, type FileFilter } from "../../core/files/filter.ts";
import { isBucketUrl, isSameBucket, parseBucketUrl } from "../../core/files/bucket-url.ts";
import { Failure } from "../../core/failure.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import type { ManifestLine } from "../../core/repository/manifest-line.ts";
import type { FileKey, ManifestEntry } from "../../core/repository/manifest.ts";
import type { BackupMetadata } from "../../core/repository/metadata.ts";
import type { FilesPlan } from "../../core/restore/restore.ts";
import { temporaryFileName } from "../../core/restore/restore-names.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { manifestLines } from "../read/read-manifest.ts";
import { openBackup } from "../repository/read-metadata.ts";
import { repositoryInside } from "../backup/repository-inside.ts";
import type { ChangeOptions } from "./file-change.ts";
import type { TaskRun } from "../task.ts";

/** The files of a backup, opened for a restore. */
export interface RestoreSource {
  readonly metadata: BackupMetadata;
  readonly keys: BackupKeys;
  /**
   * What of the backup is included, and the folders above it (it may have to be restored into them), in order. What
   * is not asked for is not even decoded. Of a few files the manifest is read only once.
   */
  entries(): AsyncIterable<readonly ManifestEntry[]>;
}

/** So many entries of a selection are remembered. */
const fewEntries = 4000;

export async function openRestoreSource(
  run: TaskRun,
  backupId: string,
  include: readonly string[],
): Promise<RestoreSource> {
  const { metadata, keys } = await openBackup(run, backupId);
  const manifest = metadata.components.files?.manifest;
  if (manifest === undefined) {
    throw new Failure(
      "nothing-to-restore",
      `${backupId} holds no files. Restore its database with --type database-only.`,
    );
  }
  const isIncluded = includedKeys(include);
  const texts = textsInMatches(include);
  const lines = () => manifestLines(run, backupId, manifest, keys, texts);
  const entries =
    include.length === 0
      ? () => allEntries(manifestLines(run, backupId, manifest, keys))
      : rememberFew(JSON.stringify([run.context, backupId, manifest, include]), () =>
          includedEntries(lines(), isIncluded),
        );
  return { metadata, keys, entries };
}

async function* allEntries(
  lines: AsyncIterable<readonly ManifestLine[]>,
): AsyncGenerator<readonly ManifestEntry[], void, undefined> {
  for await (const batch of lines) yield batch.map((line) => line.entry);
}

async function* includedEntries(
  lines: AsyncIterable<readonly ManifestLine[]>,
  isIncluded: (key: FileKey) => boolean,
): AsyncGenerator<readonly ManifestEntry[], void, undefined> {
  /** Folders on the way to the line at hand that were not asked for themselves. */
  let above: ManifestLine[] = [];
  for await (const batch of lines) {
    const chosen: ManifestLine[] = [];
    for (const line of batch) {
      while (above.length > 0 && !line.key.startsWith((above.at(-1) as ManifestLine).key)) above.pop();
      if (isIncluded(line.key)) {
        chosen.push(...above, line);
        above = [];
      } else if (line.key.endsWith("/")) above.push(line);
    }
    if (chosen.length > 0) yield chosen.map((line) => line.entry);
  }
}

/** The last small selection: a sealed backup does not change, and the process that planned a restore carries it out. */
let remembered: { readonly what: string; readonly entries: readonly ManifestEntry[] } | undefined;

/** Reads a selection that turns out to be small from memory the second time. */
function rememberFew(
  what: string,
  read: () => AsyncIterable<readonly ManifestEntry[]>,
): () => AsyncIterable<readonly ManifestEntry[]> {
  return async function* entries() {
    if (remembered?.what === what) {
      yield remembered.entries;
      return;
    }
    const seen: ManifestEntry[] = [];
    for await (const batch of read()) {
      if (seen.length <= fewEntries) seen.push(...batch);
      yield batch;
    }
    if (seen.length <= fewEntries) remembered = { what, entries: seen };
  };
}

/** The patterns of a selective restore; everything where there are none. */
export function includedKeys(include: readonly string[]): (key: FileKey) => boolean {
  return include.length === 0 ? () => true : compilePatterns(include);
}

/** What of a target a restore looks at: all but itself and a repository that lies in it. */
async function targetFilter(target: FileTarget, restoreId: string, run: TaskRun): Promise<FileFilter> {
  const repository = await repositoryInside(target, run);
  return compileFilter({
    excludePatterns: isBucketUrl(target.url) ? [] : [temporaryFileName(restoreId)],
    excludePaths: repository === undefined ? [] : [repository],
    includePaths: [],
  });
}

export async function changeOptions(
  target: FileTarget,
  run: TaskRun,
  restoreId: string,
  metadata: BackupMetadata,
  plan: Pick<FilesPlan, "url" | "mode" | "include">,
): Promise<ChangeOptions> {
  return {
    isCovered: coverageOf(metadata),
    isSource: isSamePlace(plan.url, metadata.components.files?.source),
    mode: plan.mode,
    // Of some files of a large folder each is looked at for itself.
    listsTarget: plan.mode === "mirror" || plan.include.length === 0,
    isIncluded: includedKeys(plan.include),
    signal: run.signal,
    filter: await targetFilter(target, restoreId, run),
    onNote: (message) => run.report({ type: "log", level: "info", message }),
  };
}

function isSamePlace(target: string, source: string | undefined): boolean {
  if (source === undefined || !isBucketUrl(target) || !isBucketUrl(source)) return target === source;
  const [a, b] = [parseBucketUrl(target), parseBucketUrl(source)];
  if ("problem" in a || "problem" in b) return false;
  return isSameBucket(a.place, b.place) && a.place.prefix === b.place.prefix;
}

/** By the filters of the backup, generated files included as its application's profile has them. */
function coverageOf(metadata: BackupMetadata): (key: FileKey) => boolean {
  const files = metadata.components.files;
  if (files === undefined) return () => false;
  const { application } = metadata;
  const { excludeGenerated, ...filters } = files.filters;
  const profile = Object.values(applicationProfiles).find(({ name }) => name === application);
  const generated =
    excludeGenerated && profile !== undefined ? generatedFilePatterns(profile, files.source) : [];
  const filter = compileFilter({ ...filters, excludePatterns: [...filters.excludePatterns, ...generated] });
  return (key) => filter.includes(key);
}
