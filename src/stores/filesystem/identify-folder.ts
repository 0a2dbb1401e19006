import { readFileSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { FolderIdentity } from "../../core/admission/found-place.ts";

/** What the folder of a `file:///…` URL is, whether or not all of it exists. Rejects where it may not be looked at. */
export async function identifyFolder(url: string): Promise<FolderIdentity> {
  const missing: string[] = [];
  let path = fileURLToPath(url);
  let found = await realpathOf(path);
  while (found === undefined) {
    missing.unshift(basename(path));
    path = dirname(path);
    found = await realpathOf(path);
  }
  const facts = await stat(found, { bigint: true });
  return {
    realUrl: pathToFileURL(join(found, ...missing)).href,
    machine: thisKernel(),
    device: String(facts.dev),
    inode: String(facts.ino),
    missing,
  };
}

/** Undefined: there is nothing of this name. */
async function realpathOf(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    // Above the root there is nothing that could be missing.
    if (dirname(path) !== path && error instanceof Error && "code" in error && error.code === "ENOENT")
      return undefined;
    throw error;
  }
}

/** Devices and files are numbered by the kernel, which all containers of a machine share. */
function thisKernel(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return hostname();
  }
}
