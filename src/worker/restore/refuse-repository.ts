import { Failure } from "../../core/failure.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import { repositoryFile } from "../../core/repository/layout.ts";
import { showKey, type FileKey } from "../../core/repository/manifest.ts";

/** A mirror must not remove backups: a repository of whatever name, reached by whatever way, ends it before it begins. */
export function refuseRepository(target: FileTarget, key: FileKey): void {
  if (key !== repositoryFile && !key.endsWith(`/${repositoryFile}`)) return;
  throw new Failure(
    "request-invalid",
    `A repository of backups lies in ${target.url} (${showKey(key)}), is not in this backup, and would be removed. ` +
      "Restore with --mode merge, or to another place, or move the repository.",
  );
}
