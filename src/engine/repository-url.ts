import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Failure } from "../core/failure.ts";

/**
 * The one spelling of a repository's place: `./backups`, `/srv/backups/` and `file:///srv/backups` become
 * `file:///srv/backups`. Relative paths are of the current folder. Rejects other schemes.
 */
export function normalizeRepositoryUrl(place: string): string {
  if (place.trim() === "") throw new Failure("request-invalid", "The repository's place is empty.");
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(place)?.[1]?.toLowerCase();
  if (scheme === undefined) return pathToFileURL(resolve(place)).href;
  if (scheme !== "file") {
    throw new Failure(
      "request-invalid",
      `Repositories at ${scheme}:// are not available in this version; use a folder (a path or file:///path).`,
    );
  }
  try {
    return pathToFileURL(resolve(fileURLToPath(place))).href;
  } catch (cause) {
    throw new Failure("request-invalid", `"${place}" names no folder of this machine; use file:///path.`, {
      cause,
    });
  }
}
