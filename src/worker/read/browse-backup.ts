import { compilePatterns, textsInMatches } from "../../core/files/filter.ts";
import { showKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import type { BackupMetadata, DatabaseInventory } from "../../core/repository/metadata.ts";
import type { BrowseBackupResult, BrowseItem, TaskOf } from "../../contract/worker-task.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { manifestEntries } from "./read-files.ts";
import { openBackup } from "../repository/read-metadata.ts";
import { readSmallFile } from "../streams/stored-file.ts";
import type { TaskRun } from "../task.ts";

/**
 * Streams what a backup holds as `item` messages: tables (as `schema.name`), what hooks left, then files in byte order
 * of their paths; with a pattern only those that match it. Reads inventory and manifest, no content.
 */
export async function browseBackup(task: TaskOf<"browse-backup">, run: TaskRun): Promise<BrowseBackupResult> {
  const { metadata, keys } = await openBackup(run, task.backupId);
  const matches = task.pattern === undefined ? () => true : compilePatterns([task.pattern]);
  const result = { tables: 0, files: 0, bytes: 0 };
  for (const table of await readTables(run, metadata, keys)) {
    if (!matches(`${table.schema}.${table.name}`)) continue;
    result.tables += 1;
    result.bytes += table.bytes ?? 0;
    report(run, table);
    await run.drained();
  }
  for (const { name, artifact } of metadata.components.hooks ?? []) {
    const path = `hooks/${name}/artifact.tar`;
    if (artifact === undefined || !matches(path)) continue;
    result.files += 1;
    result.bytes += artifact.plainBytes;
    report(run, { type: "file", path, size: artifact.plainBytes, modifiedAt: metadata.createdAt });
  }
  const texts = task.pattern === undefined ? undefined : textsInMatches([task.pattern]);
  for await (const entry of manifestEntries(run, metadata, keys, texts)) {
    run.signal.throwIfAborted();
    if (!matches(entry.key)) continue;
    result.files += 1;
    result.bytes += entry.sizeBytes;
    report(run, describeEntry(entry));
    await run.drained();
  }
  return result;
}

function report(run: TaskRun, item: BrowseItem): void {
  run.report({ type: "item", item });
}

async function readTables(
  run: TaskRun,
  metadata: BackupMetadata,
  keys: BackupKeys,
): Promise<Extract<BrowseItem, { type: "table" }>[]> {
  const { database } = metadata.components;
  if (database === undefined) return [];
  const place = {
    store: run.store,
    projectId: metadata.projectId,
    backupId: metadata.backupId,
    key: keys.data,
  };
  const inventory = JSON.parse(
    (await readSmallFile(place, database.inventory)).toString(),
  ) as DatabaseInventory;
  return inventory.tables.map(({ schema, name, rows, bytes }) => ({
    type: "table",
    schema,
    name,
    ...(rows === undefined ? {} : { rows }),
    ...(bytes === undefined ? {} : { bytes }),
  }));
}

function describeEntry(entry: ManifestEntry): BrowseItem {
  return {
    type: entry.kind,
    path: showKey(entry.key),
    size: entry.sizeBytes,
    modifiedAt: new Date(Number(BigInt(entry.mtimeNs) / 1_000_000n)).toISOString(),
    ...(entry.sha256 === undefined ? {} : { sha256: entry.sha256 }),
    ...(entry.vanished === undefined ? {} : { vanished: entry.vanished }),
  };
}
