/**
 * Looks at the machine for `lc2 doctor` and prints what it found as JSON. A program of its own, because it
 * looks at things that the command line itself never touches. Changes nothing.
 */
import { access, constants, readdir, readFile, realpath, stat, statfs } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DoctorCheck } from "../cli/host.ts";
import { size } from "../cli/humanise.ts";
import { oldestServerMajor } from "../databases/postgres/choose-tools.ts";
import { listTools } from "../databases/postgres/tools.ts";
import { normalizeRepositoryUrl } from "../engine/repository-url.ts";
import { recoveryPublicHalf } from "../keys/keyfile/key-wrapping.ts";
import { parseKeyText } from "../keys/keyfile/keyfile-text.ts";
import { checkS3Credentials } from "./check-s3-credentials.ts";
import { readConfig } from "./config.ts";
import type { CatalogPlace, Config } from "./config.ts";
import { loadCatalog } from "./open-catalog.ts";

const neededNodeMajor = 26;
const littleSpaceBytes = 2e9;
const noSpaceBytes = 100e6;

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const modeText = (mode: number): string => `0${(mode & 0o777).toString(8)}`;

function checkNode(): DoctorCheck {
  const name = "Node.js";
  const { node } = process.versions;
  if (Number.parseInt(node, 10) >= neededNodeMajor)
    return { name, state: "ok", finding: `${node}, ${process.execPath}` };
  const fix = `Start lc2 by its own program bin/lc2, which brings Node.js ${neededNodeMajor}.`;
  return { name, state: "failed", finding: `${node} is too old; ${neededNodeMajor} is needed`, fix };
}

/** The folder itself or, where it is missing, the nearest one above it that is there. */
async function nearestFolder(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined || dirname(path) === path ? path : await nearestFolder(dirname(path));
}

async function checkFolder(name: string, path: string): Promise<DoctorCheck> {
  const nearest = await nearestFolder(path);
  const there = nearest === path;
  const facts = await stat(nearest);
  if (!facts.isDirectory()) {
    return {
      name,
      state: "failed",
      finding: `${nearest} is not a folder`,
      fix: `Move the file ${nearest} away.`,
    };
  }
  try {
    await access(nearest, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    const finding = there
      ? `${path} cannot be written`
      : `${path} is missing and ${nearest} cannot be written`;
    const fix = `Give this user rights on ${nearest}, or name another place with --data-dir or LC2_DATA_DIR.`;
    return { name, state: "failed", finding, fix };
  }
  return { name, state: "ok", finding: there ? path : `${path} (made on first use)` };
}

async function checkSpace(path: string): Promise<DoctorCheck> {
  const name = "disk space";
  const { bavail, bsize } = await statfs(await nearestFolder(path));
  const free = bavail * bsize;
  const finding = `${size(free)} free for ${path}`;
  if (free >= littleSpaceBytes) return { name, state: "ok", finding };
  const fix = "Free some space, or keep backups elsewhere with --repository.";
  return { name, state: free < noSpaceBytes ? "failed" : "warning", finding, fix };
}

async function checkCatalog(place: CatalogPlace): Promise<DoctorCheck> {
  const name = "catalog";
  const isFile = place.kind === "sqlite";
  if (isFile && (await stat(place.file).catch(() => undefined)) === undefined) {
    return { name, state: "ok", finding: `${place.file} (made on first use)` };
  }
  const catalog = (await loadCatalog(place))();
  try {
    await catalog.listOpenOperations();
    return { name, state: "ok", finding: isFile ? place.file : `PostgreSQL, schema ${place.schema}` };
  } catch (error) {
    const fix = isFile
      ? `The backups are safe without it: move ${place.file} away and run \`lc2 repository scan\`.`
      : "The backups are safe without it. DATABASE_URL names it; unset it to use a file in the data directory.";
    return { name, state: "failed", finding: reasonOf(error), fix };
  } finally {
    await catalog.close().catch(() => undefined);
  }
}

/** /bin is /usr/bin on most systems: one folder is named once. */
async function withoutAliases<T extends { readonly directory: string }>(found: readonly T[]): Promise<T[]> {
  const places = await Promise.all(found.map(async ({ directory }) => await realpath(directory)));
  return found.filter((_, index) => places.indexOf(places[index] ?? "") === index);
}

async function checkTools(env: Config["env"]): Promise<DoctorCheck[]> {
  const found = await withoutAliases(await listTools(env));
  if (found.length === 0) {
    const fix =
      "Install the client tools of your server's major (Debian: postgresql-client-17), or name their folder in LC2_PG_BIN.";
    return [{ name: "client tools", state: "failed", finding: "no pg_dump was found", fix }];
  }
  return await Promise.all(
    found.map(async ({ major, version, directory }): Promise<DoctorCheck> => {
      const name = `PostgreSQL ${major}`;
      const restores = await access(join(directory, "pg_restore"), constants.X_OK).then(
        () => true,
        () => false,
      );
      if (!restores) {
        const fix = `Install the whole client package of ${major}; without pg_restore nothing can be restored.`;
        return { name, state: "warning", finding: `${version} in ${directory}, without pg_restore`, fix };
      }
      const old = major < oldestServerMajor ? `; too old to be used (${oldestServerMajor} and newer)` : "";
      return { name, state: "ok", finding: `${version} in ${directory}${old}` };
    }),
  );
}

async function checkKeys(directory: string): Promise<DoctorCheck[]> {
  const names = (await readdir(directory).catch((): string[] => [])).filter((name) => name.endsWith(".key"));
  if (names.length === 0) {
    return [
      { name: "keys", state: "ok", finding: `none in ${directory} (a project's first backup makes one)` },
    ];
  }
  return await Promise.all(
    names.map(async (file) => await checkKeyfile(join(directory, file), file.slice(0, -4))),
  );
}

async function checkKeyfile(path: string, projectId: string): Promise<DoctorCheck> {
  const name = `key ${projectId}`;
  try {
    const { mode } = await stat(path);
    parseKeyText(await readFile(path, "utf8"), path, recoveryPublicHalf);
    if ((mode & 0o077) !== 0) {
      const finding = `${path} may be read by others (mode ${modeText(mode)})`;
      return { name, state: "failed", finding, fix: `chmod 600 ${path}` };
    }
    return { name, state: "ok", finding: `${path}, mode ${modeText(mode)}; keep a copy: lc2 key export` };
  } catch (error) {
    const fix = "Put it back from a copy: lc2 key import FILE";
    return { name, state: "failed", finding: `${path}: ${reasonOf(error)}`, fix };
  }
}

/** libpq leaves a password file that others can read alone, which then looks like a wrong password. */
async function checkPasswordFile(env: Config["env"]): Promise<DoctorCheck[]> {
  const path = env["PGPASSFILE"] ?? join(env["HOME"] ?? homedir(), ".pgpass");
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return [];
  const name = "password file";
  if ((found.mode & 0o077) === 0) return [{ name, state: "ok", finding: path }];
  const finding = `${path} may be read by others (mode ${modeText(found.mode)}), so PostgreSQL's tools ignore it`;
  return [{ name, state: "warning", finding, fix: `chmod 600 ${path}` }];
}

/** A bucket is tried out by a command of its own, with what its credentials may. */
async function checkRepositoryPlace(place: string): Promise<DoctorCheck> {
  const url = normalizeRepositoryUrl(place);
  if (url.startsWith("file:")) return await checkFolder("repository", fileURLToPath(url));
  return { name: "repository", state: "ok", finding: `${url}; \`lc2 repository probe\` tries it out` };
}

async function diagnose(config: Config): Promise<DoctorCheck[]> {
  const guarded = async (
    name: string,
    check: Promise<DoctorCheck | DoctorCheck[]>,
  ): Promise<DoctorCheck[]> => {
    try {
      return [await check].flat();
    } catch (error) {
      return [
        { name, state: "failed", finding: reasonOf(error), fix: "Look at the reason; it is the system's." },
      ];
    }
  };
  const groups = await Promise.all([
    guarded("Node.js", Promise.resolve(checkNode())),
    guarded("data directory", checkFolder("data directory", config.dataDirectory)),
    guarded("repository", checkRepositoryPlace(config.defaultRepository)),
    guarded("temporary files", checkFolder("temporary files", tmpdir())),
    guarded("disk space", checkSpace(config.dataDirectory)),
    guarded("catalog", checkCatalog(config.catalog)),
    guarded("keys", checkKeys(config.keysDirectory)),
    guarded("client tools", checkTools(config.env)),
    guarded("password file", checkPasswordFile(config.env)),
    guarded("S3 credentials", checkS3Credentials(config.env)),
  ]);
  return groups.flat();
}

const dataDirectory = process.argv[2];
const checks = await diagnose(readConfig(dataDirectory === undefined ? {} : { dataDirectory }));
process.stdout.write(`${JSON.stringify(checks)}\n`);
