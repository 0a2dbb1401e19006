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
/** Some dozens of lines: what lives shortly costs the garbage collector next to nothing. */
const batchBytes = 20 << 10;
const newline = 10;

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
    const entries = lines.map(decodeEntry);
    for (const { key } of entries) {
      assertOrder(previous, key);
      previous = key;
    }
    yield entries;
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
    const lines = texts.map((text) => new ManifestLine(text));
    for (const { key } of lines) {
      assertOrder(previous, key);
      previous = key;
    }
    yield lines;
  }
}

/** Cuts a stream of UTF-8 bytes into its lines, some of them at a time. */
export async function* splitLines(
  source: AsyncIterable<Buffer>,
  what: string,
): AsyncGenerator<string[], void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    for (let from = 0; from < chunk.length; from += batchBytes) {
      const piece = chunk.subarray(from, from + batchBytes);
      const end = piece.lastIndexOf(newline);
      if (end < 0) {
        rest = Buffer.concat([rest, piece]);
        if (rest.length > longestLineBytes)
          throw new Failure("manifest-damaged", `${what} has a line that never ends.`);
        continue;
      }
      const whole = piece.subarray(0, end);
      const text = rest.length === 0 ? whole.toString() : Buffer.concat([rest, whole]).toString();
      rest = Buffer.from(piece.subarray(end + 1));
      yield text.split("\n");
    }
  }
  if (rest.length > 0) throw new Failure("manifest-damaged", `${what} ends inside a line.`);
}
