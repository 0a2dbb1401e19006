import { Failure } from "../../core/failure.ts";
import { associatedData, backupPrefix } from "../../core/repository/layout.ts";
import {
  assertOrder,
  decodeEntry,
  type FileKey,
  type ManifestEntry,
} from "../../core/repository/manifest.ts";
import { splitLines } from "../read/read-manifest.ts";
import { openStream } from "../streams/stream-encryption.ts";
import { LineWriter } from "../streams/line-writer.ts";
import type { StoredFilePlace } from "../streams/stored-file.ts";
import { decompressFrame, FrameSplitter } from "../streams/zstd-frames.ts";

/**
 * What an attempt has stored so far, so that the next one finds it again: after each pack one part, a
 * stored file `a{n}/files/journal-000001`, … under the data key in either mode, with the entries whose bytes are safe since
 * the part before. Parts are in order of keys, one after the other. A first line says of which source.
 */
interface JournalHeader {
  readonly format: "lc2-files-journal";
  readonly source: string;
}

export const journalPartName = (filesFolder: string, part: number): string =>
  `${filesFolder}journal-${String(part).padStart(6, "0")}`;

const isJournalPart = (name: string): boolean => /\/files\/journal-\d{6,}$/.test(name);

/** `lines`: those of the manifest. */
export async function writeJournalPart(
  place: StoredFilePlace,
  name: string,
  source: string,
  lines: readonly string[],
): Promise<void> {
  const header: JournalHeader = { format: "lc2-files-journal", source };
  const writer = await LineWriter.create(place, name);
  try {
    await writer.add(JSON.stringify(header));
    for (const line of lines) await writer.add(line);
    await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** Names, relative to the backup, of an attempt's journal parts, in order. */
export async function listJournalParts(place: StoredFilePlace, filesFolder: string): Promise<string[]> {
  const prefix = backupPrefix(place.projectId, place.backupId);
  const names: string[] = [];
  for await (const object of place.store.list(`${prefix}${filesFolder}journal-`)) {
    if (isJournalPart(object.name)) names.push(object.name.slice(prefix.length));
  }
  return names;
}

/** The source that an attempt's journal speaks of. */
export async function readJournalSource(place: StoredFilePlace, name: string): Promise<string> {
  for await (const lines of readUnlistedLines(place, name)) return parseHeader(lines[0], name).source;
  throw new Failure("data-damaged", `${name} of ${place.backupId} is empty.`);
}

/** The entries of all parts, in order of keys. */
export async function* readJournal(
  place: StoredFilePlace,
  names: readonly string[],
): AsyncGenerator<readonly ManifestEntry[], void, undefined> {
  let previous: FileKey | undefined;
  for (const name of names) {
    let isFirst = true;
    for await (const lines of readUnlistedLines(place, name)) {
      if (isFirst) parseHeader(lines[0], name);
      const entries = (isFirst ? lines.slice(1) : lines).map(decodeEntry);
      isFirst = false;
      for (const entry of entries) {
        assertOrder(previous, entry.key);
        previous = entry.key;
      }
      yield entries;
    }
  }
}

function parseHeader(line: string | undefined, name: string): JournalHeader {
  const header = JSON.parse(line ?? "null") as JournalHeader | null;
  if (header?.format === "lc2-files-journal") return header;
  throw new Failure("data-damaged", `${name} does not begin as a journal of files does.`);
}

/** Lines of a stored file whose length and hash nobody wrote down: its last segment says that it is whole. */
export async function* readUnlistedLines(
  place: StoredFilePlace,
  name: string,
): AsyncGenerator<string[], void, undefined> {
  const what = `${name} of ${place.backupId}`;
  const stored = place.store.read(backupPrefix(place.projectId, place.backupId) + name);
  const data = associatedData(place.projectId, place.backupId, name);
  yield* splitLines(decompress(openStream(place.key, data, stored, what), what), what);
}

async function* decompress(
  source: AsyncIterable<Buffer>,
  what: string,
): AsyncGenerator<Buffer, void, undefined> {
  const splitter = new FrameSplitter(what);
  for await (const bytes of source) {
    for (const frame of splitter.push(bytes)) yield await decompressFrame(frame, what);
  }
  splitter.finish();
}
