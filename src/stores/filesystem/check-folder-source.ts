import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Failure } from "../../core/failure.ts";

/** Rejects with `source-not-found` or `source-unreadable` when `url` is not a folder that can be listed. */
export async function checkFolderSource(url: string): Promise<void> {
  const path = fileURLToPath(url);
  const facts = await stat(path).catch((cause: unknown) => {
    throw new Failure(
      "source-not-found",
      `There is no folder ${path} to back up. Check the path and whether it is mounted.`,
      {
        cause,
      },
    );
  });
  if (!facts.isDirectory()) throw new Failure("source-not-found", `${path} is not a folder.`);
  await access(path, constants.R_OK | constants.X_OK).catch((cause: unknown) => {
    throw new Failure(
      "source-unreadable",
      `The folder ${path} cannot be listed by this user. Give it read and search rights.`,
      {
        cause,
      },
    );
  });
}
