/**
 * A Python with other people's packages: Tink and `cryptography`, to ask them about our format, and
 * Schemathesis, which tries our REST interface. They are installed once, into the cache folder of the tests.
 */
import { execFile } from "node:child_process";
import { access, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { cacheDirectory } from "../../demo/postgres-packages.ts";

const run = promisify(execFile);

/** Wheels for Python 3.10 to 3.14, on x86-64 and ARM. */
const formatPackages = ["tink==1.16.1", "cryptography==50.0.2", "zstandard==0.25.0"];

export interface PythonAnswer {
  readonly stdout: string;
}

/** Runs a script with these packages; rejects with what it wrote to standard error when it fails. */
export async function runPython(script: string, args: readonly string[] = []): Promise<PythonAnswer> {
  const { program, env } = await preparePython(formatPackages);
  const { stdout } = await run(program, ["-c", script, ...args], { env, maxBuffer: 64 << 20 });
  return { stdout };
}

export interface PreparedPython {
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
}

const prepared = new Map<string, Promise<PreparedPython>>();

/** A Python that finds these packages (`name==version`). */
export async function preparePython(packages: readonly string[]): Promise<PreparedPython> {
  const key = packages.join(" ");
  const found = prepared.get(key) ?? prepare(packages);
  prepared.set(key, found);
  return await found;
}

async function prepare(packages: readonly string[]): Promise<PreparedPython> {
  const { program, folder } = await install(packages);
  return { program, env: { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: "1" } };
}

async function install(packages: readonly string[]): Promise<{ program: string; folder: string }> {
  const program = await findPython();
  const { stdout } = await run(program, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
  const cache = await cacheDirectory();
  const folder = join(cache, ["python", stdout.trim(), ...packages, process.arch].join("-"));
  if (await exists(folder)) return { program, folder };
  const scratch = await mkdtemp(join(cache, ".unpacking-"));
  try {
    const target = join(scratch, "packages");
    const quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"];
    await run(program, ["-m", "pip", "install", ...quiet, "--target", target, ...packages]);
    await rename(target, folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error; // another process was faster: its copy is as good
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { program, folder };
}

async function findPython(): Promise<string> {
  for (const program of ["python3", "python"]) {
    try {
      await run(program, ["-m", "pip", "--version"]);
      return program;
    } catch {
      // The next one.
    }
  }
  throw new Error("neither python3 nor python has pip (Debian and Ubuntu: apt-get install python3-pip)");
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
