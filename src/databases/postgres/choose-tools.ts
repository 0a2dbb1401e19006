import { Failure } from "../../core/failure.ts";
import type { ToolSet } from "./tools.ts";

/** The oldest server major that is backed up and restored into. */
export const oldestServerMajor = 13;

export type ToolPurpose = "backup" | "restore";

export interface ToolFolder {
  readonly directory: string;
  readonly major: number;
  readonly version: string;
}

export interface ToolWish {
  readonly serverMajor: number;
  readonly purpose: ToolPurpose;
  /** Only tools of this major. */
  readonly major?: number | undefined;
  readonly archiveMajor?: number | undefined;
}

/**
 * Chooses among the tools that were found; the first of equal ones wins. Pure.
 *
 * Never older than the server. pg_restore from 17 on sets `transaction_timeout`, which servers before 17
 * do not know, so restoring into those takes tools of at most 16; and a pg_restore older than the
 * pg_dump that wrote an archive may not be able to read it (archive versions changed with 16 and 17).
 */
export function chooseTools(found: readonly ToolFolder[], wish: ToolWish): ToolSet {
  const { serverMajor, purpose } = wish;
  const [chosen] = found.filter((tools) => isUsable(tools, wish)).toSorted((a, b) => a.major - b.major);
  if (!chosen) throw new Failure("tools-missing", explain(found, wish));
  if (chosen.major === serverMajor) return chosen;
  return {
    ...chosen,
    note:
      `The server is PostgreSQL ${serverMajor}, the client tools are ${chosen.version} (${chosen.directory}): ` +
      (purpose === "backup" && serverMajor < 17 && chosen.major >= 17
        ? `this archive cannot be restored into ${serverMajor} again by the same tools. Install PostgreSQL ` +
          `${serverMajor}'s client tools before relying on it.`
        : "the next newer ones that were found."),
  };
}

/** Whether tools will do at all. Those of the server's own major are the best of those that do. */
export function isUsable(
  tools: ToolFolder,
  { serverMajor, purpose, major, archiveMajor }: ToolWish,
): boolean {
  return (
    tools.major >= serverMajor &&
    (purpose === "backup" || serverMajor >= 17 || tools.major <= 16) &&
    archiveVersion(tools.major) >= archiveVersion(archiveMajor ?? 0) &&
    (major === undefined || tools.major === major)
  );
}

/** The minor number of the archive format 1.x that a pg_dump of this major writes. */
const archiveVersion = (major: number): number => (major >= 17 ? 16 : major === 16 ? 15 : 14);

function explain(found: readonly ToolFolder[], wish: ToolWish): string {
  const name = wish.purpose === "backup" ? "pg_dump" : "pg_restore";
  const seen = [...new Set(found.map((tools) => tools.version))].join(", ");
  const have = seen === "" ? `No ${name} was found` : `${name} was found in version ${seen}`;
  const { serverMajor } = wish;
  const limit = wish.purpose === "restore" && serverMajor < 17 ? " to 16" : " or newer";
  const need = `the server is PostgreSQL ${serverMajor} and needs ${name} of ${serverMajor}${limit}`;
  const archive =
    wish.archiveMajor === undefined ? "" : `, the archive was written by version ${wish.archiveMajor}`;
  const asked = wish.major === undefined ? "" : `, --tools asks for ${wish.major}`;
  return (
    `${have}; ${need}${archive}${asked}. Install PostgreSQL ${serverMajor}'s client tools ` +
    `(Debian: postgresql-client-${serverMajor}), or name their folder with --tools or LC2_PG_BIN.`
  );
}
