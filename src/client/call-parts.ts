/** What the calls of several nouns have in common. */
import type { BackupReference } from "../contract/service.ts";
import { Failure } from "../core/failure.ts";
import { anyProject } from "./pages.ts";

/** Where a backup is asked for: path and query. */
export const placeOf = ({ backupId, projectId, repository }: BackupReference, verb = "") => ({
  path: `projects/${projectId || anyProject}/backups/${encodeURIComponent(backupId)}${verb}`,
  query: { repository },
});

/** A call that the server does not take, and why. */
export const refuse = (what: string, why: string) => async (): Promise<never> =>
  await Promise.reject(
    new Failure(
      "not-available",
      `${what} is not done through a server: ${why} Run it on the server's machine, with LC2_SERVER= set to nothing.`,
    ),
  );
