import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Lc2Service, LogLine } from "../contract/service.ts";
import type { WorkerMessage, WorkerTask } from "../contract/worker-task.ts";
import type { Catalog } from "../core/ports/catalog.ts";
import { createBackupContents } from "../engine/backup-contents.ts";
import { createBackupService } from "../engine/backup-service.ts";
import { createCopyService } from "../engine/copy-service.ts";
import type { EngineParts } from "../engine/parts.ts";
import { createBackupReader } from "../engine/read-backups.ts";
import { createRepositoryService } from "../engine/repository-service.ts";
import { createRestoreService } from "../engine/restore-service.ts";
import { createWorkerLauncher } from "../processes/launch-worker.ts";
import { createProcesses } from "../processes/process-identity.ts";
import { compileCacheVariables } from "./compile-cache.ts";
import type { Config } from "./config.ts";
import { workerMemoryVariables, workerNodeOptions } from "./worker-memory.ts";

export interface ServiceOptions {
  /**
   * Told what was found and done that nobody asked for (a dead operation, a reminder) during calls that
   * have no listener of their own. Default: standard error.
   */
  readonly onNotice?: (line: LogLine) => void;
  /** Program and first arguments of a worker. Default: this installation's own. For tests. */
  readonly workerCommand?: readonly [string, ...string[]];
}

/** Threads for compression and hashing; several streams share them. */
const workerThreads = "8";

/**
 * The product in this process, on the catalog of a data directory or of several machines. Any number of
 * processes may have one open. Nothing is opened or made before a call needs it. `openCatalog` is what `loadCatalog` gives.
 */
export function openService(
  config: Config,
  openCatalog: () => Catalog,
  options: ServiceOptions = {},
): Lc2Service {
  let catalog: Catalog | undefined;
  const parts: EngineParts = {
    get catalog() {
      return (catalog ??= openCatalog());
    },
    launcher: createWorkerLauncher<WorkerTask, WorkerMessage>({
      command: options.workerCommand ?? [
        process.execPath,
        ...workerNodeOptions,
        fileURLToPath(new URL("./worker.ts", import.meta.url)),
      ],
      ...(options.workerCommand === undefined ? { expecting: (taskKind: string) => taskKind } : {}),
      // Asked for at every launch: the first one may come before the data directory is there.
      get env() {
        return {
          ...compileCacheVariables(config.dataDirectory),
          ...workerMemoryVariables,
          ...config.env,
          UV_THREADPOOL_SIZE: config.env["UV_THREADPOOL_SIZE"] ?? workerThreads,
        };
      },
    }),
    processes: createProcesses(),
    clock: { nowMs: () => Date.now() },
    ids: {
      hex: (length) =>
        randomBytes(Math.ceil(length / 2))
          .toString("hex")
          .slice(0, length),
    },
    leaseSeconds: config.leaseSeconds,
    keysDirectory: config.keysDirectory,
    keyPlace: (projectId) => join(config.keysDirectory, `${projectId}.key`),
    notice: options.onNotice ?? ((line) => process.stderr.write(`lc2: ${line.message}\n`)),
  };
  return {
    ...createBackupService(parts),
    ...createCopyService(parts),
    ...createBackupReader(parts),
    ...createBackupContents(parts),
    ...createRestoreService(parts),
    ...createRepositoryService(parts, async () => {
      const { KeyfileService } = await import("../keys/keyfile/keyfile-service.ts");
      return new KeyfileService(config.keysDirectory);
    }),
    close: async () => await catalog?.close(),
  };
}
