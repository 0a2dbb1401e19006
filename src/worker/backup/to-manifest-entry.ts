import type { SourceEntry } from "../../core/ports/file-source.ts";
import type { CopyProof, ManifestEntry, StoredAt } from "../../core/repository/manifest.ts";

/** The line of the manifest for an object of the source, with its content. */
export function toManifestEntry(entry: SourceEntry, content: EntryContent): ManifestEntry {
  const { key, kind, sizeBytes, mtimeNs, mode } = entry;
  const made: Writable<ManifestEntry> = {
    key,
    kind: kind as ManifestEntry["kind"],
    sizeBytes,
    mtimeNs,
    mode,
  };
  if (entry.uid !== undefined) made.uid = entry.uid;
  if (entry.gid !== undefined) made.gid = entry.gid;
  if (entry.version !== undefined) made.version = entry.version;
  if (entry.object !== undefined) made.object = entry.object;
  if (content.sha256 !== undefined) made.sha256 = content.sha256;
  if (content.proof !== undefined) made.proof = content.proof;
  if (entry.target !== undefined) made.target = entry.target;
  if (content.stored !== undefined) made.stored = content.stored;
  return made;
}

export interface EntryContent {
  readonly sha256?: string | undefined;
  readonly proof?: CopyProof | undefined;
  readonly stored?: StoredAt;
}

/** Built member by member, which for hundreds of thousands of entries is faster than spreading. */
type Writable<T> = { -readonly [K in keyof T]: T[K] };
