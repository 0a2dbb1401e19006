import { Failure } from "../../core/failure.ts";
import type { EncryptionMode } from "../../core/repository/encryption.ts";
import { attemptName, backupPrefix, undoPrefix } from "../../core/repository/layout.ts";
import {
  decodeEntry,
  encodeEntry,
  type FileKey,
  type ManifestEntry,
} from "../../core/repository/manifest.ts";
import { relocateStore } from "../../stores/relocated-store.ts";
import { createBackupKeys, openBackupKeys, type BackupKeys } from "../keys/backup-keys.ts";
import { readUnlistedLines } from "../backup/files-journal.ts";
import { createStoredFile, type StoredFilePlace } from "../streams/stored-file.ts";
import type { TaskRun } from "../task.ts";

/**
 * What a restore did to its target, so that it can be taken back: `undo/{project}/{restore}/` is laid out as a
 * backup's folder, with a keyring of its own (so that an undo outlives the backup), packs with what was
 * overwritten or removed, and journal parts `a{n}/undo-000001`, …, where n counts the runs of the restore.
 *
 * A part is durable before the first of its changes is made. So after a kill the journal says of every object
 * that may have been touched how it was.
 */
export interface UndoRecord {
  readonly key: FileKey;
  /** What was there: files with content as an entry that says where it is kept. Undefined: nothing. */
  readonly before: ManifestEntry | undefined;
  /** What the restore makes of it. Undefined: nothing. */
  readonly after: ManifestEntry | undefined;
  /** Only owner, mode or time change; `before` has no content. */
  readonly factsOnly: boolean;
}

export interface UndoPlace {
  /** A run that sees the restore's undo folder as the folder of a backup whose id is the restore's. */
  readonly run: TaskRun;
  readonly restoreId: string;
  readonly keys: BackupKeys;
}

function undoRun(run: TaskRun, restoreId: string): TaskRun {
  const { projectId } = run.context;
  const store = relocateStore(
    run.store,
    backupPrefix(projectId, restoreId),
    undoPrefix(projectId, restoreId),
  );
  return { ...run, store };
}

/**
 * Opens a restore's undo folder, made where there is none yet. What is kept there is encrypted by whom the backup is
 * that is restored.
 */
export async function createUndoPlace(
  run: TaskRun,
  restoreId: string,
  encryption: EncryptionMode,
): Promise<UndoPlace> {
  const inside = undoRun(run, restoreId);
  const { keys } = await createBackupKeys(inside, restoreId, encryption);
  return { run: inside, restoreId, keys };
}

/** The same where there is one; undefined when the restore never touched a file. */
export async function openUndoPlace(run: TaskRun, restoreId: string): Promise<UndoPlace | undefined> {
  const inside = undoRun(run, restoreId);
  const prefix = backupPrefix(run.context.projectId, restoreId);
  if ((await inside.store.head(`${prefix}keyring.json`)) === undefined) return undefined;
  return { run: inside, restoreId, keys: await openBackupKeys(inside, restoreId) };
}

const partPattern = /^(a\d+)\/undo-\d{6,}$/;

/** Names of all parts in the order they were written. */
export async function listUndoParts({ run, restoreId }: UndoPlace): Promise<string[]> {
  const prefix = backupPrefix(run.context.projectId, restoreId);
  const names: string[] = [];
  for await (const object of run.store.list(prefix)) {
    const name = object.name.slice(prefix.length);
    if (partPattern.test(name)) names.push(name);
  }
  const runOf = (name: string) => Number(name.slice(1, name.indexOf("/")));
  return names.sort((a, b) => runOf(a) - runOf(b) || (a < b ? -1 : 1));
}

/** Number of the next run of the restore: one more than any that left something. */
export async function nextUndoRun({ run, restoreId }: UndoPlace): Promise<number> {
  let last = 0;
  for await (const folder of run.store.listFolders(backupPrefix(run.context.projectId, restoreId))) {
    last = Math.max(last, Number(/^a(\d+)$/.exec(folder)?.[1] ?? 0));
  }
  return last + 1;
}

const placeOf = ({ run, restoreId, keys }: UndoPlace): StoredFilePlace => ({
  store: run.store,
  projectId: run.context.projectId,
  backupId: restoreId,
  key: keys.journal,
});

export async function writeUndoPart(
  place: UndoPlace,
  runNumber: number,
  part: number,
  records: readonly UndoRecord[],
): Promise<void> {
  const name = `${attemptName(runNumber)}/undo-${String(part).padStart(6, "0")}`;
  const writer = await createStoredFile(placeOf(place), name);
  try {
    await writer.write(Buffer.from(records.map((record) => `${encodeRecord(record)}\n`).join("")));
    await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** A part's records in the order of their changes; some thousand. */
export async function readUndoPart(place: UndoPlace, name: string): Promise<UndoRecord[]> {
  const records: UndoRecord[] = [];
  for await (const lines of readUnlistedLines(placeOf(place), name)) records.push(...lines.map(decodeRecord));
  return records;
}

/** What a restore that made these changes may have left half written, and the undo of it. */
export function writtenFiles(records: readonly UndoRecord[]): { key: FileKey; sizeBytes: number }[] {
  return records.map(({ key, before, after }) => ({
    key,
    sizeBytes: Math.max(before?.sizeBytes ?? 0, after?.sizeBytes ?? 0),
  }));
}

/** Stands for a content that is kept nowhere: entries must have the form of the manifest. */
const nowhere = { file: "a0/files/none", offset: 0, length: 0, codec: "none" as const };

function encodeRecord({ before, after, factsOnly }: UndoRecord): string {
  const side = (entry: ManifestEntry | undefined) =>
    entry === undefined ? "null" : encodeEntry(withPlace(entry));
  return `{"before":${side(before)},"after":${side(after)},"factsOnly":${factsOnly}}`;
}

function withPlace(entry: ManifestEntry): ManifestEntry {
  if (entry.kind !== "file") return entry;
  const isPlaced = (entry.stored !== undefined) === entry.sizeBytes > 0;
  if (isPlaced && entry.sha256 !== undefined) return entry;
  const sha256 = entry.sha256 ?? "0".repeat(64);
  if (entry.sizeBytes === 0) {
    const { stored: _none, ...rest } = entry;
    return { ...rest, sha256 };
  }
  return { ...entry, sha256, stored: entry.stored ?? nowhere };
}

function decodeRecord(line: string): UndoRecord {
  const value = JSON.parse(line) as { before: unknown; after: unknown; factsOnly: boolean };
  const side = (entry: unknown) => (entry === null ? undefined : decodeEntry(JSON.stringify(entry)));
  const before = side(value.before);
  const after = side(value.after);
  const key = before?.key ?? after?.key;
  if (key === undefined)
    throw new Failure("manifest-damaged", "A record of what a restore did says nothing.");
  return { key, before, after, factsOnly: value.factsOnly };
}
