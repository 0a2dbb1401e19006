/** A worker's run in memory, to call the tasks of a database backup without a process. */
import { execFile } from "node:child_process";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { DatabaseSourceSpec } from "../../src/contract/operations.ts";
import type { TaskOf, WorkerMessage } from "../../src/contract/worker-task.ts";
import type { DatabaseComponent, DatabaseInventory, StoredFile } from "../../src/core/repository/metadata.ts";
import { Failure } from "../../src/core/failure.ts";
import { KeyfileService } from "../../src/keys/keyfile/keyfile-service.ts";
import { MemoryStore } from "../../src/stores/memory/memory-store.ts";
import { backupDatabase } from "../../src/worker/backup/backup-database.ts";
import { createBackupKeys, openBackupKeys } from "../../src/worker/keys/backup-keys.ts";
import { readSmallFile, readStoredFile, type StoredFilePlace } from "../../src/worker/streams/stored-file.ts";
import type { TaskRun } from "../../src/worker/task.ts";

export const backupId = "backup-20251110-020000-3f9c2a";
const projectId = "retail";

export interface BackupRun extends AsyncDisposable {
  readonly run: TaskRun;
  readonly store: MemoryStore;
  readonly messages: readonly WorkerMessage[];
  /** Ends the run as a lost lease or a cancellation does. */
  readonly abort: (reason?: Error) => void;
  /** Backs up a database as attempt 1; `changes` replaces parts of the run. */
  backup(
    source: Partial<DatabaseSourceSpec> & { readonly url: string },
    changes?: Partial<TaskRun>,
  ): Promise<DatabaseComponent>;
  place(): Promise<StoredFilePlace>;
  inventory(component: DatabaseComponent): Promise<DatabaseInventory>;
  text(file: StoredFile): Promise<string>;
  /** Decrypts and decompresses a stored file into a local one, and names it. */
  extract(file: StoredFile): Promise<string>;
  /** Every name in the store that belongs to the backup, but its keyring. */
  names(): Promise<string[]>;
}

export interface BackupRunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly maxRateBytesPerSecond?: number;
}

export async function startBackupRun(options: BackupRunOptions = {}): Promise<BackupRun> {
  const directory = await mkdtemp(join(tmpdir(), "lc2-backup-run-"));
  const store = new MemoryStore();
  const controller = new AbortController();
  const messages: WorkerMessage[] = [];
  const context: TaskRun["context"] = {
    repository: store.url,
    keys: { kind: "keyfile", directory: join(directory, "keys") },
    projectId,
    ...(options.maxRateBytesPerSecond === undefined
      ? {}
      : { maxRateBytesPerSecond: options.maxRateBytesPerSecond }),
  };
  const run: TaskRun = {
    context,
    store,
    openStore: () => Promise.resolve(store),
    keys: new KeyfileService(join(directory, "keys")),
    signal: controller.signal,
    report: (message) => messages.push(message),
    drained: () => Promise.resolve(),
    clock: { nowMs: () => Date.now() },
    ids: { hex: (length) => "0".repeat(length) },
    env: { PATH: process.env["PATH"], ...options.env },
    scratchDirectory: directory,
  };
  await createBackupKeys(run, backupId);
  const place = async (): Promise<StoredFilePlace> => {
    const keys = await openBackupKeys(run, backupId);
    return { store, projectId, backupId, key: keys.data };
  };
  return {
    run,
    store,
    messages,
    abort: (reason) => controller.abort(reason),
    place,
    backup: (source, changes) => backupDatabase(taskFor(context, source), { ...run, ...changes }),
    inventory: async ({ inventory }) =>
      JSON.parse((await readSmallFile(await place(), inventory)).toString("utf8")) as DatabaseInventory,
    text: async (file) => (await readSmallFile(await place(), file)).toString("utf8"),
    async extract(file) {
      const path = join(directory, file.name.replaceAll("/", "_"));
      const output = await open(path, "w");
      for await (const chunk of readStoredFile(await place(), file, { verifyChecksum: true })) {
        await output.write(chunk);
      }
      await output.close();
      return path;
    },
    async names() {
      const names: string[] = [];
      for await (const object of store.list(`backups/${projectId}/${backupId}/a`)) names.push(object.name);
      return names;
    },
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function taskFor(
  context: TaskRun["context"],
  source: Partial<DatabaseSourceSpec> & { readonly url: string },
): TaskOf<"backup-database"> {
  return {
    context,
    lease: { seconds: 30 },
    kind: "backup-database",
    backupId,
    attempt: 1,
    spec: { projectId, provider: "local", database: { excludeTables: [], ...source } },
  };
}

/** The failure that work ends with; any other end is the test's. */
export async function failureOf(work: Promise<unknown>): Promise<Failure> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("it succeeded");
}

const execute = promisify(execFile);

/** Runs a program and gives its standard output; rejects with its standard error. */
export async function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { stdout } = await execute(program, args, {
    env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C.UTF-8", ...env },
    maxBuffer: 256 << 20,
  });
  return stdout;
}
