/**
 * The process a worker lives in: it speaks the protocol of `contract/worker-task.ts` and ends when its task
 * has ended, when it is told to (SIGTERM), and within five seconds of losing its lease or its parent,
 * whatever the task does then.
 */
import { randomBytes } from "node:crypto";
import { lstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import type { TaskKind, TaskOf, TaskResults, WorkerMessage, WorkerTask } from "../contract/worker-task.ts";
import { Failure } from "../core/failure.ts";
import { defaultTimeoutSeconds } from "../core/hooks/hook.ts";
import type { KeyService } from "../core/ports/key-service.ts";
import type { ObjectStore } from "../core/ports/object-store.ts";
import type { ServerEncryption } from "../core/repository/encryption.ts";
import { concurrencyOf, type TransferLimits } from "./open-files.ts";
import { ParentLink } from "./parent-link.ts";
import { resolveSecrets } from "./resolve-secrets.ts";
import type { TaskRun } from "./task.ts";

/** What a store in a network wants to know. */
export interface StoreOptions {
  /** Ends what is under way. */
  readonly signal: AbortSignal;
  /** A sentence that people should read. */
  readonly onNotice: (message: string, level: "info" | "warn") => void;
  /** Most requests at a time, where the request limits them. */
  readonly maxConcurrency?: number;
  /** How the store is to encrypt, where that was accepted before. */
  readonly serverEncryption?: ServerEncryption;
}

/** What a worker process is made of; `main/worker.ts` puts it together. */
export interface WorkerParts {
  readonly runTask: <K extends TaskKind>(kind: K, task: TaskOf<K>, run: TaskRun) => Promise<TaskResults[K]>;
  readonly openStore: (url: string, options: StoreOptions) => Promise<ObjectStore>;
  readonly openKeys: (directory: string, onNotice: (message: string) => void) => Promise<KeyService>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** From losing lease or parent to the hard end: the five seconds of the promise, less some reserve. */
const hardEndMs = 4_000;
const scratchPrefix = "lc2-worker-";
const lowPriority = 10;
const urgentTasks: ReadonlySet<TaskKind> = new Set<TaskKind>([
  "plan-restore",
  "restore-database",
  "restore-files",
  "swap-database",
  "undo-restore",
  "download",
]);

const stopped = new AbortController();
/** Beyond that, for what a task has to undo in the world outside; nothing of it can spoil what is stored. */
let lastWorkMs = 0;
/** Opened when a worker runs, not when this file is read. */
let parent: ParentLink | undefined;

/**
 * Takes a task from standard input, runs it, reports on descriptor 3 and ends the process; or takes another one, where
 * its parent wants that.
 */
export async function runWorkerProcess(parts: WorkerParts): Promise<void> {
  process.once("SIGTERM", () => stopped.abort(new Failure("cancelled", "The task was cancelled.")));
  const tasks = readTasks();
  removeStaleScratch();
  let isDone: boolean;
  do isDone = await doTask(parts, tasks);
  while (isDone && !stopped.signal.aborted && parent?.waitForTask() === true);
  // A parent that is slow to read gets its answer; one that is gone has been noticed already.
  await parent?.end();
  process.exit(isDone ? 0 : 1);
}

/** The next one; whether it was done is reported, and answered. */
async function doTask(parts: WorkerParts, tasks: Tasks): Promise<boolean> {
  const scratchDirectory = mkdtempSync(join(tmpdir(), `${scratchPrefixHere()}${process.pid}-`));
  try {
    const task = await tasks.next();
    // What nobody waits for with a broken site gives way to the machine's other work; children inherit it.
    if (!urgentTasks.has(task.kind)) setPriority(lowPriority);
    if (task.kind === "hold-hook") lastWorkMs = (task.hook.timeout ?? defaultTimeoutSeconds) * 1000;
    const result = await run(parts, task, scratchDirectory);
    report({ type: "done", result });
    return true;
  } catch (error) {
    report({ type: "failed", failure: describeFailure(error).toRecord() });
    return false;
  } finally {
    tasks.endLease();
    rmSync(scratchDirectory, { recursive: true, force: true });
  }
}

async function run<K extends TaskKind>(parts: WorkerParts, task: TaskOf<K>, scratchDirectory: string) {
  const { context } = task;
  const onNotice = (message: string, level: "info" | "warn" = "warn") =>
    report({ type: "log", level, message });
  const limits = limitsOf(task);
  const openStore = (url: string, options: Pick<StoreOptions, "serverEncryption"> = {}) =>
    parts.openStore(url, {
      ...options,
      signal: stopped.signal,
      onNotice,
      ...(limits === undefined ? {} : { maxConcurrency: concurrencyOf(limits) }),
    });
  const taskRun: TaskRun = {
    context,
    store: await openStore(
      context.repository,
      context.serverEncryption === undefined ? {} : { serverEncryption: context.serverEncryption },
    ),
    openStore: (url) => openStore(url),
    keys: await parts.openKeys(context.keys.directory, onNotice),
    signal: stopped.signal,
    report,
    drained: async () => await parent?.drained(),
    clock: { nowMs: () => Date.now() },
    ids: {
      hex: (length) =>
        randomBytes(Math.ceil(length / 2))
          .toString("hex")
          .slice(0, length),
    },
    env: await resolveSecrets(task, parts.env),
    scratchDirectory,
  };
  return await parts.runTask<K>(task.kind, task, taskRun);
}

/** What a request says of transfers holds for the repository as for the files. */
function limitsOf(task: WorkerTask): TransferLimits | undefined {
  const limits = "spec" in task ? task.spec.storage : "plan" in task ? task.plan.files : undefined;
  const isLimited = limits?.maxConcurrency !== undefined || limits?.parallelTransfer !== undefined;
  return isLimited ? limits : undefined;
}

interface Tasks {
  /** Rejects when the parent is gone. */
  next(): Promise<WorkerTask>;
  /** The task is done: nothing is abandoned for a lease that is not renewed any more. */
  endLease(): void;
}

/** Tasks come one after the other; other lines renew the lease, the end of the parent aborts the task. */
function readTasks(): Tasks {
  let lease: ReturnType<typeof watchLease> | undefined;
  let coming = Promise.withResolvers<WorkerTask>();
  // It is waited for later.
  coming.promise.catch(() => undefined);
  parent = new ParentLink({
    onTask: (task) => {
      lease = watchLease(task.lease.seconds);
      coming.resolve(task);
    },
    onRenewal: () => lease?.renew(),
    onGone: () => {
      const failure = new Failure("interrupted", "The process that started this worker is gone.");
      abandon(failure);
      coming.reject(failure);
    },
  });
  return {
    next: async () => {
      const task = await coming.promise;
      coming = Promise.withResolvers<WorkerTask>();
      coming.promise.catch(() => undefined);
      return task;
    },
    endLease: () => {
      lease?.end();
      lease = undefined;
    },
  };
}

/** Measured by the monotonic clock: whoever sets the time neither ends nor prolongs a lease. */
function watchLease(seconds: number): { renew: () => void; end: () => void } {
  let renewedAtMs = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - renewedAtMs < seconds * 1000) return;
    const message = `The lease was not renewed for ${seconds} seconds, so the worker stopped.`;
    abandon(new Failure("interrupted", message, { retry: "backoff" }));
  }, 500).unref();
  return {
    renew: () => {
      renewedAtMs = performance.now();
    },
    end: () => clearInterval(timer),
  };
}

/** Nobody waits for this worker any more: its task is asked to stop, and not asked twice. */
function abandon(failure: Failure): void {
  if (stopped.signal.reason instanceof Failure && stopped.signal.reason.code === "interrupted") return;
  stopped.abort(failure);
  parent?.giveUp();
  setTimeout(endNow, hardEndMs + lastWorkMs);
}

/** This process and all its children, now. A worker leads its own group; started by hand it does not. */
function endNow(): void {
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {
    process.exit(1);
  }
}

const report = (message: WorkerMessage): void => parent?.send(message);

/** A task that was stopped reports why it was stopped, not what broke while it stopped. */
function describeFailure(error: unknown): Failure {
  return stopped.signal.aborted && stopped.signal.reason instanceof Failure
    ? stopped.signal.reason
    : Failure.from(error);
}

/**
 * Folders of workers that were killed. They hold named pipes and lists, never data. Only our own user's, and of
 * process ids that mean here what they meant there: containers may share this folder and not their processes.
 */
function removeStaleScratch(): void {
  const own = scratchPrefixHere();
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(name.startsWith(own) ? name.slice(own.length).split("-")[0] : Number.NaN);
    if (!Number.isInteger(pid) || pid <= 0 || isRunning(pid)) continue;
    const path = join(tmpdir(), name);
    if (isOwnFolder(path)) removeFolder(path);
  }
}

function scratchPrefixHere(): string {
  try {
    return `${scratchPrefix}${/\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0"}-`;
  } catch {
    return `${scratchPrefix}0-`;
  }
}

function isOwnFolder(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === process.getuid?.();
}

function removeFolder(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Another user's.
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
