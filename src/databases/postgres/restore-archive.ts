import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../../core/failure.ts";
import { restoreToolFailure } from "./restore-errors.ts";
import { feed, runTool, startTool, type RestoreTarget } from "./restore-tool.ts";

export interface ArchiveOptions {
  readonly noOwner: boolean;
  readonly noTablespaces: boolean;
  readonly jobs: number;
  /** Rows of these tables, and values of these sequences, only; all where it is absent. */
  readonly tables?: readonly { readonly schema: string; readonly name: string }[];
}

/** The head of an archive that definitions are made from. */
export interface ArchiveHead {
  readonly tocFile: string;
  /** A private folder for lists of entries. */
  readonly scratchDirectory: string;
}

/** Names entries of an archive to pg_restore, which makes them in this order. Gives the list's path. */
export async function writeList(folder: string, name: string, dumpIds: readonly number[]): Promise<string> {
  const path = join(folder, `${name}.list`);
  await writeFile(path, dumpIds.map((dumpId) => `${dumpId};\n`).join(""));
  return path;
}

const doing = {
  "pre-data": "creating tables",
  indexes: "creating indexes",
  "post-data": "creating indexes and constraints",
  last: "granting rights",
};

/**
 * Makes some entries of the archive's head in the database, with several sessions only in `post-data`. Any error is
 * fatal and named. Nothing is done where there are no entries.
 */
export async function restoreEntries(
  target: RestoreTarget,
  head: ArchiveHead,
  step: keyof typeof doing,
  dumpIds: readonly number[],
  options: ArchiveOptions,
): Promise<void> {
  const [first] = dumpIds;
  if (first === undefined) return;
  const parameters = [
    ...commonParameters(target, options),
    `--use-list=${await writeList(head.scratchDirectory, `${step}-${first}`, dumpIds)}`,
    ...(step === "post-data" && options.jobs > 1 ? [`--jobs=${options.jobs}`] : ["--exit-on-error"]),
    head.tocFile,
  ];
  const outcome = await runTool(target, "pg_restore", parameters);
  if (outcome.exitCode !== 0) throw restoreToolFailure(outcome, doing[step], target.connection.database);
}

/**
 * Streams the rows (and sequences' values and large objects) of one stock archive into the database.
 * Grants are left to the end. Resolves when pg_restore has ended well and read all of it.
 */
export async function restoreRows(
  target: RestoreTarget,
  archive: AsyncIterable<Uint8Array>,
  options: ArchiveOptions,
): Promise<void> {
  const tool = startTool(target, "pg_restore", [
    ...commonParameters(target, options),
    "--section=data",
    "--no-privileges",
    "--exit-on-error",
    // A name of several schemas loads more than is wanted, into a scratch database: harmless.
    ...new Set((options.tables ?? []).map(({ schema }) => `--schema=${schema}`)),
    ...(options.tables ?? []).map(({ name }) => `--table=${name}`),
  ]);
  tool.stdout.resume();
  let fed: boolean;
  try {
    fed = await feed(tool.stdin, archive);
  } catch (error) {
    tool.kill();
    await tool.ended;
    throw error;
  }
  const outcome = await tool.ended;
  target.signal.throwIfAborted();
  if (outcome.exitCode !== 0) throw restoreToolFailure(outcome, "loading rows", target.connection.database);
  // With chosen tables pg_restore stops reading after the last of them; their rows are counted afterwards.
  if (!fed && options.tables === undefined) {
    throw new Failure(
      "restore-tool-failed",
      `pg_restore ended before it had read the whole archive into "${target.connection.database}". Restore again.`,
    );
  }
}

function commonParameters(target: RestoreTarget, options: ArchiveOptions): string[] {
  return [
    `--dbname=${quoteConnectionValue(target.connection.database)}`,
    "--no-password",
    ...(options.noOwner ? ["--no-owner"] : []),
    ...(options.noTablespaces ? ["--no-tablespaces"] : []),
  ];
}

/** A database's name as libpq's connection string takes it; a bare name with `=` would be one itself. */
export const quoteConnectionValue = (database: string): string =>
  `dbname='${database.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
