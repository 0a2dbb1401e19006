import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { formatBucketUrl, isBucketUrl, parseBucketUrl } from "../core/files/bucket-url.ts";
import { Failure } from "../core/failure.ts";

/**
 * The one spelling of a repository's place: `./backups`, `/srv/backups/` and `file:///srv/backups` become
 * `file:///srv/backups`; a bucket's URL loses what means nothing. Relative paths are of the current folder.
 * Rejects other schemes, and credentials.
 */
export function normalizeRepositoryUrl(place: string): string {
  if (place.trim() === "") throw new Failure("request-invalid", "The repository's place is empty.");
  if (isBucketUrl(place)) return normalizeBucketUrl(place);
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(place)?.[1]?.toLowerCase();
  if (scheme === undefined) return pathToFileURL(resolve(place)).href;
  if (scheme !== "file") {
    throw new Failure(
      "request-invalid",
      `Repositories at ${scheme}:// are not available in this version; use a folder (a path or file:///path) ` +
        "or a bucket (s3://bucket/prefix).",
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

/** The named repository, or the installation's own. */
export const repositoryAt = (
  { defaultRepository }: { readonly defaultRepository: string },
  place: string | undefined,
): string => (place === undefined ? defaultRepository : normalizeRepositoryUrl(place));

function normalizeBucketUrl(url: string): string {
  const parsed = parseBucketUrl(url);
  if ("problem" in parsed) throw new Failure(parsed.code, parsed.problem);
  const { place } = parsed;
  return formatBucketUrl(place.caFile === undefined ? place : { ...place, caFile: resolve(place.caFile) });
}
