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

/** The list files of the steps of a restore, each naming the entries that step makes. */
export interface RestoreLists {
  /** Definitions before the rows; grants come last of all, so that a revoked INSERT does not stop the rows. */
  readonly definitions: string;
  /** Grants, refreshes of materialised views and event triggers, which pg_restore itself does last. */
  readonly last: string;
}

const lastKinds = / (?:ACL|DEFAULT ACL|MATERIALIZED VIEW DATA|EVENT TRIGGER) /;

/**
 * Writes the lists from pg_restore's own list of the archive's head, without the entries left out. Comments
 * on event triggers come with the triggers.
 */
export async function writeLists(
  target: RestoreTarget,
  tocFile: string,
  folder: string,
  selects: (dumpId: number) => boolean,
): Promise<RestoreLists> {
  const listed = await runTool(target, "pg_restore", ["--list", tocFile]);
  if (listed.exitCode !== 0)
    throw restoreToolFailure(listed, "reading the table of contents", target.connection.database);
  const lines = listed.stdout.split("\n").filter((line) => /^\d+;/.test(line));
  const chosen = lines.filter((line) => selects(Number.parseInt(line, 10)));
  const isLast = (line: string): boolean =>
    lastKinds.test(line.replace(/^\d+; \d+ \d+/, "")) || /^\d+; \d+ \d+ COMMENT - EVENT TRIGGER /.test(line);
  const definitions = join(folder, "definitions.list");
  const last = join(folder, "last.list");
  await writeFile(definitions, `${chosen.filter((line) => !isLast(line)).join("\n")}\n`);
  await writeFile(last, `${chosen.filter(isLast).join("\n")}\n`);
  return { definitions, last };
}

/** Runs one section of the archive's head into the database. Any error is fatal and named. */
export async function restoreSection(
  target: RestoreTarget,
  tocFile: string,
  section: "pre-data" | "post-data" | "last",
  lists: RestoreLists,
  options: ArchiveOptions,
): Promise<void> {
  const doing = {
    "pre-data": "creating tables",
    "post-data": "creating indexes and constraints",
    last: "granting rights",
  };
  const parameters = [
    ...commonParameters(target, options),
    `--use-list=${section === "last" ? lists.last : lists.definitions}`,
    ...(section === "last" ? [] : [`--section=${section}`]),
    ...(section === "post-data" && options.jobs > 1 ? [`--jobs=${options.jobs}`] : ["--exit-on-error"]),
    tocFile,
  ];
  const outcome = await runTool(target, "pg_restore", parameters);
  if (outcome.exitCode !== 0) throw restoreToolFailure(outcome, doing[section], target.connection.database);
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
