import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { Failure } from "../../core/failure.ts";
import { formatVersion, keyringName, metadataName } from "../../core/repository/layout.ts";
import { canonicalJson, type BackupMetadata, type Signature } from "../../core/repository/metadata.ts";
import { openBackupKeys, type BackupKeys } from "../keys/backup-keys.ts";
import { readObject } from "../streams/read-object.ts";
import type { TaskRun } from "../task.ts";

/** The signature of a backup's metadata: HMAC-SHA256 with HKDF-SHA256(data key, info "lc2-metadata/1"). */
export function signMetadata(metadata: Omit<BackupMetadata, "signature">, dataKey: Uint8Array): Signature {
  const key = Buffer.from(hkdfSync("sha256", dataKey, new Uint8Array(), "lc2-metadata/1", 32));
  const value = createHmac("sha256", key).update(canonicalJson(metadata)).digest("hex");
  return { algorithm: "HMAC-SHA256", value };
}

/**
 * The metadata of a sealed backup, its signature checked with the backup's own data key.
 *
 * Rejects with `backup-not-found` when the backup was never sealed, `metadata-damaged` when it was changed,
 * `format-too-new`, and with what `openBackupKeys` rejects with.
 */
export async function readMetadata(
  run: TaskRun,
  backupId: string,
  keys?: BackupKeys,
): Promise<BackupMetadata> {
  const metadata = await readMetadataUnchecked(run, backupId);
  assertSigned(metadata, keys ?? (await openBackupKeys(run, backupId)));
  return metadata;
}

function assertSigned({ signature, ...signed }: BackupMetadata, keys: BackupKeys): void {
  const expected = Buffer.from(signMetadata(signed, keys.signing).value, "hex");
  const found = Buffer.from(signature?.value ?? "", "hex");
  if (found.length === expected.length && timingSafeEqual(found, expected)) return;
  throw new Failure(
    "metadata-damaged",
    `metadata.json of ${signed.backupId} was changed after it was written: its signature does not fit. Do not restore from it; use another backup or a copy.`,
  );
}

/**
 * A sealed backup's metadata, checked, and its keys. Says that a backup was never completed rather than that
 * its keyring is missing. Rejects as `readMetadata` does.
 */
export async function openBackup(
  run: TaskRun,
  backupId: string,
): Promise<{ metadata: BackupMetadata; keys: BackupKeys }> {
  const metadata = await readMetadataUnchecked(run, backupId);
  const keys = await openBackupKeys(run, backupId);
  assertSigned(metadata, keys);
  return { metadata, keys };
}

/** The metadata without a key: form, version and owner only. For lists, and where the key is not at hand. */
export async function readMetadataUnchecked(run: TaskRun, backupId: string): Promise<BackupMetadata> {
  const { projectId } = run.context;
  const name = metadataName(projectId, backupId);
  if ((await run.store.head(name)) === undefined) {
    throw new Failure("backup-not-found", await describeAbsence(run, projectId, backupId));
  }
  return parseMetadata((await readObject(run.store, name)).toString(), projectId, backupId);
}

function parseMetadata(text: string, projectId: string, backupId: string): BackupMetadata {
  let metadata: BackupMetadata;
  try {
    metadata = JSON.parse(text) as BackupMetadata;
  } catch (cause) {
    throw new Failure("metadata-damaged", `metadata.json of ${backupId} is not JSON.`, { cause });
  }
  if (metadata?.format !== "lc2-backup" || typeof metadata.components !== "object") {
    throw new Failure("metadata-damaged", `metadata.json of ${backupId} does not describe a backup.`);
  }
  if (metadata.formatVersion > formatVersion) {
    throw new Failure(
      "format-too-new",
      `${backupId} was written in format version ${metadata.formatVersion}; this lc2 knows up to ${formatVersion}. Use a newer lc2.`,
    );
  }
  if (metadata.projectId !== projectId || metadata.backupId !== backupId) {
    throw new Failure(
      "metadata-damaged",
      `metadata.json in the folder of ${projectId}/${backupId} belongs to ${metadata.projectId}/${metadata.backupId}.`,
    );
  }
  return metadata;
}

async function describeAbsence(run: TaskRun, projectId: string, backupId: string): Promise<string> {
  const place = `${run.store.url}, project ${projectId}`;
  if ((await run.store.head(keyringName(projectId, backupId))) !== undefined) {
    return `${backupId} in ${place} was started but never completed, so it is not a backup.`;
  }
  return `There is no ${backupId} in ${place}. \`lc2 backup list\` shows what there is.`;
}
