import type { ManifestEntry } from "../repository/manifest.ts";

/** Whether a bucket can hold the entry: files, and the markers that came from one. */
export function isHeld(entry: Pick<ManifestEntry, "kind" | "object">): boolean {
  return entry.kind === "file" || (entry.kind === "directory" && entry.object !== undefined);
}
