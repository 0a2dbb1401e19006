import { evidenceName, hookEvidenceName } from "./layout.ts";
import type { BackupMetadata, StoredFile } from "./metadata.ts";

/** Every stored file that a backup's metadata names itself (the manifest names the packs). */
export function namedStoredFiles(metadata: BackupMetadata): StoredFile[] {
  const { database, files } = metadata.components;
  return [
    ...hookArtifacts(metadata),
    ...(database === undefined
      ? []
      : [...database.archives, database.toc, database.inventory, database.roles]),
    ...(files === undefined ? [] : [files.manifest]),
    ...(files?.skipped === undefined ? [] : [files.skipped]),
  ];
}

/** What hooks left in the backup. */
export const hookArtifacts = ({ components }: BackupMetadata) =>
  (components.hooks ?? []).flatMap(({ artifact }) => (artifact === undefined ? [] : [artifact]));

/** Backups, other than itself, whose stored bytes this backup needs. */
export function referencedBackups(metadata: BackupMetadata): readonly string[] {
  return metadata.components.files?.references ?? [];
}

/** Names, relative to the backup, that belong to every sealed backup besides its stored files. */
export function accompanyingNames(metadata: BackupMetadata): string[] {
  return [
    "metadata.json",
    "keyring.json",
    evidenceName(metadata.attempt, "database"),
    evidenceName(metadata.attempt, "files"),
    ...(metadata.components.hooks ?? []).map(({ name }) => hookEvidenceName(metadata.attempt, name)),
  ];
}
