import type { Waiting } from "./waiting.ts";
import type {
  CheckRepositoryResult,
  ProbeRepositoryResult,
  ScanRepositoryResult,
  SweepRepositoryResult,
} from "./worker-task.ts";

/** What was found, and in which repository: its canonical URL. */
export type OfRepository<Result> = { readonly repository: string } & Result;

/**
 * The verbs about a whole repository; `undefined` is the installation's own. They need no catalog; `scan` writes what
 * it finds into it.
 */
export interface Repositories {
  checkRepository(
    repository: string | undefined,
    options: { projectId?: string; readData: boolean; subset?: { part: number; of: number } },
    waiting: Waiting,
  ): Promise<OfRepository<CheckRepositoryResult>>;
  /** `dryRun`: says what is found, changes no catalog. */
  scanRepository(
    repository: string | undefined,
    options: { projectId?: string; dryRun?: boolean },
    waiting: Waiting,
  ): Promise<OfRepository<ScanRepositoryResult>>;
  sweepRepository(
    repository: string | undefined,
    options: { dryRun: boolean; minimumAgeSeconds: number },
    waiting: Waiting,
  ): Promise<OfRepository<SweepRepositoryResult>>;
  /** Sets where backups of the repository are copied to when no other place is named; without `to` removes it. */
  setCopyTarget(
    repository: string | undefined,
    options: { to?: string },
    waiting: Waiting,
  ): Promise<OfRepository<{ readonly copyTo?: string }>>;
  /** Tries what the store at this place can do; makes no repository and leaves nothing behind. */
  probeRepository(
    repository: string | undefined,
    waiting: Waiting,
  ): Promise<OfRepository<ProbeRepositoryResult>>;
}
