import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { Failure } from "../../core/failure.ts";
import {
  chooseTools,
  isUsable,
  oldestServerMajor,
  type ToolFolder,
  type ToolPurpose,
} from "./choose-tools.ts";

/** PostgreSQL's client programs of one version. */
export interface ToolSet {
  /** Absolute folder that holds the programs. */
  readonly directory: string;
  readonly major: number;
  /** e.g. "17.10". */
  readonly version: string;
  /** A sentence where the tools are not of the server's own major. */
  readonly note?: string;
}

export interface FindToolsOptions {
  /** Default: backup. Restoring asks for more: see `chooseTools`. */
  readonly purpose?: ToolPurpose;
  /** Restore: the major of the tool that wrote the archive; an older pg_restore cannot read it. */
  readonly archiveMajor?: number;
}

/**
 * Finds the client tools for a server: of its own major or, where those are missing, the next newer that
 * will do; never older ones. `requested` is a major ("17") or a folder. Looks in the folders of
 * LC2_PG_BIN (colon-separated), where Debian, RHEL, Homebrew and Postgres.app put them, and on the PATH.
 * Rejects with `server-unsupported` or `tools-missing`.
 */
export async function findTools(
  serverMajor: number,
  requested: string | undefined,
  env: Variables,
  options: FindToolsOptions = {},
): Promise<ToolSet> {
  if (serverMajor < oldestServerMajor) {
    throw new Failure(
      "server-unsupported",
      `The server is PostgreSQL ${serverMajor}; this version of lc2 works with ${oldestServerMajor} and newer. ` +
        "Upgrade the server first.",
    );
  }
  const purpose = options.purpose ?? "backup";
  const folder = requested !== undefined && isAbsolute(requested) ? requested : undefined;
  const major = requested === undefined || folder !== undefined ? undefined : parseMajor(requested);
  const wish = { serverMajor, purpose, major, archiveMajor: options.archiveMajor };
  if (folder === undefined) {
    const installed = await readVersions(await installedFolders(env), purpose, env);
    // The PATH could only name the same again, and asking Debian's wrapper there takes longer than all others.
    const isThere = installed.some((tools) => tools.major === serverMajor && isUsable(tools, wish));
    const onPath = isThere ? [] : await readVersions(pathFolders(env), purpose, env);
    return chooseTools([...installed, ...onPath], wish);
  }
  const found = await readVersions([folder, join(folder, "bin")], purpose, env);
  if (found.length > 0) return chooseTools(found, wish);
  throw new Failure("tools-missing", `There is no working ${program(purpose)} in ${folder}. Check --tools.`);
}

/** Every working pg_dump that `findTools` would choose from, by major, newest first. For showing. */
export async function listTools(env: Variables): Promise<ToolFolder[]> {
  const folders = [...new Set([...(await installedFolders(env)), ...pathFolders(env)])];
  return (await readVersions(folders, "backup", env)).toSorted((a, b) => b.major - a.major);
}

function parseMajor(text: string): number {
  const major = Number(text);
  if (Number.isInteger(major) && major > 0) return major;
  throw new Failure("usage", `--tools takes a major version ("17") or an absolute folder, not "${text}".`);
}

const program = (purpose: ToolPurpose): string => (purpose === "backup" ? "pg_dump" : "pg_restore");

type Variables = Readonly<Record<string, string | undefined>>;

/** Where the programs of one version each may be, in the order of preference. */
async function installedFolders(env: Variables): Promise<string[]> {
  const versioned = await Promise.all([
    foldersIn("/usr/lib/postgresql", /^\d+$/, "bin"),
    foldersIn("/usr", /^pgsql-\d+$/, "bin"),
    foldersIn("/opt/homebrew/opt", /^(?:postgresql@\d+|libpq)$/, "bin"),
    foldersIn("/usr/local/opt", /^(?:postgresql@\d+|libpq)$/, "bin"),
    foldersIn("/Applications/Postgres.app/Contents/Versions", /^\d+$/, "bin"),
  ]);
  return [...split(env["LC2_PG_BIN"]), ...versioned.flat()];
}

/** Debian's programs on the PATH are a wrapper that picks a version by itself, so the PATH comes last. */
const pathFolders = (env: Variables): string[] => split(env["PATH"]);

const split = (text: string | undefined): string[] => [
  ...new Set((text ?? "").split(":").filter((part) => isAbsolute(part))),
];

async function foldersIn(parent: string, pattern: RegExp, below: string): Promise<string[]> {
  const names = await readdir(parent).catch(() => []);
  return names.filter((name) => pattern.test(name)).map((name) => join(parent, name, below));
}

const run = promisify(execFile);

/** Of those folders that have a program which starts. */
async function readVersions(
  directories: readonly string[],
  purpose: ToolPurpose,
  env: Variables,
): Promise<ToolFolder[]> {
  const found = await Promise.all(directories.map((directory) => readVersion(directory, purpose, env)));
  return found.filter((tools) => tools !== undefined);
}

/** Undefined where the program is missing or does not start. */
async function readVersion(
  directory: string,
  purpose: ToolPurpose,
  env: Variables,
): Promise<ToolFolder | undefined> {
  const path = join(directory, program(purpose));
  if (!existsSync(path)) return undefined;
  try {
    const { stdout } = await run(path, ["--version"], {
      env: { PATH: env["PATH"] ?? "", LC_ALL: "C.UTF-8" },
      timeout: 10_000,
    });
    const version = /\(PostgreSQL\) (\d+(?:\.\d+)*\S*)/.exec(stdout)?.[1];
    return version === undefined ? undefined : { directory, version, major: Number.parseInt(version, 10) };
  } catch {
    return undefined;
  }
}
