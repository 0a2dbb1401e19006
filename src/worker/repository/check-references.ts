import { Failure } from "../../core/failure.ts";
import { backupPrefix } from "../../core/repository/layout.ts";
import { isPackName, type FileKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import type { FilesComponent } from "../../core/repository/metadata.ts";
import type { ManifestLine } from "../../core/repository/manifest-line.ts";
import { mapAtOnce } from "../at-once.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { manifestLines } from "../read/read-manifest.ts";
import type { TaskRun } from "../task.ts";

/**
 * Asks the store for every file that the manifest of `backupId` says bytes are in, its own and earlier
 * backups', and compares sizes; and that the keyring has a key for each of them. Reads no content.
 *
 * Called before the seal, under the shared lease: what is there now cannot be deleted until the metadata,
 * which says that it is needed, exists. Rejects with `backup-incomplete` or `keyring-damaged`. Memory: one
 * name per pack.
 */
export async function checkReferences(
  run: TaskRun,
  backupId: string,
  files: FilesComponent,
  keys: BackupKeys,
  needs: ReferenceNeeds = sealing,
): Promise<void> {
  for await (const missing of missingReferences(run, backupId, files, keys, needs.isNeeded, needs.entries)) {
    if (missing.thaw === undefined) throw describeMissing(run, missing, needs.advice);
    if (needs.isRead) throw coldFailure(run, missing.name, missing.thaw);
  }
  for (const owner of files.references)
    if (keys.filesOf(owner) === undefined) throw missingKey(backupId, owner);
}

/** A stored file that a manifest refers to and the store has not, or not in its size. */
export interface MissingReference {
  /** Full name. */
  readonly name: string;
  readonly neededBytes: number;
  readonly foundBytes?: number;
  /** It is there, in an archive tier: the step that brings it back. */
  readonly thaw?: string;
}

/** The stored files that the manifest of `backupId` needs and the store lacks. Memory: one name per pack. */
export async function* missingReferences(
  run: TaskRun,
  backupId: string,
  files: FilesComponent,
  keys: BackupKeys,
  isNeeded: (key: FileKey) => boolean,
  entries?: AsyncIterable<readonly ManifestEntry[]>,
): AsyncGenerator<MissingReference, void, undefined> {
  const lines = entries ?? manifestLines(run, backupId, files.manifest, keys);
  const needed = neededFiles(run, backupId, files, isNeeded, lines);
  for await (const missing of mapAtOnce(needed, looksAtOnce, (file) => findMissing(run, file))) {
    if (missing !== undefined) yield missing;
  }
}

/** A store in a network answers many as fast as one. */
const looksAtOnce = 16;

/** A stored file that a manifest needs: of a pack only its end is known, so it has at least so many bytes. */
interface NeededFile {
  readonly name: string;
  readonly neededBytes: number;
  readonly isPack: boolean;
}

async function* neededFiles(
  run: TaskRun,
  backupId: string,
  files: FilesComponent,
  isNeeded: (key: FileKey) => boolean,
  lines: AsyncIterable<readonly (ManifestLine | ManifestEntry)[]>,
): AsyncGenerator<NeededFile, void, undefined> {
  /** Bytes that each pack must have at least. */
  const packs = new Map<string, number>();
  const referred = new Set(files.references);
  for await (const batch of lines) {
    for (const line of batch) {
      if (!isNeeded(line.key)) continue;
      const { stored } = "entry" in line ? line.entry : line;
      if (stored === undefined) continue;
      const owner = stored.backup ?? backupId;
      if (owner !== backupId && !referred.has(owner)) throw unlisted(backupId, owner);
      const name = backupPrefix(run.context.projectId, owner) + stored.file;
      const end = stored.offset + stored.length;
      if (isPackName(stored.file)) {
        if (end > (packs.get(name) ?? 0)) packs.set(name, end);
        continue;
      }
      yield { name, neededBytes: end, isPack: false };
    }
  }
  for (const [name, neededBytes] of packs) yield { name, neededBytes, isPack: true };
}

async function findMissing(
  run: TaskRun,
  { name, neededBytes, isPack }: NeededFile,
): Promise<MissingReference | undefined> {
  const { sizeBytes, thaw } = (await run.store.head(name)) ?? {};
  if (sizeBytes === undefined) return { name, neededBytes };
  const isEnough = isPack ? sizeBytes >= neededBytes : sizeBytes === neededBytes;
  if (isEnough && thaw !== undefined) return { name, neededBytes, foundBytes: sizeBytes, thaw };
  return isEnough ? undefined : { name, neededBytes, foundBytes: sizeBytes };
}

/** Which entries must be there, and what to do where they are not. */
export interface ReferenceNeeds {
  readonly isNeeded: (key: FileKey) => boolean;
  /** All that are needed, where they are at hand; default: the manifest is read. */
  readonly entries?: AsyncIterable<readonly ManifestEntry[]>;
  readonly advice: string;
  /** They are to be read: what is in an archive tier is refused, with the step that brings it back. */
  readonly isRead: boolean;
}

/** Of an object that its store keeps in an archive tier. */
export const coldFailure = (run: TaskRun, name: string, thaw: string): Failure =>
  new Failure(
    "object-cold",
    `${name} in ${run.store.url} is in an archive tier and cannot be read now. ${thaw}`,
  );

const sealing: ReferenceNeeds = {
  isNeeded: () => true,
  advice: "Nothing was sealed. Run the backup again: what is missing will be read from the source.",
  isRead: false,
};

function describeMissing(
  run: TaskRun,
  { name, neededBytes, foundBytes }: MissingReference,
  advice: string,
): Failure {
  const what =
    foundBytes === undefined ? "is not there" : `has ${foundBytes} bytes where ${neededBytes} are needed`;
  return new Failure(
    "backup-incomplete",
    `${name}, which this backup refers to, ${what} in ${run.store.url}: it was deleted or the store lost it. ${advice}`,
  );
}

function unlisted(backupId: string, owner: string): Failure {
  return new Failure(
    "manifest-damaged",
    `The manifest of ${backupId} refers to ${owner}, which its metadata does not list.`,
  );
}

function missingKey(backupId: string, owner: string): Failure {
  return new Failure(
    "keyring-damaged",
    `keyring.json of ${backupId} has no files key of ${owner}, to which it refers.`,
  );
}
