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

/**
 * Every entry of a backup's file manifest, in byte order of keys; none where it has no files. `texts`: as of
 * `manifestLines`.
 */
export async function* manifestEntries(
  run: TaskRun,
  metadata: BackupMetadata,
  keys: BackupKeys,
  texts?: readonly string[],
): AsyncGenerator<ManifestEntry, void, undefined> {
  const files = metadata.components.files;
  if (files === undefined) return;
  for await (const batch of manifestLines(run, metadata.backupId, files.manifest, keys, texts))
    for (const line of batch) yield line.entry;
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

/**
 * The same as lines that are not decoded yet. With `texts` (see `textsInMatches`) files are left out, many at a time and
 * unread, whose keys have none of them; those that come need not have one either, and folders always come.
 */
export async function* manifestLines(
  run: TaskRun,
  backupId: string,
  manifest: StoredFile,
  keys: BackupKeys,
  texts?: readonly string[],
): AsyncGenerator<readonly ManifestLine[], void, undefined> {
  const place = { store: run.store, projectId: run.context.projectId, backupId, key: keys.data };
  const needles =
    texts === undefined ? undefined : [...texts, ...alwaysWanted].map((text) => Buffer.from(text));
  const isWanted = needles && ((piece: Buffer) => needles.some((needle) => piece.includes(needle)));
  const source = readStoredFile(place, manifest);
  let previous: FileKey | undefined;
  for await (const batch of splitLines(source, `${manifest.name} of ${backupId}`, isWanted)) {
    const lines = batch.map((text) => new ManifestLine(text));
    for (const { key } of lines) {
      assertOrder(previous, key);
      previous = key;
    }
    yield lines;
  }
}

/** In the line of a folder, and of a key that is not written as it is. */
const alwaysWanted = ['/","kind":"', '{"keyHex":"'];

/** Cuts a stream of UTF-8 bytes into its lines, some of them at a time; those of which none is wanted are left out. */
export async function* splitLines(
  source: AsyncIterable<Buffer>,
  what: string,
  isWanted?: (lines: Buffer) => boolean,
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
      const lines = rest.length === 0 ? whole : Buffer.concat([rest, whole]);
      rest = Buffer.from(piece.subarray(end + 1));
      if (isWanted?.(lines) ?? true) yield lines.toString().split("\n");
    }
  }
  if (rest.length > 0) throw new Failure("manifest-damaged", `${what} ends inside a line.`);
}
