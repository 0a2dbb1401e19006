import { canonicalFolderUrl } from "../../stores/filesystem/folder-source.ts";
import type { TaskRun } from "../task.ts";

/**
 * The repository's path below a folder of files, as a pattern that matches it and nothing else; undefined when it
 * is elsewhere. A repository in a source would be backed up into itself, and a mirroring restore would remove it.
 */
export function repositoryInside(folderUrl: string, run: TaskRun): string | undefined {
  const { repository } = run.context;
  if (!repository.startsWith("file:") || !folderUrl.startsWith("file:")) return undefined;
  const folder = canonicalFolderUrl(folderUrl);
  const prefix = folder.endsWith("/") ? folder : `${folder}/`;
  const url = canonicalFolderUrl(repository);
  if (!url.startsWith(prefix)) return undefined;
  return `/${decodeURIComponent(url.slice(prefix.length)).replaceAll(/[\\*?]/g, "\\$&")}`;
}
