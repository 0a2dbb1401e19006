import { open } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../../core/failure.ts";
import { namedStoredFiles } from "../../core/repository/stored-files.ts";
import { backupPrefix } from "../../core/repository/layout.ts";
import type { BackupMetadata, DatabaseComponent, DatabaseInventory } from "../../core/repository/metadata.ts";
import type { RestoreEntry } from "../../core/restore/restore-entry.ts";
import type { SectionedEntry } from "../../core/restore/select-tables.ts";
import { parseToc, type ArchiveToc } from "../../databases/postgres/archive.ts";
import { coldFailure } from "../repository/check-references.ts";
import { openBackup } from "../repository/read-metadata.ts";
import { readSmallFile, readStoredFile, type StoredFilePlace } from "../streams/stored-file.ts";
import type { TaskRun } from "../task.ts";

/** The database part of a backup, opened for restoring. */
export interface DatabaseSource {
  readonly metadata: BackupMetadata;
  readonly component: DatabaseComponent;
  readonly place: StoredFilePlace;
  readonly inventory: DatabaseInventory;
  /** The head of the main archive, as a file: definitions only, no rows. */
  readonly tocFile: string;
  readonly toc: ArchiveToc;
  readonly entries: readonly RestoreEntry[];
  /** Roles without passwords, as SQL. */
  readonly rolesSql: string;
}

/** Opens metadata and keys; rejects as `readMetadata` does. */
export async function openPlace(
  run: TaskRun,
  backupId: string,
): Promise<{ metadata: BackupMetadata; place: StoredFilePlace }> {
  const { metadata, keys } = await openBackup(run, backupId);
  return {
    metadata,
    place: { store: run.store, projectId: run.context.projectId, backupId, key: keys.data },
  };
}

/**
 * Reads everything but the rows. Rejects with `nothing-to-restore` when the backup has none, and with the
 * integrity failures of what it reads.
 */
export async function openDatabaseSource(run: TaskRun, backupId: string): Promise<DatabaseSource> {
  const { metadata, place } = await openPlace(run, backupId);
  const component = metadata.components.database;
  if (component === undefined) {
    throw new Failure(
      "nothing-to-restore",
      `${backupId} holds no database. Restore its files with --type storage-only.`,
    );
  }
  const inventory = JSON.parse(
    (await readSmallFile(place, component.inventory)).toString(),
  ) as DatabaseInventory;
  const rolesSql = (await readSmallFile(place, component.roles)).toString();
  const tocFile = join(run.scratchDirectory, `${backupId}.toc`);
  const bytes = await copyToFile(readStoredFile(place, component.toc, { verifyChecksum: true }), tocFile);
  const toc = parseToc(bytes);
  return {
    metadata,
    component,
    place,
    inventory,
    rolesSql,
    tocFile,
    toc,
    entries: toc.entries.map(asRestoreEntry),
  };
}

/** Definitions only: some megabytes at most. */
async function copyToFile(chunks: AsyncIterable<Uint8Array>, path: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  const file = await open(path, "w", 0o600);
  try {
    for await (const chunk of chunks) {
      parts.push(Buffer.from(chunk));
      await file.write(chunk);
    }
  } finally {
    await file.close();
  }
  return Buffer.concat(parts);
}

const asRestoreEntry = (entry: ArchiveToc["entries"][number]): RestoreEntry => ({
  dumpId: entry.dumpId,
  kind: entry.desc,
  schema: entry.namespace,
  name: entry.tag,
  owner: entry.owner,
  definition: entry.defn,
  dependencies: entry.dependencies,
  tablespace: entry.tablespace,
});

/** The main archive's table of contents, with sections. */
export function sectionedEntries(source: DatabaseSource): SectionedEntry[] {
  return source.toc.entries.map((entry) => ({
    dumpId: entry.dumpId,
    kind: entry.desc,
    section: entry.section,
    schema: entry.namespace,
    name: entry.tag,
    definition: entry.defn,
    dependencies: entry.dependencies,
  }));
}

/** Everything the metadata names is there and has its size; names what is not. Opens no file. */
export async function requireWhole(run: TaskRun, metadata: BackupMetadata): Promise<void> {
  const prefix = backupPrefix(run.context.projectId, metadata.backupId);
  const wrong: string[] = [];
  for (const file of namedStoredFiles(metadata)) {
    const found = await run.store.head(prefix + file.name);
    if (found?.thaw !== undefined) throw coldFailure(run, prefix + file.name, found.thaw);
    if (found === undefined) wrong.push(`${file.name} is missing`);
    else if (found.sizeBytes !== file.sizeBytes) {
      wrong.push(`${file.name} has ${found.sizeBytes} bytes instead of ${file.sizeBytes}`);
    }
  }
  if (wrong.length === 0) return;
  throw new Failure(
    "backup-incomplete",
    `${metadata.backupId} is not whole: ${wrong.join("; ")}. Restore from another backup, or put the files back from a copy.`,
  );
}
