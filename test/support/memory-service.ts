/**
 * The whole service in memory: backups and restores are entries in maps, nothing is read or written. The
 * command line's tests run on it; it keeps what it was asked for in `calls`.
 */
import type { SavedContexts } from "../../src/cli/contexts.ts";
import type { ServeWish } from "../../src/cli/host.ts";
import type { ApiKeyView } from "../../src/contract/access.ts";
import type { CopyView } from "../../src/contract/copies.ts";
import type { RestorePoint } from "../../src/contract/restore-points.ts";
import type { BackupSpec, RestoreSpec } from "../../src/contract/operations.ts";
import type { ScheduleView } from "../../src/contract/schedules.ts";
import type {
  BackupReference,
  BackupView,
  Lc2Service,
  LogLine,
  RestoreView,
  ServiceEvent,
  Waiting,
} from "../../src/contract/service.ts";
import type {
  BrowseItem,
  CheckRepositoryResult,
  CopyBackupResult,
  DeleteBackupResult,
  ProbeRepositoryResult,
  ScanRepositoryResult,
  VerifyBackupResult,
} from "../../src/contract/worker-task.ts";
import { Failure } from "../../src/core/failure.ts";
import type { RestorePlan } from "../../src/core/restore/restore.ts";
import { createMemoryDefinitions, exampleDefinitions, type DefinitionsWorld } from "./memory-definitions.ts";
import { createMemorySchedules, exampleSchedule } from "./memory-schedules.ts";
import { exampleBackup, exampleCopy, examplePlan, exampleRestore } from "./service-examples.ts";

export interface MemoryWorld extends DefinitionsWorld {
  readonly backups: Map<string, BackupView>;
  readonly restores: Map<string, RestoreView>;
  readonly copies: Map<string, CopyView>;
  readonly schedules: Map<string, ScheduleView>;
  readonly calls: { readonly method: string; readonly arguments: readonly unknown[] }[];
  /** Sent to whoever waits, before the result. */
  events: readonly ServiceEvent[];
  /** Thrown by the next call that waits. */
  failNext?: Failure;
  /** Methods that wait never end until their signal is aborted. */
  hang: boolean;
  /** Lets the call that hangs go on. */
  release?: () => void;
  plan: RestorePlan;
  items: readonly BrowseItem[];
  content: Buffer;
  logs: readonly LogLine[];
  verification: VerifyBackupResult;
  check: CheckRepositoryResult;
  scan: ScanRepositoryResult;
  probe: ProbeRepositoryResult;
  deletion: DeleteBackupResult;
  copy: NonNullable<CopyBackupResult["done"]>;
  apiKeys: ApiKeyView[];
  restorePoints: readonly RestorePoint[];
  /** That the service was opened on. */
  dataDirectory?: string;
  served?: ServeWish;
  contexts: SavedContexts;
  closed: number;
}

export function createMemoryWorld(): MemoryWorld {
  const backup = exampleBackup();
  const restore = exampleRestore();
  const copy = exampleCopy();
  return {
    backups: new Map([[backup.backupId, backup]]),
    restores: new Map([[restore.restoreId, restore]]),
    copies: new Map([[copy.copyId, copy]]),
    schedules: new Map([["default/nightly", exampleSchedule()]]),
    calls: [],
    events: [],
    hang: false,
    plan: examplePlan(),
    items: [
      { type: "table", schema: "public", name: "layout", rows: 1234, bytes: 56_789 },
      { type: "table", schema: "public", name: "cache_page" },
      { type: "directory", path: "reports", size: 0, modifiedAt: "2026-11-20T10:00:00.000Z" },
      {
        type: "file",
        path: "reports/a\u001b[2J.pdf",
        size: 1_500_000,
        modifiedAt: "2026-11-20T10:00:00.000Z",
      },
    ],
    content: Buffer.from("content of the file\n"),
    logs: [
      { at: "2026-11-24T14:00:00.000Z", level: "info", message: "Started." },
      {
        at: "2026-11-24T14:00:05.000Z",
        level: "warn",
        message: "pg_dump: warning: circular foreign keys\nhint: none",
      },
    ],
    verification: {
      files: 7,
      storedBytes: 142_000_000,
      plainBytes: 1_070_000_000,
      objects: 50_012,
      damages: [],
    },
    check: { backups: 3, files: 40, bytesRead: 1_000_000, damages: [], leftovers: [] },
    scan: {
      repositoryId: "0f5e",
      backups: [],
      unsealed: 0,
      carried: 0,
      incomplete: [],
      definitions: [],
      notes: [],
    },
    probe: {
      repositoryFound: false,
      capabilities: [
        {
          name: "conditional-create",
          answer: "yes",
          sentence: "Of two that create one object one is refused.",
        },
        { name: "versioning", answer: "no", sentence: "A deleted object is gone at once." },
        { name: "object-lock", answer: "unknown", sentence: "The rights to ask are missing." },
      ],
    },
    deletion: {
      keyringDestroyed: true,
      deletedFiles: 12,
      deletedBytes: 34_000_000,
      keptFiles: 2,
      keptBytes: 5_000_000,
      filesKeyHeldBy: ["backup-20261124-140000-aaaaaa"],
    },
    copy: {
      wasThere: false,
      repositoryCreated: true,
      copied: { files: 12, sizeBytes: 34_000_000 },
      found: { files: 2, sizeBytes: 5_000_000 },
      earlierBackups: ["backup-20261123-140000-aaaaaa"],
    },
    apiKeys: [
      {
        keyId: "key-0123456789ab",
        name: "nightly",
        role: "operator",
        projects: ["retail"],
        status: "active",
        createdAt: "2026-11-24T14:00:00.000Z",
      },
    ],
    ...exampleDefinitions(),
    restorePoints: [
      {
        backupId: backup.backupId,
        environment: "prod",
        at: "2026-11-24T14:00:01.000Z",
        database: true,
        files: true,
        usable: true,
      },
      {
        backupId: "backup-20261123-140000-aaaaaa",
        at: "2026-11-23T14:00:01.000Z",
        database: true,
        files: false,
        verifiedAt: "2026-11-23T15:00:00.000Z",
        usable: false,
        reason: "The environment staging takes backups of prod only.",
      },
    ],
    contexts: { contexts: { staging: { server: "https://staging.example.com" } } },
    closed: 0,
  };
}

const ownRepository = "file:///var/lib/lc2/repository";

export function createMemoryService(world: MemoryWorld): Lc2Service {
  const called = (method: string, ...args: readonly unknown[]): void => {
    world.calls.push({ method, arguments: args });
  };
  const backupOf = ({ backupId, projectId }: BackupReference): BackupView => {
    const found = world.backups.get(backupId);
    if (found === undefined || (projectId !== undefined && found.projectId !== projectId)) {
      throw new Failure(
        "backup-not-found",
        `There is no backup ${backupId}. \`lc2 backup list\` shows what there is.`,
      );
    }
    return found;
  };
  const copyOf = (copyId: string): CopyView => {
    const found = world.copies.get(copyId);
    if (found !== undefined) return found;
    throw new Failure("copy-not-found", `There is no copy ${copyId}. \`lc2 copy list\` shows what there is.`);
  };
  const restoreOf = (restoreId: string): RestoreView => {
    const found = world.restores.get(restoreId);
    if (found === undefined) {
      throw new Failure(
        "restore-not-found",
        `There is no restore ${restoreId}. \`lc2 restore list\` shows what there is.`,
      );
    }
    return found;
  };
  const apiKeyOf = (keyId: string): ApiKeyView => {
    const found = world.apiKeys.find((key) => key.keyId === keyId);
    if (found === undefined) throw new Failure("api-key-not-found", `There is no API key "${keyId}".`);
    return found;
  };
  const wait = async (waiting: Waiting): Promise<void> => {
    for (const event of world.events) waiting.onEvent(event);
    if (world.failNext !== undefined) {
      const failure = world.failNext;
      delete world.failNext;
      throw failure;
    }
    if (world.hang) {
      await new Promise<void>((resolve) => {
        if (waiting.signal.aborted) resolve();
        waiting.signal.addEventListener("abort", () => resolve());
        world.release = resolve;
      });
    }
    if (waiting.signal.aborted) throw new Failure("cancelled", "The operation was cancelled.");
  };

  return {
    createBackup: async (spec: BackupSpec, options, waiting) => {
      called("createBackup", spec, options);
      const view = {
        ...exampleBackup(),
        projectId: spec.projectId,
        repository: options.repository ?? ownRepository,
      };
      waiting.onEvent({ type: "accepted", id: view.backupId });
      await wait(waiting);
      world.backups.set(view.backupId, view);
      return view;
    },
    submitBackup: async (spec, options) => {
      called("submitBackup", spec, options);
      const { metadata: _, completedAt: __, size: ___, ...begun } = exampleBackup();
      const view: BackupView = {
        ...begun,
        ...(options.operationId === undefined ? {} : { backupId: options.operationId }),
        ...(options.requestId === undefined ? {} : { requestId: options.requestId }),
        projectId: spec.projectId,
        status: "Pending",
        components: {},
      };
      world.backups.set(view.backupId, view);
      return await Promise.resolve(view);
    },
    dryRunBackup: async (spec, options, waiting) => {
      called("dryRunBackup", spec, options);
      await wait(waiting);
      return ["read database lportal (1.07 GB) with pg_dump 17.10", "list file:///srv/dl"];
    },
    listBackups: async (query) => {
      called("listBackups", query);
      const found = [...world.backups.values()].filter(
        ({ projectId, status }) =>
          (query.projectId ?? projectId) === projectId && (query.status ?? status) === status,
      );
      const offset = query.offset ?? 0;
      return await Promise.resolve({
        backups: found.slice(offset, offset + query.limit),
        total: found.length,
      });
    },
    getBackup: async (reference) => {
      called("getBackup", reference);
      return await Promise.resolve(backupOf(reference));
    },
    backupLogs: async (reference) => {
      called("backupLogs", reference);
      backupOf(reference);
      return await Promise.resolve(world.logs);
    },
    browseBackup: async (reference, pattern, onItem, waiting) => {
      called("browseBackup", reference, pattern);
      backupOf(reference);
      for (const item of world.items) await onItem(item);
      await wait(waiting);
      return { tables: 2, files: 1, bytes: 1_500_000 };
    },
    downloadBackup: async (reference, path, output, waiting) => {
      called("downloadBackup", reference, path, output);
      backupOf(reference);
      const { writeSync } = await import("node:fs");
      if (typeof output === "function") await output(world.content);
      else if (output > 2) writeSync(output, world.content);
      await wait(waiting);
      return { bytes: world.content.length, sha256: "ab".repeat(32) };
    },
    verifyBackup: async (reference, options, waiting) => {
      called("verifyBackup", reference, options);
      backupOf(reference);
      await wait(waiting);
      return world.verification;
    },
    copyBackup: async (reference, options, waiting) => {
      called("copyBackup", reference, options);
      const { backupId, projectId, repository } = backupOf(reference);
      await wait(waiting);
      const view: CopyView = {
        ...exampleCopy(),
        backupId,
        projectId,
        from: repository,
        ...(options.to === undefined ? {} : { to: options.to }),
        ...world.copy,
      };
      world.copies.set(view.copyId, view);
      return view;
    },
    listCopies: async (query) => {
      called("listCopies", query);
      const copies = [...world.copies.values()];
      return await Promise.resolve({ copies: copies.slice(0, query.limit), total: copies.length });
    },
    getCopy: async (copyId) => {
      called("getCopy", copyId);
      return await Promise.resolve(copyOf(copyId));
    },
    copyLogs: async (copyId) => {
      called("copyLogs", copyId);
      copyOf(copyId);
      return await Promise.resolve(world.logs);
    },
    cancelCopy: async (copyId) => {
      called("cancelCopy", copyId);
      return await Promise.resolve({ ...copyOf(copyId), status: "Cancelled" as const });
    },
    setCopyTarget: async (repository = ownRepository, options, waiting) => {
      called("setCopyTarget", repository, options);
      await wait(waiting);
      return { repository, ...(options.to === undefined ? {} : { copyTo: options.to }) };
    },
    cancelBackup: async (reference) => {
      called("cancelBackup", reference);
      return await Promise.resolve({ ...backupOf(reference), status: "Cancelled" as const });
    },
    deleteBackup: async (reference, options, waiting) => {
      called("deleteBackup", reference, options);
      backupOf(reference);
      await wait(waiting);
      if (!options.dryRun) world.backups.delete(reference.backupId);
      return world.deletion;
    },
    planRestore: async (spec: RestoreSpec, options, waiting) => {
      called("planRestore", spec, options);
      await wait(waiting);
      return world.plan;
    },
    createRestore: async (spec, options, waiting) => {
      called("createRestore", spec, options);
      const view = {
        ...exampleRestore(),
        plan: world.plan,
        backupId: spec.backupId,
        projectId: spec.projectId,
      };
      waiting.onEvent({ type: "accepted", id: view.restoreId });
      await options.onPlan?.(world.plan);
      const [blocker] = world.plan.blockers;
      if (blocker !== undefined) throw new Failure("plan-blocked", blocker.message);
      await wait(waiting);
      world.restores.set(view.restoreId, view);
      return view;
    },
    submitRestore: async (spec, options) => {
      called("submitRestore", spec, options);
      backupOf(spec);
      const view: RestoreView = {
        restoreId: options.operationId ?? exampleRestore().restoreId,
        projectId: spec.projectId,
        backupId: spec.backupId,
        restoreType: spec.restoreType,
        status: "Pending",
        progress: 0,
        createdAt: "2026-11-24T15:00:00.000Z",
      };
      world.restores.set(view.restoreId, view);
      return await Promise.resolve(view);
    },
    listRestores: async (query) => {
      called("listRestores", query);
      const restores = [...world.restores.values()];
      return await Promise.resolve({ restores: restores.slice(0, query.limit), total: restores.length });
    },
    getRestore: async (restoreId) => {
      called("getRestore", restoreId);
      return await Promise.resolve(restoreOf(restoreId));
    },
    restoreLogs: async (restoreId) => {
      called("restoreLogs", restoreId);
      restoreOf(restoreId);
      return await Promise.resolve(world.logs);
    },
    cancelRestore: async (restoreId) => {
      called("cancelRestore", restoreId);
      return await Promise.resolve({ ...restoreOf(restoreId), status: "Cancelled" as const });
    },
    undoRestore: async (restoreId, waiting) => {
      called("undoRestore", restoreId);
      const view = restoreOf(restoreId);
      await wait(waiting);
      return {
        ...view,
        undone: {
          database: { swappedBack: true, keptAs: "lportal_undone" },
          files: { restored: 40, removed: 3 },
        },
      };
    },
    checkRepository: async (repository = ownRepository, options, waiting) => {
      called("checkRepository", repository, options);
      await wait(waiting);
      return { repository, ...world.check };
    },
    scanRepository: async (repository = ownRepository, options, waiting) => {
      called("scanRepository", repository, options);
      await wait(waiting);
      return { repository, ...world.scan };
    },
    sweepRepository: async (repository = ownRepository, options, waiting) => {
      called("sweepRepository", repository, options);
      await wait(waiting);
      return {
        repository,
        deletedFiles: 2,
        deletedBytes: 4096,
        keptYoung: 1,
        removed: ["backups/retail/backup-x/a1/files/1"],
      };
    },
    probeRepository: async (repository = ownRepository, waiting) => {
      called("probeRepository", repository);
      await wait(waiting);
      return { repository, ...world.probe };
    },
    rotateKey: async (projectId, options, waiting) => {
      called("rotateKey", projectId, options);
      await wait(waiting);
      return { rewrapped: 4, alreadyCurrent: 1, keyId: "k-2" };
    },
    exportKey: async (projectId) => {
      called("exportKey", projectId);
      return await Promise.resolve(`# lc2 key of project ${projectId}\nsecret words\n`);
    },
    importKey: async (text, options) => {
      called("importKey", text, options);
      return await Promise.resolve({ projectId: "retail", added: ["k-1"], known: [] });
    },
    createRecoveryKey: async (projectId) => {
      called("createRecoveryKey", projectId);
      return await Promise.resolve({ keyId: "r-1", privateText: "LC2-RECOVERY private half" });
    },
    createApiKey: async (wish) => {
      called("createApiKey", wish);
      const { expiresInSeconds: _, ...given } = wish;
      const key: ApiKeyView = {
        keyId: "key-0123456789ab",
        ...given,
        status: "active",
        createdAt: "2026-11-24T15:00:00.000Z",
      };
      world.apiKeys.push(key);
      return await Promise.resolve({ ...key, secret: "lc2_secret" });
    },
    listApiKeys: async () => {
      called("listApiKeys");
      return await Promise.resolve(world.apiKeys);
    },
    rotateApiKey: async (keyId, options) => {
      called("rotateApiKey", keyId, options);
      return await Promise.resolve({ ...apiKeyOf(keyId), keyId: "key-2", secret: "lc2_new" });
    },
    revokeApiKey: async (keyId) => {
      called("revokeApiKey", keyId);
      return await Promise.resolve({ ...apiKeyOf(keyId), status: "revoked" as const });
    },
    listRestorePoints: async (query) => {
      called("listRestorePoints", query);
      return await Promise.resolve({ restorePoints: world.restorePoints, total: world.restorePoints.length });
    },
    ...createMemoryDefinitions(world, called),
    ...createMemorySchedules(world.schedules, called),
    close: async () => {
      world.closed += 1;
      await Promise.resolve();
    },
  };
}
