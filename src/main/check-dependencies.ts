import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Dependency } from "../http/parts.ts";

/** A probe's patience; the catalog's own is longer. */
const patienceMs = 2_000;
/** A bucket is asked by a process of its own, and probes come every few seconds. */
const bucketAnswerLastsMs = 60_000;

export interface Watched {
  readonly checkCatalog: () => Promise<void>;
  /** The installation's own, a canonical URL. */
  readonly repository: string;
  readonly checkBucket: () => Promise<void>;
  readonly nowMs: () => number;
}

/** What a server needs, and whether it is there. The function returned never rejects. */
export function watchDependencies(watched: Watched): () => Promise<readonly Dependency[]> {
  const { repository } = watched;
  const checkRepository = repository.startsWith("file:")
    ? async () => await checkWritable(fileURLToPath(repository))
    : remember(watched);
  return async () => {
    const [catalog, store] = await Promise.all([
      isDoneInTime(watched.checkCatalog),
      isDoneInTime(checkRepository),
    ]);
    return [
      { name: "catalog", status: catalog ? "ok" : "down" },
      { name: "repository", status: store ? "ok" : "degraded" },
    ];
  };
}

/** The last answer of the bucket, for as long as it lasts; after that too, while the next one is on its way. */
function remember({ checkBucket, nowMs }: Watched): () => Promise<void> {
  let askedMs = Number.NEGATIVE_INFINITY;
  let known: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  return async () => {
    if (next === undefined && nowMs() - askedMs >= bucketAnswerLastsMs) {
      askedMs = nowMs();
      const asked = checkBucket();
      next = asked;
      const keep = (): void => {
        known = asked;
        next = undefined;
      };
      asked.then(keep, keep);
    }
    await (known ?? next);
  };
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
