import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Gatekeeper } from "../contract/access.ts";
import type { Lc2Service, LogLine } from "../contract/service.ts";
import type { WorkerMessage, WorkerTask } from "../contract/worker-task.ts";
import { isBucketUrl } from "../core/files/bucket-url.ts";
import type { Catalog, OperationCount } from "../core/ports/catalog.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { SlotCount } from "../core/ports/schedule-records.ts";
import { adoptHandedOver } from "../engine/adopt-operations.ts";
import { createApiKeyService, ensureFirstApiKey } from "../engine/api-keys.ts";
import { createBackupContents } from "../engine/backup-contents.ts";
import { createBackupService } from "../engine/backup-service.ts";
import { checkOwnRepository } from "../engine/check-repository.ts";
import { createCopyService } from "../engine/copy-service.ts";
import { createGatekeeper } from "../engine/gatekeeper.ts";
import { createEnvironmentService } from "../engine/environments.ts";
import type { EngineParts, NoticeSubject } from "../engine/parts.ts";
import { createProjectService } from "../engine/projects.ts";
import { createBackupReader } from "../engine/read-backups.ts";
import { recoverDeadOperations } from "../engine/recover-operations.ts";
import { LeaseJudge } from "../engine/lease-judge.ts";
import { createNotificationService } from "../engine/notifications.ts";
import { runNotifications } from "../engine/run-notifications.ts";
import { runQueue } from "../engine/run-queue.ts";
import { runSchedules } from "../engine/run-schedules.ts";
import { createScheduleService } from "../engine/schedules.ts";
import { Bell } from "../engine/bell.ts";
import { CallGate } from "../engine/call-gate.ts";
import { OperationQueue } from "../engine/operation-queue.ts";
import { createKeyService } from "../engine/key-service.ts";
import { createRepositoryService } from "../engine/repository-service.ts";
import { createRestorePointService } from "../engine/restore-points.ts";
import { normalizeRepositoryUrl } from "../engine/repository-url.ts";
import { createRestoreService } from "../engine/restore-service.ts";
import { createDefinitionTender } from "../engine/save-definitions.ts";
import { tendRetiredDatabases } from "../engine/retired-databases.ts";
import { createWorkerLauncher } from "../processes/launch-worker.ts";
import { createProcesses } from "../processes/process-identity.ts";
import { compileCacheVariables } from "./compile-cache.ts";
import type { Config } from "./config.ts";
import { readHookPolicy } from "./hooks-file.ts";
import { workerMemoryVariables, workerNodeOptions } from "./worker-memory.ts";

export interface ServiceOptions {
  /**
   * Told what was found and done that nobody asked for (a dead operation, a reminder) during calls that
   * have no listener of their own. Default: standard error.
   */
  readonly onNotice?: (line: LogLine, about?: NoticeSubject) => void;
  /** Program and first arguments of a worker. Default: this installation's own. For tests. */
  readonly workerCommand?: readonly [string, ...string[]];
  /** Put around what starts workers. For tests. */
  readonly wrapLauncher?: (launcher: EngineParts["launcher"]) => EngineParts["launcher"];
  /** Default: the wall clock. For tests. */
  readonly clock?: Clock;
  /** `tend` is called from time to time, so that calls need not look for what dead processes left. Default: false. */
  readonly isTended?: boolean;
}

/** The product in this process, with what a server needs beside it. */
export interface Engine {
  readonly service: Lc2Service;
  readonly gatekeeper: Gatekeeper;
  /** Ends or adopts what dead processes left, and looks after databases that were swapped out. */
  tend(signal: AbortSignal): Promise<void>;
  /** Carries out what was submitted, when its turn comes, until it is stopped. Never rejects. */
  runQueue(stopping: AbortSignal): Promise<void>;
  /** Canonical URL. */
  readonly ownRepository: string;
  /** By a worker. Rejects while the store of the installation's own repository gives no answer. */
  checkOwnRepository(signal: AbortSignal): Promise<void>;
  /** Asks for the backups of schedules when they are due, until it is stopped. Never rejects. */
  runSchedules(stopping: AbortSignal): Promise<void>;
  /** Tells people what they asked to be told, until it is stopped. Never rejects. */
  runNotifications(stopping: AbortSignal): Promise<void>;
  /** Rejects while the catalog cannot be read. */
  checkCatalog(): Promise<void>;
  countOperations(): Promise<readonly OperationCount[]>;
  countSlots(): Promise<readonly SlotCount[]>;
  ensureFirstApiKey(keep: (secret: string) => Promise<void>): Promise<boolean>;
  /** How much of what was submitted is being carried out here. */
  unfinished(): number;
  /** How much of that moves no byte. */
  countStalled(): number;
  /** Leaves everything that is carried out here to the next server, with its running workers. */
  handOver(): void;
  /** Gives backups back to the queue. What else runs goes on. */
  giveBack(): void;
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
  return openEngine(config, openCatalog, options).service;
}

export function openEngine(config: Config, openCatalog: () => Catalog, options: ServiceOptions = {}): Engine {
  const unfinished = new Set<Promise<void>>();
  const parts = makeParts(config, openCatalog, options, (work) => {
    unfinished.add(work);
    void work.finally(() => unfinished.delete(work));
  });
  const tendDefinitions = createDefinitionTender(parts);
  return {
    service: makeService(parts, config),
    gatekeeper: createGatekeeper(parts),
    tend: async (signal) => {
      await adoptHandedOver(parts);
      await recoverDeadOperations(parts, signal);
      await tendRetiredDatabases(parts, signal);
      await tendDefinitions(signal);
    },
    runQueue: async (stopping) => await runQueue(parts, stopping),
    ownRepository: parts.defaultRepository,
    checkOwnRepository: async (signal) => await checkOwnRepository(parts, signal),
    runSchedules: async (stopping) => await runSchedules(parts, stopping),
    runNotifications: async (stopping) => await runNotifications(parts, stopping),
    checkCatalog: async () => void (await parts.catalog.listOpenOperations()),
    countOperations: async () => await parts.catalog.countOperations(),
    countSlots: async () => await parts.catalog.countSlots(),
    ensureFirstApiKey: async (keep) => await ensureFirstApiKey(parts, keep),
    unfinished: () => unfinished.size,
    countStalled: () => [...parts.held].filter(({ isStalled }) => isStalled).length,
    handOver: () => {
      for (const held of parts.held) held.handOver();
    },
    giveBack: () => {
      for (const held of parts.held) held.giveBack();
    },
  };
}

function makeParts(
  config: Config,
  openCatalog: () => Catalog,
  options: ServiceOptions,
  background: EngineParts["background"],
): EngineParts & { readonly openedCatalog: () => Catalog | undefined } {
  let catalog: Catalog | undefined;
  const launcher = makeLauncher(config, options);
  const clock = options.clock ?? { nowMs: () => Date.now() };
  return {
    openedCatalog: () => catalog,
    get catalog() {
      return (catalog ??= openCatalog());
    },
    launcher: options.wrapLauncher?.(launcher) ?? launcher,
    processes: createProcesses(),
    clock,
    ids: {
      hex: (length) =>
        randomBytes(Math.ceil(length / 2))
          .toString("hex")
          .slice(0, length),
    },
    leaseSeconds: config.leaseSeconds,
    stallMs: config.stallMinutes * 60_000,
    leaseJudge: new LeaseJudge(config.leaseSeconds),
    keysDirectory: config.keysDirectory,
    readHookPolicy: async () => await readHookPolicy(config.hooksFile),
    defaultRepository: normalizeRepositoryUrl(config.defaultRepository),
    keyPlace: (projectId) => join(config.keysDirectory, `${projectId}.key`),
    notice: options.onNotice ?? ((line) => process.stderr.write(`lc2: ${line.message}\n`)),
    isTended: options.isTended ?? false,
    held: new Set(),
    queue: new OperationQueue(config.limits, clock),
    callGate: new CallGate(config.callLimits),
    scheduleBell: new Bell(),
    background,
  };
}

function makeLauncher(config: Config, options: ServiceOptions): EngineParts["launcher"] {
  return createWorkerLauncher<WorkerTask, WorkerMessage>({
    command: options.workerCommand ?? [
      process.execPath,
      ...workerNodeOptions,
      fileURLToPath(new URL("./worker.ts", import.meta.url)),
    ],
    socketFolder: join(config.dataDirectory, "workers"),
    ...(options.workerCommand === undefined ? { expecting: expectingArguments } : {}),
    // Asked for at every launch: the first one may come before the data directory is there.
    get env() {
      return {
        ...compileCacheVariables(config.dataDirectory),
        ...workerMemoryVariables,
        ...config.env,
        UV_THREADPOOL_SIZE: config.env["UV_THREADPOOL_SIZE"] ?? workerThreads,
      };
    },
  });
}

/** What `worker.ts` is told of a task that is still to come: its kind, and whether there is a bucket in it. */
const expectingArguments = (taskKind: string, places: readonly string[]): readonly string[] =>
  places.some(isBucketUrl) ? [taskKind, "buckets"] : [taskKind];

function makeService(parts: ReturnType<typeof makeParts>, config: Config): Lc2Service {
  return {
    ...createApiKeyService(parts),
    ...createProjectService(parts),
    ...createEnvironmentService(parts),
    ...createScheduleService(parts),
    ...createNotificationService(parts),
    ...createBackupService(parts),
    ...createCopyService(parts),
    ...createBackupReader(parts),
    ...createBackupContents(parts),
    ...createRestoreService(parts),
    ...createRestorePointService(parts),
    ...createRepositoryService(parts),
    ...createKeyService(parts, async () => {
      const { KeyfileService } = await import("../keys/keyfile/keyfile-service.ts");
      return new KeyfileService(config.keysDirectory);
    }),
    close: async () => await parts.openedCatalog()?.close(),
  };
}
