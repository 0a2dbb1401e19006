import type { BackupReference } from "../../contract/service.ts";
import { Failure } from "../../core/failure.ts";
import type { CommandContext } from "../context.ts";
import { flag, operand, required, value, valueOr } from "../command.ts";
import type { Problem } from "../command.ts";
import {
  bucketUrl,
  databaseUrl,
  encryptionMode,
  encryptionModes,
  projectId,
  repositoryUrl,
  text,
  tools,
  wholeNumber,
} from "../option-values.ts";

export const backupIdOperand = operand("<backupId>", "as `lc2 backup list` shows it");
export const restoreIdOperand = operand("<restoreId>", "as `lc2 restore list` shows it");

export const repositoryOption = value(
  "--repository <place>",
  "look in this repository, a path, file:///… or s3://…; the catalog need not know it",
  repositoryUrl,
  { complete: "directory" },
);

export const newRepositoryOption = value(
  "--repository <place>",
  "where backups are kept: a folder, made if missing, or s3://bucket/prefix?… (default <data-dir>/repository)",
  repositoryUrl,
  { complete: "directory" },
);

/** Decided when a repository is made. */
export const encryptionOptions = {
  encryption: value(
    "--encryption <mode>",
    "who encrypts in the repository: client (lc2, the default of a new one) or server (the store, which must prove it)",
    encryptionMode,
    { complete: encryptionModes },
  ),
  kmsKey: value(
    "--kms-key <id>",
    "with --encryption server: key in the store's key service (default: the store's own)",
    text,
  ),
};

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

export const fromOption = required(
  "--from <backupId>",
  "the backup to restore, or latest: the newest that is usable for the target",
  text,
);

export const bucketOption = (description: string) => value("--bucket <url>", description, bucketUrl);

/** How much of a folder, a bucket or a repository is moved at a time. */
export const transferOptions = {
  maxConcurrency: value(
    "--max-concurrency <n>",
    "at most so many transfers at a time, 1 to 256 (default: as many as the store bears)",
    wholeNumber(1, 256),
  ),
  noParallelTransfer: flag("--no-parallel-transfer", "one transfer at a time"),
};

interface PlacesOfFiles {
  readonly files: string | undefined;
  readonly bucket: string | undefined;
  readonly maxConcurrency: number | undefined;
  readonly noParallelTransfer: boolean;
}

/** The one place of files that was named. */
export const filesPlace = ({ files, bucket }: Pick<PlacesOfFiles, "files" | "bucket">): string | undefined =>
  files ?? bucket;

/** `named`: whether there are files, by whatever name. */
export function filesPlaceProblems(given: PlacesOfFiles, named: boolean): Problem[] {
  const { files, bucket, maxConcurrency, noParallelTransfer } = given;
  const two: Problem = {
    subject: "--bucket",
    code: "usage",
    message: "does not go with --files, because a backup has one set of files; run this once for each",
  };
  const contradiction: Problem = {
    subject: "--max-concurrency",
    code: "usage",
    message: "does not go with --no-parallel-transfer; leave one of them out",
  };
  return [
    ...(files !== undefined && bucket !== undefined ? [two] : []),
    ...(maxConcurrency !== undefined && noParallelTransfer ? [contradiction] : []),
    ...needs(
      [
        ["--max-concurrency", maxConcurrency !== undefined],
        ["--no-parallel-transfer", noParallelTransfer],
      ],
      "--files or --bucket",
      named,
    ),
  ];
}

/** What a request says of transfers. */
export const transferWishes = ({
  maxConcurrency,
  noParallelTransfer,
}: Pick<PlacesOfFiles, "maxConcurrency" | "noParallelTransfer">) => ({
  ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
  ...(noParallelTransfer ? { parallelTransfer: false } : {}),
});

export const hooksOption = (lists: string) =>
  value("--hooks <file>", `run the hooks of this file, YAML or JSON with ${lists}; -: standard input`, text, {
    complete: "file",
  });

export const cancelDryRunOption = flag("--dry-run", "say what would be cancelled, change nothing");

export const noWaitOption = flag(
  "--no-wait",
  "return when it is recorded; only with a server (LC2_SERVER, lc2 context), which goes on with the work",
);

/** Without a server nothing would be left to do the work once the command ends. */
export function refuseNoWait({ host }: CommandContext): void {
  if (host.usesServer) return;
  throw new Failure(
    "usage",
    "--no-wait: there is no server (LC2_SERVER, `lc2 context`), so nothing would be left to do the work once this command ends. " +
      "Leave it out.",
  );
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
