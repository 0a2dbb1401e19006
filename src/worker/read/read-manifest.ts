import { Failure } from "../../core/failure.ts";
import {
  assertOrder,
  decodeEntry,
  type FileKey,
  type ManifestEntry,
} from "../../core/repository/manifest.ts";
import { ManifestLine } from "../../core/repository/manifest-line.ts";
import type { BackupMetadata, StoredFile } from "../../core/repository/metadata.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { readStoredFile } from "../streams/stored-file.ts";
import type { TaskRun } from "../task.ts";

/** A line is some hundred bytes; keys have at most a few KiB. */
const longestLineBytes = 1 << 20;
const batchEntries = 256;

/** Every entry of a backup's file manifest, in byte order of keys; none where it has no files. */
export async function* manifestEntries(
  run: TaskRun,
  metadata: BackupMetadata,
  keys: BackupKeys,
): AsyncGenerator<ManifestEntry, void, undefined> {
  const files = metadata.components.files;
  if (files === undefined) return;
  for await (const batch of manifestBatches(run, metadata.backupId, files.manifest, keys)) yield* batch;
}

/**
 * The same in batches of some hundred, which costs less per entry. Rejects with `manifest-damaged` when a
 * line is not in its form or out of order, and as `readStoredFile` does.
 */
export async function* manifestBatches(
  run: TaskRun,
  backupId: string,
  manifest: StoredFile,
  keys: BackupKeys,
): AsyncGenerator<readonly ManifestEntry[], void, undefined> {
  const place = { store: run.store, projectId: run.context.projectId, backupId, key: keys.data };
  let previous: FileKey | undefined;
  for await (const lines of splitLines(readStoredFile(place, manifest), `${manifest.name} of ${backupId}`)) {
    // Not all of a frame at once: entries that live shortly cost the garbage collector next to nothing.
    for (let from = 0; from < lines.length; from += batchEntries) {
      const entries = lines.slice(from, from + batchEntries).map(decodeEntry);
      for (const entry of entries) {
        assertOrder(previous, entry.key);
        previous = entry.key;
      }
      yield entries;
    }
  }
}

/** The same as lines that are not decoded yet. */
export async function* manifestLines(
  run: TaskRun,
  backupId: string,
  manifest: StoredFile,
  keys: BackupKeys,
): AsyncGenerator<readonly ManifestLine[], void, undefined> {
  const place = { store: run.store, projectId: run.context.projectId, backupId, key: keys.data };
  let previous: FileKey | undefined;
  for await (const texts of splitLines(readStoredFile(place, manifest), `${manifest.name} of ${backupId}`)) {
    for (let from = 0; from < texts.length; from += batchEntries) {
      const lines = texts.slice(from, from + batchEntries).map((text) => new ManifestLine(text));
      for (const { key } of lines) {
        assertOrder(previous, key);
        previous = key;
      }
      yield lines;
    }
  }
}

/** Cuts a stream of UTF-8 bytes into its lines, those of each chunk together. */
export async function* splitLines(
  source: AsyncIterable<Buffer>,
  what: string,
): AsyncGenerator<string[], void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    const end = chunk.lastIndexOf(10);
    if (end < 0) {
      rest = Buffer.concat([rest, chunk]);
      if (rest.length > longestLineBytes)
        throw new Failure("manifest-damaged", `${what} has a line that never ends.`);
      continue;
    }
    const whole = chunk.subarray(0, end);
    const text = rest.length === 0 ? whole.toString("utf8") : Buffer.concat([rest, whole]).toString("utf8");
    rest = Buffer.from(chunk.subarray(end + 1));
    yield text.split("\n");
  }
  if (rest.length > 0) throw new Failure("manifest-damaged", `${what} ends inside a line.`);
}
