import { isBucketUrl, keyOfPlaceIn, parseBucketUrl } from "../../core/files/bucket-url.ts";
import { Failure } from "../../core/failure.ts";
import { canonicalFolderUrl } from "../../stores/filesystem/folder-source.ts";
import type { TaskRun } from "../task.ts";

/**
 * The repository's path below a folder or bucket of files, as a pattern that matches it and nothing else; undefined
 * when it is elsewhere. A repository in a source would be backed up into itself, and a mirroring restore would remove
 * it. Throws `request-invalid` where it lies in a bucket so that it cannot be left out.
 */
export function repositoryInside(filesUrl: string, run: TaskRun): string | undefined {
  const { repository } = run.context;
  const path = isBucketUrl(filesUrl)
    ? pathInBucket(filesUrl, repository)
    : pathInFolder(filesUrl, repository);
  return path === undefined ? undefined : `/${path.replaceAll(/[\\*?]/g, "\\$&")}`;
}

function pathInFolder(folderUrl: string, repository: string): string | undefined {
  if (!repository.startsWith("file:") || !folderUrl.startsWith("file:")) return undefined;
  const folder = canonicalFolderUrl(folderUrl);
  const prefix = folder.endsWith("/") ? folder : `${folder}/`;
  const url = canonicalFolderUrl(repository);
  return url.startsWith(prefix) ? decodeURIComponent(url.slice(prefix.length)) : undefined;
}

function pathInBucket(bucketUrl: string, repository: string): string | undefined {
  const [files, store] = [parseBucketUrl(bucketUrl), parseBucketUrl(repository)];
  if (!("place" in files && "place" in store)) return undefined;
  const key = keyOfPlaceIn(files.place, store.place);
  if (key === undefined) return undefined;
  // The objects of both would stand side by side, and no pattern names such a path.
  if (
    key === "" ||
    key
      .split("/")
      .slice(0, -1)
      .some((name) => ["", ".", ".."].includes(name))
  ) {
    throw new Failure(
      "request-invalid",
      `The repository ${repository} and the files in ${bucketUrl} cannot be told apart. Give the repository a prefix ` +
        "of its own, or another bucket.",
    );
  }
  return key.slice(0, -1);
}
