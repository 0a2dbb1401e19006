import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { Failure } from "../../core/failure.ts";
import { chooseTools, oldestServerMajor, type ToolFolder, type ToolPurpose } from "./choose-tools.ts";

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
  env: Readonly<Record<string, string | undefined>>,
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
  const places = folder === undefined ? await toolFolders(env) : [folder, join(folder, "bin")];
  const found = await Promise.all(places.map((directory) => readVersion(directory, purpose, env)));
  const candidates = found.filter((candidate) => candidate !== undefined);
  if (folder !== undefined && candidates.length === 0) {
    throw new Failure(
      "tools-missing",
      `There is no working ${program(purpose)} in ${folder}. Check --tools.`,
    );
  }
  return chooseTools(candidates, { serverMajor, purpose, major, archiveMajor: options.archiveMajor });
}

/** Every working pg_dump that `findTools` would choose from, by major, newest first. For showing. */
export async function listTools(env: Readonly<Record<string, string | undefined>>): Promise<ToolFolder[]> {
  const found = await Promise.all(
    (await toolFolders(env)).map((directory) => readVersion(directory, "backup", env)),
  );
  return found.filter((each) => each !== undefined).toSorted((a, b) => b.major - a.major);
}

function parseMajor(text: string): number {
  const major = Number(text);
  if (Number.isInteger(major) && major > 0) return major;
  throw new Failure("usage", `--tools takes a major version ("17") or an absolute folder, not "${text}".`);
}

const program = (purpose: ToolPurpose): string => (purpose === "backup" ? "pg_dump" : "pg_restore");

/** Every folder where the programs may be, in the order of preference, without repetitions. */
async function toolFolders(env: Readonly<Record<string, string | undefined>>): Promise<string[]> {
  const split = (text: string | undefined): string[] =>
    (text ?? "").split(":").filter((part) => isAbsolute(part));
  const versioned = await Promise.all([
    foldersIn("/usr/lib/postgresql", /^\d+$/, "bin"),
    foldersIn("/usr", /^pgsql-\d+$/, "bin"),
    foldersIn("/opt/homebrew/opt", /^(?:postgresql@\d+|libpq)$/, "bin"),
    foldersIn("/usr/local/opt", /^(?:postgresql@\d+|libpq)$/, "bin"),
    foldersIn("/Applications/Postgres.app/Contents/Versions", /^\d+$/, "bin"),
  ]);
  // Debian's programs on the PATH are a wrapper that picks a version by itself, so the PATH comes last.
  return [...new Set([...split(env["LC2_PG_BIN"]), ...versioned.flat(), ...split(env["PATH"])])];
}

async function foldersIn(parent: string, pattern: RegExp, below: string): Promise<string[]> {
  const names = await readdir(parent).catch(() => []);
  return names.filter((name) => pattern.test(name)).map((name) => join(parent, name, below));
}

const run = promisify(execFile);

/** Undefined where the program is missing or does not start. */
async function readVersion(
  directory: string,
  purpose: ToolPurpose,
  env: Readonly<Record<string, string | undefined>>,
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
