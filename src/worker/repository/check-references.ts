import { Failure } from "../../core/failure.ts";
import { backupPrefix } from "../../core/repository/layout.ts";
import { isPackName, type FileKey, type StoredAt } from "../../core/repository/manifest.ts";
import type { FilesComponent } from "../../core/repository/metadata.ts";
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
  /** Bytes that each pack must have at least. */
  const packs = new Map<string, number>();
  const referred = new Set(files.references);
  for await (const batch of manifestLines(run, backupId, files.manifest, keys)) {
    for (const line of batch) {
      if (!needs.isNeeded(line.key)) continue;
      const { stored } = line.entry;
      if (stored === undefined) continue;
      const owner = stored.backup ?? backupId;
      if (owner !== backupId && !referred.has(owner)) throw unlisted(backupId, owner);
      const name = backupPrefix(run.context.projectId, owner) + stored.file;
      const end = stored.offset + stored.length;
      if (!isPackName(stored.file)) await assertStored(run, name, end, needs, stored);
      else if (end > (packs.get(name) ?? 0)) packs.set(name, end);
    }
  }
  for (const [name, end] of packs) await assertStored(run, name, end, needs);
  for (const owner of referred) if (keys.filesOf(owner) === undefined) throw missingKey(backupId, owner);
}

/** Which entries must be there, and what to do where they are not. */
export interface ReferenceNeeds {
  readonly isNeeded: (key: FileKey) => boolean;
  readonly advice: string;
}

const sealing: ReferenceNeeds = {
  isNeeded: () => true,
  advice: "Nothing was sealed. Run the backup again: what is missing will be read from the source.",
};

/** A pack has at least `sizeBytes` bytes, a file of its own exactly. */
async function assertStored(
  run: TaskRun,
  name: string,
  sizeBytes: number,
  { advice }: ReferenceNeeds,
  single?: StoredAt,
): Promise<void> {
  const found = await run.store.head(name);
  if (
    found !== undefined &&
    (single === undefined ? found.sizeBytes >= sizeBytes : found.sizeBytes === sizeBytes)
  )
    return;
  const what =
    found === undefined ? "is not there" : `has ${found.sizeBytes} bytes where ${sizeBytes} are needed`;
  throw new Failure(
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
