import { isPackName, type ManifestEntry, type StoredAt } from "../../core/repository/manifest.ts";
import type { ManifestLine } from "../../core/repository/manifest-line.ts";

export type StoredEntry = ManifestEntry & { readonly stored: StoredAt };

/** One stored file that a manifest refers to, with the entries whose content is in it. */
export interface StoredPiece {
  /** The backup in whose folder it is. */
  readonly owner: string;
  /** Relative to that backup. */
  readonly file: string;
  readonly entries: readonly StoredEntry[];
}

/** Entries held at once, over all packs; more than the members of a pack. */
const heldEntries = 40_000;

/**
 * The stored files that the lines of a manifest refer to. A pack comes once, with all its entries, because a
 * manifest and the packs of each attempt are in order of keys. Where they are not, or where more packs are begun
 * than fit in memory, a pack comes again with the rest of its entries. Memory: one pack's entries an attempt.
 */
export async function* storedPieces(
  lines: AsyncIterable<readonly ManifestLine[]>,
  backupId: string,
): AsyncGenerator<StoredPiece, void, undefined> {
  /** By owner and attempt: the pack that is being collected. */
  const open = new Map<string, { owner: string; file: string; entries: StoredEntry[] }>();
  let held = 0;
  for await (const batch of lines) {
    for (const { entry } of batch) {
      if (!hasStored(entry)) continue;
      const { file, backup: owner = backupId } = entry.stored;
      if (!isPackName(file)) {
        yield { owner, file, entries: [entry] };
        continue;
      }
      const attempt = `${owner}/${file.slice(0, file.indexOf("/"))}`;
      const current = open.get(attempt);
      if (current?.file === file) {
        current.entries.push(entry);
      } else {
        open.set(attempt, { owner, file, entries: [entry] });
        held -= current?.entries.length ?? 0;
        if (current !== undefined) yield current;
      }
      held += 1;
      if (held < heldEntries) continue;
      yield* open.values();
      open.clear();
      held = 0;
    }
  }
  yield* open.values();
}

const hasStored = (entry: ManifestEntry): entry is StoredEntry => entry.stored !== undefined;
