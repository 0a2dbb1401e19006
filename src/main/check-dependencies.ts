import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import type { Dependency } from "../http/parts.ts";

/** A probe's patience; the catalog's own is longer. */
const patienceMs = 2_000;

/** What a server needs, and whether it is there. Never rejects. */
export async function checkDependencies(
  checkCatalog: () => Promise<void>,
  defaultRepository: string,
): Promise<readonly Dependency[]> {
  const [catalog, repository] = await Promise.all([
    isDoneInTime(checkCatalog),
    isDoneInTime(async () => await checkWritable(defaultRepository)),
  ]);
  return [
    { name: "catalog", status: catalog ? "ok" : "down" },
    { name: "repository", status: repository ? "ok" : "degraded" },
  ];
}

/** The folder, or where it will be made. */
async function checkWritable(folder: string): Promise<void> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (!isMissing || dirname(folder) === folder) throw error;
    await checkWritable(dirname(folder));
  }
}

async function isDoneInTime(work: () => Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), patienceMs);
  });
  const done = work().then(
    () => true,
    () => false,
  );
  return await Promise.race([done, late]).finally(() => clearTimeout(timer));
}
