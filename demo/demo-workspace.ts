/** The demo's own folder, with the marker by which a later demo recognises what a killed one left. */
import { chmodSync, readFileSync, rmSync } from "node:fs";
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../src/core/failure.ts";
import { isRoot } from "./postgres-packages.ts";
import { showBytes } from "./transcript.ts";

export interface DemoWorkspace {
  readonly folder: string;
  /** Of the PostgreSQL server. */
  readonly server: string;
  /** The application's files. */
  readonly files: string;
  readonly repository: string;
  /** lc2's catalog and keys. */
  readonly dataDirectory: string;
  /** Marks the folder as one to keep after this process. */
  keep(): Promise<void>;
  /** Removes everything. Idempotent. */
  remove(): Promise<void>;
}

const prefix = "lc2-demo-";
const marker = "demo.json";
const neededBytes = 2_000_000_000;

/** Makes the folder below the system's temporary one, after removing those whose demo was killed. */
export async function createWorkspace(): Promise<DemoWorkspace> {
  const above = tmpdir();
  await removeAbandoned(above);
  const { bavail, bsize } = await statfs(above);
  if (bavail * bsize < neededBytes) {
    throw new Failure(
      "disk-full",
      `The demo needs ${showBytes(neededBytes)} in ${above} and ${showBytes(bavail * bsize)} are free. ` +
        "Free some, or set TMPDIR to a folder with more room.",
    );
  }
  const folder = await mkdtemp(join(above, prefix));
  // As root the server runs under another uid, which must reach its folder through this one.
  if (isRoot()) await chmod(folder, 0o711);
  const mark = (kept: boolean) => writeFile(join(folder, marker), JSON.stringify({ pid: process.pid, kept }));
  await mark(false);
  const files = join(folder, "document_library");
  await mkdir(files);
  return {
    folder,
    server: join(folder, "postgres"),
    files,
    repository: join(folder, "backups"),
    dataDirectory: join(folder, "lc2"),
    keep: () => mark(true),
    remove: () => removeTree(folder),
  };
}

async function removeAbandoned(above: string): Promise<void> {
  for (const name of await readdir(above)) {
    if (!name.startsWith(prefix)) continue;
    const folder = join(above, name);
    const facts = await lstat(folder).catch(() => undefined);
    if (facts?.isDirectory() === true && facts.uid === process.getuid?.() && isAbandoned(folder)) {
      await removeTree(folder);
    }
  }
}

function isAbandoned(folder: string): boolean {
  try {
    const { pid, kept } = JSON.parse(readFileSync(join(folder, marker), "utf8")) as {
      pid: number;
      kept: boolean;
    };
    return !kept && !isAlive(pid);
  } catch {
    return false; // not ours, or still being made
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Folders without write permission are part of the data set; an ordinary user must open them first. */
async function removeTree(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 }).catch(() => {
    chmodSync(folder, 0o700);
    rmSync(folder, { recursive: true, force: true });
  });
}
