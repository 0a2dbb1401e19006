import { isBucketUrl, keyOfPlaceIn, parseBucketUrl } from "../../core/files/bucket-url.ts";
import { Failure } from "../../core/failure.ts";
import { SourceError, type FileSource, type SourceContent } from "../../core/ports/file-source.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import { repositoryFile, type RepositoryDescription } from "../../core/repository/layout.ts";
import { encodeKey } from "../../core/repository/manifest.ts";
import { canonicalFolderUrl } from "../../stores/filesystem/folder-source.ts";
import { openRepository } from "../repository/repository.ts";
import type { TaskRun } from "../task.ts";

/** What files are read from or restored to. */
export type FilesPlace = Pick<FileSource | FileTarget, "url" | "open">;

/**
 * The repository's path below a folder or bucket of files, as a pattern that matches it and nothing else; undefined
 * when it is elsewhere. A repository in a source would be backed up into itself, and a mirroring restore would remove
 * it. Rejects with `request-invalid` where it lies in a bucket so that it cannot be left out.
 *
 * One place has many names (an alias of its host, a proxy, a mount, a folder that a server shows as a bucket), so
 * URLs alone do not tell: the repository's own description is looked for through the files' connection, wherever
 * its URL lets it be expected. At most a few requests.
 */
export async function repositoryInside(files: FilesPlace, run: TaskRun): Promise<string | undefined> {
  const { repository } = run.context;
  const key = isBucketUrl(files.url)
    ? keyInBucket(files.url, repository)
    : keyInFolder(files.url, repository);
  const found = key ?? (await findById(files, run));
  if (found === undefined) return undefined;
  // The objects of both would stand side by side, and no pattern names such a path.
  if (found.split("/").slice(0, -1).some(isOddName) || found === "") throw inseparable(files.url, repository);
  return `/${found.slice(0, -1).replaceAll(/[\\*?]/g, "\\$&")}`;
}

/** As `keyOfPlaceIn`. */
function keyInFolder(folderUrl: string, repository: string): string | undefined {
  if (!repository.startsWith("file:") || !folderUrl.startsWith("file:")) return undefined;
  const folder = canonicalFolderUrl(folderUrl);
  const prefix = folder.endsWith("/") ? folder : `${folder}/`;
  const url = canonicalFolderUrl(repository);
  return url.startsWith(prefix) ? `${decodeURIComponent(url.slice(prefix.length))}/` : undefined;
}

function keyInBucket(bucketUrl: string, repository: string): string | undefined {
  const [files, store] = [parseBucketUrl(bucketUrl), parseBucketUrl(repository)];
  return "place" in files && "place" in store ? keyOfPlaceIn(files.place, store.place) : undefined;
}

async function findById(files: FilesPlace, run: TaskRun): Promise<string | undefined> {
  const id = await idOf(run);
  if (id === undefined) return undefined;
  const keys = expectedKeys(files.url, run.context.repository);
  const found = await Promise.all(keys.map((key) => readId(files, key + repositoryFile)));
  return keys.find((_, index) => found[index] === id);
}

/** Undefined where the repository is still to be made. */
async function idOf(run: TaskRun): Promise<string | undefined> {
  try {
    return (await openRepository(run)).id;
  } catch (error) {
    const isMissing =
      error instanceof Failure && ["repository-not-found", "bucket-not-found"].includes(error.code);
    if (isMissing) return undefined;
    throw error;
  }
}

/** Every end of the repository's path, the longest first: where the files begin, on the way to it, is not known. */
function expectedKeys(filesUrl: string, repository: string): string[] {
  const names = pathOf(repository).replace(/^\/+/, "").split("/").slice(0, -1);
  const keys = [...names.keys()].map((index) => `${names.slice(index).join("/")}/`);
  // No folder holds a name of this kind.
  const isPossible = (key: string) => isBucketUrl(filesUrl) || !key.split("/").slice(0, -1).some(isOddName);
  return [...keys.filter(isPossible), ""];
}

/** With its slash; empty where the URL is of another kind, or names what no text says. */
function pathOf(repository: string): string {
  const parsed = parseBucketUrl(repository);
  if ("place" in parsed) return `${parsed.place.bucket}/${parsed.place.prefix}`;
  try {
    return repository.startsWith("file:") ? `${decodeURIComponent(new URL(repository).pathname)}/` : "";
  } catch {
    return "";
  }
}

/** The id that a repository's description states; undefined where there is none that can be read. */
async function readId(files: FilesPlace, key: string): Promise<unknown> {
  let content: SourceContent;
  try {
    content = await files.open(encodeKey(key));
  } catch (error) {
    const isMissing =
      error instanceof SourceError || (error instanceof Failure && error.code === "bucket-not-found");
    if (isMissing) return undefined;
    throw error;
  }
  try {
    return (JSON.parse(await readText(content)) as Partial<RepositoryDescription> | null)?.id;
  } catch (error) {
    if (error instanceof SourceError || error instanceof SyntaxError) return undefined;
    throw error;
  } finally {
    await content.close();
  }
}

/** A description is shorter by far. */
const longestDescriptionBytes = 64 << 10;

async function readText(content: SourceContent): Promise<string> {
  const buffer = Buffer.alloc(longestDescriptionBytes);
  let length = 0;
  for (;;) {
    const read = await content.read(buffer.subarray(length));
    if (read === 0) return buffer.toString("utf8", 0, length);
    length += read;
  }
}

const isOddName = (name: string): boolean => ["", ".", ".."].includes(name);

function inseparable(filesUrl: string, repository: string): Failure {
  return new Failure(
    "request-invalid",
    `The repository ${repository} and the files in ${filesUrl} cannot be told apart. Give the repository a prefix ` +
      "of its own, or another bucket.",
  );
}
