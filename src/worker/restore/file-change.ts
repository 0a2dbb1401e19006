import type { FileFilter } from "../../core/files/filter.ts";
import type { SourceEntry } from "../../core/ports/file-source.ts";
import type { FileKey, ManifestEntry } from "../../core/repository/manifest.ts";

/** What a restore does with one object of its target. */
export type FileChange =
  | { readonly do: "keep"; readonly key: FileKey; readonly wanted: ManifestEntry }
  /** Put the wanted object there; `found` is what it takes the place of (never a folder). */
  | {
      readonly do: "place";
      readonly key: FileKey;
      readonly wanted: ManifestEntry;
      readonly found?: SourceEntry;
    }
  /** The content is right, owner, mode or time are not; of a folder perhaps the time alone. */
  | {
      readonly do: "set-facts";
      readonly key: FileKey;
      readonly wanted: ManifestEntry;
      readonly found: SourceEntry;
      readonly isFolderTimeOnly: boolean;
    }
  /** A folder comes after everything in it. */
  | { readonly do: "remove"; readonly key: FileKey; readonly found: SourceEntry };

export interface ChangeOptions {
  readonly mode: "merge" | "mirror";
  /** False: only what is wanted is looked at, one by one; the rest of the target is never listed. */
  readonly listsTarget: boolean;
  /** Which keys are to be restored; all for a whole restore. */
  readonly isIncluded: (key: FileKey) => boolean;
  /** What of the target is looked at at all. */
  readonly filter: FileFilter;
  /** What the backup says something about: its own filters left the rest out, and a mirror leaves that alone. */
  readonly isCovered: (key: FileKey) => boolean;
  /** The target is the very place that was backed up, so versions mean the same there. */
  readonly isSource: boolean;
  readonly signal: AbortSignal;
  /** Told of bytes read from the target for comparison. */
  readonly onBytesCompared?: (bytes: number) => void;
  readonly onNote?: (message: string) => void;
}

/** The list of a target that is not listed. */
export async function* nothing(): AsyncGenerator<readonly SourceEntry[], void, undefined> {
  // There is nothing to yield.
}
