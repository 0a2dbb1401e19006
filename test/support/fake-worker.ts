/**
 * A worker with the real protocol, lease watch and hard end, whose tasks move no bytes: they note their
 * effects in the folder LC2_TEST_CONTROL and stop where a test tells them to. Started like the real one.
 *
 * In that folder: `effects.log` gets a line `kind id attempt` for each effect; while `hold-KIND` exists the
 * task waits before its effect, while `hold-after-KIND` after it; with `deaf-KIND` it ignores its signal;
 * `fail-KIND` holds a failure record to end with; `once-fail-KIND` the same, for the first call.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { TaskKind, TaskOf, TaskResults, WorkerTask } from "../../src/contract/worker-task.ts";
import { Failure, type FailureRecord } from "../../src/core/failure.ts";
import type { BackupMetadata } from "../../src/core/repository/metadata.ts";
import type { DatabasePlan, FilesPlan, RestorePlan, RestoreSpec } from "../../src/core/restore/restore.ts";
import { KeyfileService } from "../../src/keys/keyfile/keyfile-service.ts";
import { openFilesystemStore } from "../../src/stores/filesystem/filesystem-store.ts";
import type { TaskRun } from "../../src/worker/task.ts";
import { runWorkerProcess } from "../../src/worker/worker-process.ts";

const control = process.env["LC2_TEST_CONTROL"] ?? "";
const at = (name: string): string => join(control, name);

await runWorkerProcess({
  runTask: async <K extends TaskKind>(_kind: K, task: TaskOf<K>, run: TaskRun): Promise<TaskResults[K]> =>
    (await perform(task, run)) as TaskResults[K],
  openStore: async (url) => openFilesystemStore(fileURLToPath(url)),
  openKeys: async (directory) => new KeyfileService(directory),
  env: process.env,
});

async function perform(task: WorkerTask, run: TaskRun): Promise<TaskResults[TaskKind]> {
  const id = "backupId" in task ? task.backupId : "restoreId" in task ? task.restoreId : "-";
  mkdirSync(at("pids"), { recursive: true });
  writeFileSync(at(`pids/${task.kind}`), String(process.pid));
  await waitWhile(`hold-${task.kind}`, task, run);
  for (const name of [`fail-${task.kind}`, `once-fail-${task.kind}`]) {
    if (!existsSync(at(name))) continue;
    const failure = JSON.parse(readFileSync(at(name), "utf8")) as FailureRecord;
    if (name.startsWith("once-")) rmSync(at(name));
    throw Failure.fromRecord(failure);
  }
  const result = affect(task, id, run);
  await waitWhile(`hold-after-${task.kind}`, task, run);
  return result;
}

async function waitWhile(name: string, task: WorkerTask, run: TaskRun): Promise<void> {
  const listen = (): void => {
    if (!existsSync(at(`deaf-${task.kind}`))) run.signal.throwIfAborted();
  };
  while (existsSync(at(name))) {
    listen();
    run.report({
      type: "progress",
      progress: { component: "files", phase: "waiting", bytes: 1, totalBytes: 2 },
    });
    await sleep(20);
  }
  listen();
}

/** The line comes after the effect: who kills the worker on seeing it kills one that has done its work. */
function affect(task: WorkerTask, id: string, run: TaskRun): TaskResults[TaskKind] {
  const result = affectBackup(task, id, run);
  const attempt = "attempt" in task ? task.attempt : 1;
  const changesNothing =
    task.kind === "read-metadata" || (task.kind === "swap-database" && task.lookOnly === true);
  if (!changesNothing) appendFileSync(at("effects.log"), `${task.kind} ${id} ${attempt}\n`);
  return result;
}

function affectBackup(task: WorkerTask, id: string, run: TaskRun): TaskResults[TaskKind] {
  switch (task.kind) {
    case "prepare-backup":
      return { repositoryCreated: false, keyCreated: false };
    case "backup-database":
      run.report({ type: "recovery-point", at: "2026-01-01T00:00:00.000Z" });
      return emptyResult();
    case "seal-backup": {
      const metadata = makeMetadata(task);
      writeFileSync(at(`sealed-${id}`), JSON.stringify(metadata), { flag: "wx" });
      return metadata;
    }
    case "read-metadata":
      return existsSync(at(`sealed-${id}`))
        ? { metadata: JSON.parse(readFileSync(at(`sealed-${id}`), "utf8")) as BackupMetadata }
        : {};
    case "plan-restore":
      return makePlan(task);
    default:
      return affectRestore(task, id);
  }
}

function affectRestore(task: WorkerTask, id: string): TaskResults[TaskKind] {
  switch (task.kind) {
    case "swap-database":
      if (task.lookOnly === true) return { swapped: existsSync(at(`swapped-${id}`)) };
      writeFileSync(at(`swapped-${id}`), "", { flag: "wx" });
      return { swapped: true, retiredDatabase: "shop_old" };
    case "restore-database":
      return { database: "shop", rows: 7 } as TaskResults["restore-database"];
    case "discard-restore":
      return { dropped: ["shop_new"] };
    case "drop-old-database":
      return { dropped: true };
    case "undo-restore":
      return {
        ...(task.parts.includes("database") ? { database: { swappedBack: true } } : {}),
        ...(task.parts.includes("files") ? { files: { restored: 1, removed: 0 } } : {}),
      };
    default:
      return emptyResult();
  }
}

/** Nothing reads what is in it. */
function emptyResult(): TaskResults[TaskKind] {
  return JSON.parse("{}") as TaskResults[TaskKind];
}

function makeMetadata(task: TaskOf<"seal-backup">): BackupMetadata {
  return {
    format: "lc2-backup",
    formatVersion: 1,
    projectId: task.context.projectId,
    backupId: task.backupId,
    attempt: task.attempt,
    ...(task.spec.application === undefined ? {} : { application: task.spec.application }),
    createdAt: task.createdAt,
    sealedAt: new Date().toISOString(),
    writtenBy: "test",
    encryption: "client",
    components: {},
    storedBytes: 10,
    sourceBytes: 20,
    restoreByHand: "",
    signature: { algorithm: "HMAC-SHA256", value: "" },
  };
}

function makePlan(task: TaskOf<"plan-restore">): RestorePlan {
  const { spec, restoreId } = task;
  return {
    restoreId,
    projectId: spec.projectId,
    backupId: spec.backupId,
    restoreType: spec.restoreType,
    ...(spec.database === undefined ? {} : { database: makeDatabasePlan(spec.database) }),
    ...(spec.storage === undefined ? {} : { files: makeFilesPlan(spec.storage) }),
    blockers: existsSync(at("blocker"))
      ? [{ code: "target-occupied", message: "The target is occupied." }]
      : [],
    warnings: [],
    steps: [],
    hash: "0123456789abcdef",
  };
}

function makeDatabasePlan(target: NonNullable<RestoreSpec["database"]>): DatabasePlan {
  return {
    url: target.url,
    into: target.into ?? "swap",
    target: "shop",
    loadInto: "shop_new",
    retireAs: "shop_old",
    serverVersion: "17.0",
    tools: { directory: "/", version: "17.0" },
    jobs: 1,
    createDatabase: true,
    noOwner: false,
    createRoles: false,
    endSessions: true,
    leaveOut: [],
    rows: 7,
    bytes: 10,
    breaks: [],
  };
}

function makeFilesPlan(target: NonNullable<RestoreSpec["storage"]>): FilesPlan {
  const counts = { add: 1, change: 0, remove: 0, unchanged: 0, bytesToWrite: 10 };
  return { url: target.url, mode: target.mode, include: [], ...counts };
}
