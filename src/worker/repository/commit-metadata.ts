import { Failure } from "../../core/failure.ts";
import { backupPrefix, metadataName } from "../../core/repository/layout.ts";
import type { BackupMetadata } from "../../core/repository/metadata.ts";
import { namedStoredFiles } from "../../core/repository/stored-files.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import type { TaskRun } from "../task.ts";
import { checkReferences } from "./check-references.ts";

/** A process that stood still between its checks and the commit may have missed a sweep. */
const longestCommitMs = 60_000;

/**
 * Makes a backup exist: asks the store for every file it needs, then creates its `metadata.json` of these bytes
 * if there is none. False when there was one already. Rejects with `backup-incomplete`, and with the signal's
 * reason; then nothing became visible. To be called under the repository's shared lease.
 */
export async function commitMetadata(
  run: TaskRun,
  metadata: BackupMetadata,
  bytes: Uint8Array,
  keys: BackupKeys,
): Promise<boolean> {
  await assertWhole(run, metadata, keys);
  const checkedAtMs = performance.now();
  // An attempt that lost its lease while it looked must not commit.
  run.signal.throwIfAborted();
  const name = metadataName(metadata.projectId, metadata.backupId);
  const isOurs = await run.store.createIfAbsent(name, bytes);
  if (isOurs && performance.now() - checkedAtMs > longestCommitMs) {
    await assertWhole(run, metadata, keys).catch(async (error: unknown) => {
      await run.store.delete(name);
      throw error;
    });
  }
  return isOurs;
}

/** Asks the store for every file that the backup needs. Rejects with `backup-incomplete`. */
export async function assertWhole(run: TaskRun, metadata: BackupMetadata, keys: BackupKeys): Promise<void> {
  const { backupId, components } = metadata;
  for (const file of namedStoredFiles(metadata)) await assertStored(run, backupId, file.name, file.sizeBytes);
  if (components.files !== undefined) await checkReferences(run, backupId, components.files, keys);
}

async function assertStored(
  run: TaskRun,
  backupId: string,
  relative: string,
  sizeBytes: number,
): Promise<void> {
  const object = await run.store.head(backupPrefix(run.context.projectId, backupId) + relative);
  if (object?.sizeBytes === sizeBytes) return;
  const found = object === undefined ? "is not there" : `has ${object.sizeBytes} bytes`;
  throw new Failure(
    "backup-incomplete",
    `${relative} of ${backupId} was written with ${sizeBytes} bytes, but ${run.store.url} says that it ${found}. The store lost data; nothing was sealed.`,
  );
}
