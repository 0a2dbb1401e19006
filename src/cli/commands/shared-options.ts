import type { BackupReference } from "../../contract/service.ts";
import { operand, required, value, valueOr } from "../command.ts";
import type { Problem } from "../command.ts";
import { databaseUrl, folderUrl, projectId, text, tools, wholeNumber } from "../option-values.ts";

export const backupIdOperand = operand("<backupId>", "as `lc2 backup list` shows it");
export const restoreIdOperand = operand("<restoreId>", "as `lc2 restore list` shows it");

export const repositoryOption = value(
  "--repository <folder>",
  "look in this repository, a path or file:///…; the catalog need not know it",
  folderUrl,
  { complete: "directory" },
);

export const newRepositoryOption = value(
  "--repository <folder>",
  "where backups are kept, a path or file:///…; made if missing (default <data-dir>/repository)",
  folderUrl,
  { complete: "directory" },
);

export const projectFilter = value("--project <id>", "only this project", projectId);
export const projectOption = valueOr("--project <id>", "the project", projectId, "default");

/** Which backup, for the commands that take one. */
export const referenceOptions = { project: projectFilter, repository: repositoryOption };

export function referenceOf(
  backupId: string,
  options: { readonly project: string | undefined; readonly repository: string | undefined },
): BackupReference {
  return {
    backupId,
    ...(options.project === undefined ? {} : { projectId: options.project }),
    ...(options.repository === undefined ? {} : { repository: options.repository }),
  };
}

export const toolsOption = value(
  "--tools <major|dir>",
  "PostgreSQL client tools of this major, or in this folder, instead of those found",
  tools,
  { complete: "directory" },
);

export const databaseOption = (description: string) => value("--database <url>", description, databaseUrl);

export const pagingOptions = {
  limit: valueOr("--limit <n>", "at most so many", wholeNumber(1, 100_000), "50"),
  offset: valueOr("--offset <n>", "leave out the first so many", wholeNumber(0, 1_000_000_000), "0"),
};

export const fromOption = required("--from <backupId>", "the backup to restore", text);

export const serverOnlyOptions = {
  bucket: value("--bucket <url>", "object stores: not in this version", text, { hidden: true }),
};

/** Options of §7 and later versions that would be wrong to ignore. */
export function bucketProblems(bucket: string | undefined): Problem[] {
  if (bucket === undefined) return [];
  return [
    {
      subject: "--bucket",
      code: "not-available",
      message: "this version has no object store; use --files with a folder",
    },
  ];
}

export function noWaitProblems(noWait: boolean): Problem[] {
  if (!noWait) return [];
  return [
    {
      subject: "--no-wait",
      code: "usage",
      message:
        "there is no server, so nothing would be left to do the work once this command ends; leave it out",
    },
  ];
}

/** An option that only makes sense together with another. */
export function needs(
  given: readonly (readonly [flag: string, isGiven: boolean])[],
  other: string,
  otherGiven: boolean,
): Problem[] {
  if (otherGiven) return [];
  return given
    .filter(([, isGiven]) => isGiven)
    .map(([flag]) => ({ subject: flag, code: "usage" as const, message: `only makes sense with ${other}` }));
}
