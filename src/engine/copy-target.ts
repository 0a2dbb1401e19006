import { Failure } from "../core/failure.ts";
import type { BackupPlace } from "./locate-backup.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { normalizeRepositoryUrl } from "./repository-url.ts";
import { runTaskOfCall } from "./run-worker.ts";

/**
 * The repository that backups of this one are copied to when no other is named. Rejects with `copy-target-unknown`
 * where it names none.
 */
export async function readCopyTarget(
  parts: EngineParts,
  { repository, projectId }: BackupPlace,
  signal: AbortSignal,
): Promise<string> {
  const context = makeContext(parts, { repository, projectId });
  const task = { kind: "describe-repository", context } as const;
  const { copyTo } = await runTaskOfCall(parts, "describe-repository", task, { signal });
  if (typeof copyTo === "string") return normalizeRepositoryUrl(copyTo);
  throw new Failure(
    "copy-target-unknown",
    `${repository} does not say where its backups are copied to. Name the place with --to, or once for all with ` +
      "`lc2 repository set-copy`.",
  );
}

/**
 * Refuses a repository as the target of its own copies, and one folder inside the other. By name: whether two
 * names are one place is seen by the worker.
 */
export function refuseCopyInto(repository: string, to: string): void {
  if (to === repository) {
    throw new Failure("copy-to-itself", `${to} is the repository that is to be copied. Name another place.`);
  }
  const isInside = (outer: string, inner: string): boolean =>
    outer.startsWith("file:") && inner.startsWith(`${outer.replace(/\/$/, "")}/`);
  if (!isInside(repository, to) && !isInside(to, repository)) return;
  throw new Failure(
    "copy-to-itself",
    `${to} and ${repository} are one inside the other, so a copy would be no second place. Name another one.`,
  );
}
