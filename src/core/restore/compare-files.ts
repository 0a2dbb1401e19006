import type { SourceEntry } from "../ports/file-source.ts";
import type { ManifestEntry } from "../repository/manifest.ts";

/** How an object of the target relates to the one of the backup. */
export type Comparison =
  /** Nothing to do. */
  | "same"
  /** The content is the same; owner, mode or time are not. */
  | "facts-differ"
  /** A folder's time, which changes with everything in it: set, but not worth counting. */
  | "time-differs"
  /** The content may be the same: only its hash can say. */
  | "look-inside"
  | "different";

/** Times are restored to the microsecond. */
const toleranceNs = 1000n;

export interface ComparisonOptions {
  /** Owners can be set, so they are compared. */
  readonly owners: boolean;
}

/**
 * Compares without reading. A file of the same size and time counts as the same only when its version (inode
 * change time) is the very one that was backed up; otherwise its content has to be looked at.
 */
export function compareWithTarget(
  wanted: ManifestEntry,
  found: SourceEntry,
  options: ComparisonOptions,
): Comparison {
  if (wanted.kind !== found.kind) return "different";
  if (wanted.kind === "symlink") return wanted.target === found.target ? "same" : "different";
  if (wanted.kind === "directory") return compareFacts(wanted, found, options);
  if (wanted.sizeBytes !== found.sizeBytes) return "different";
  const isUntouched =
    wanted.version !== undefined && wanted.version === found.version && wanted.mtimeNs === found.mtimeNs;
  return isUntouched ? "same" : "look-inside";
}

/** For a folder, and for a file whose content turned out to be the same. */
export function compareFacts(
  wanted: ManifestEntry,
  found: SourceEntry,
  options: ComparisonOptions,
): Comparison {
  if (!haveSameRights(wanted, found, options)) return "facts-differ";
  if (haveSameTime(wanted, found)) return "same";
  return wanted.kind === "directory" ? "time-differs" : "facts-differ";
}

export function haveSameTime(a: { readonly mtimeNs: string }, b: { readonly mtimeNs: string }): boolean {
  if (a.mtimeNs === b.mtimeNs) return true;
  const difference = BigInt(a.mtimeNs) - BigInt(b.mtimeNs);
  return difference < toleranceNs && difference > -toleranceNs;
}

function haveSameRights(wanted: ManifestEntry, found: SourceEntry, { owners }: ComparisonOptions): boolean {
  if (wanted.mode !== found.mode) return false;
  if (!owners || wanted.uid === undefined || wanted.gid === undefined) return true;
  return wanted.uid === found.uid && wanted.gid === found.gid;
}
