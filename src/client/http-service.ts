/** The service of a server far away: what is not for it to do rejects with `not-available`. */
import type {
  BackupSummary,
  BackupView,
  Lc2Service,
  LogLine,
  Restores,
  RestoreView,
  Waiting,
} from "../contract/service.ts";
import type { BackupWish, RestoreWish } from "../contract/operations.ts";
import { Failure } from "../core/failure.ts";
import type { RestorePlan } from "../core/restore/restore.ts";
import { createRestorePointCalls } from "./restore-point-calls.ts";
import { createApiKeyCalls } from "./api-key-calls.ts";
import { placeOf } from "./call-parts.ts";
import { createContentCalls } from "./content-calls.ts";
import { createCopyCalls } from "./copy-calls.ts";
import { createKeyCalls, createRepositoryCalls } from "./repository-calls.ts";
import {
  createEnvironmentCalls,
  createNotificationCalls,
  createProjectCalls,
  createScheduleCalls,
} from "./definition-calls.ts";
import { HttpConnection, type ServerAddress } from "./http-connection.ts";
import { anyProject, read, readPages } from "./pages.ts";
import { submissionOf } from "./submission.ts";

export function createHttpService(address: ServerAddress): Lc2Service {
  const http = new HttpConnection(address);
  return {
    ...createBackupCalls(http),
    ...createRestoreCalls(http),
    ...createProjectCalls(http),
    ...createEnvironmentCalls(http),
    ...createRestorePointCalls(http),
    ...createContentCalls(http),
    ...createCopyCalls(http),
    ...createRepositoryCalls(http),
    ...createKeyCalls(http),
    ...createApiKeyCalls(http),
    ...createScheduleCalls(http),
    ...createNotificationCalls(http),
    close: async () => await Promise.resolve(),
  };
}

type BackupCalls = Pick<
  Lc2Service,
  | "createBackup"
  | "dryRunBackup"
  | "submitBackup"
  | "listBackups"
  | "getBackup"
  | "backupLogs"
  | "verifyBackup"
  | "cancelBackup"
  | "deleteBackup"
>;

function createBackupCalls(http: HttpConnection): BackupCalls {
  const submitBackup: BackupCalls["submitBackup"] = async (spec, options) =>
    await http.call<BackupView>({
      method: "POST",
      path: `projects/${spec.projectId}/backups`,
      body: toBackupBody(spec, options),
      ...submissionOf(options),
    });
  return {
    submitBackup,
    createBackup: async (spec, options, waiting) => {
      const begun = await submitBackup(spec, options);
      waiting.onEvent({ type: "accepted", id: begun.backupId });
      return await follow<BackupView>(http, `projects/${spec.projectId}/backups/${begun.backupId}`, waiting);
    },
    listBackups: async ({ projectId, sinceMs, untilMs, limit, offset = 0, ...filters }) => {
      const query = {
        ...filters,
        startDate: sinceMs === undefined ? undefined : new Date(sinceMs).toISOString(),
        endDate: untilMs === undefined ? undefined : new Date(untilMs).toISOString(),
      };
      const path = `projects/${projectId ?? anyProject}/backups`;
      const { items, total } = await readPages<BackupSummary>(http, path, query, "backups", offset + limit);
      return { backups: items.slice(offset), total };
    },
    dryRunBackup: async (spec, options, waiting) => {
      const path = `projects/${spec.projectId}/backups/dry-run`;
      const body = toBackupBody(spec, options);
      const call = { method: "POST", path, body, repeatable: true } as const;
      return (await http.callWaiting<{ steps: readonly string[] }>(call, waiting)).steps;
    },
    getBackup: async (reference) => await http.call({ ...read, ...placeOf(reference) }),
    backupLogs: async (reference) => {
      const call = { ...read, ...placeOf(reference, "/logs") };
      return (await http.call<{ lines: readonly LogLine[] }>(call)).lines;
    },
    verifyBackup: async (reference, options, waiting) =>
      await http.callWaiting(
        { method: "POST", ...placeOf(reference, "/verify"), body: options, repeatable: true },
        waiting,
      ),
    cancelBackup: async (reference) => await http.call({ method: "POST", ...placeOf(reference, "/cancel") }),
    deleteBackup: async (reference, { dryRun }, waiting) => {
      const { path, query } = placeOf(reference);
      const wish = dryRun ? { ...query, dryRun } : query;
      return await http.callWaiting({ method: "DELETE", path, query: wish }, waiting);
    },
  };
}

function createRestoreCalls(http: HttpConnection): Restores {
  const planRestore: Restores["planRestore"] = async (spec, options, waiting) =>
    await http.callWaiting<RestorePlan>(
      {
        method: "POST",
        path: `projects/${spec.projectId || anyProject}/restores/plan`,
        body: toRestoreBody(spec, options),
        repeatable: true,
      },
      waiting,
    );
  const submitRestore: Restores["submitRestore"] = async (spec, { approve, ...options }) =>
    await http.call<RestoreView>({
      method: "POST",
      path: `projects/${spec.projectId || anyProject}/restores`,
      body: {
        ...toRestoreBody(spec, options),
        ...(approve === undefined ? {} : { approvedPlan: approve }),
      },
      ...submissionOf(options),
    });
  const pathOfRestore = (restoreId: string): string =>
    `projects/${anyProject}/restores/${encodeURIComponent(restoreId)}`;
  return {
    planRestore,
    submitRestore,
    createRestore: async (spec, { onPlan, approve, ...options }, waiting) => {
      let approved = approve;
      let chosen = spec;
      if (onPlan !== undefined) {
        const plan = await planRestore(spec, options, waiting);
        // On obstacles the server refuses; nobody is asked about a plan that cannot be run.
        if (plan.blockers.length === 0 && (approve === undefined || approve === plan.hash))
          await onPlan(plan);
        if (plan.needsApproval === true && approve === undefined) throw notApproved(plan);
        approved ??= plan.hash;
        // The newest may be another one by now.
        chosen = { ...withoutChoice(spec), backupId: plan.backupId, projectId: plan.projectId };
      }
      const wish = approved === undefined ? options : { ...options, approve: approved };
      const begun = await submitRestore(chosen, wish);
      waiting.onEvent({ type: "accepted", id: begun.restoreId });
      return await follow<RestoreView>(http, pathOfRestore(begun.restoreId), waiting);
    },
    listRestores: async ({ projectId, limit, offset = 0 }) => {
      const path = `projects/${projectId ?? anyProject}/restores`;
      const { items, total } = await readPages<RestoreView>(http, path, {}, "restores", offset + limit);
      return { restores: items.slice(offset), total };
    },
    getRestore: async (restoreId) => await http.call({ ...read, path: pathOfRestore(restoreId) }),
    restoreLogs: async (restoreId) => {
      const path = `${pathOfRestore(restoreId)}/logs`;
      return (await http.call<{ lines: readonly LogLine[] }>({ ...read, path })).lines;
    },
    cancelRestore: async (restoreId) =>
      await http.call({ method: "POST", path: `${pathOfRestore(restoreId)}/cancel` }),
    undoRestore: async (restoreId, waiting) =>
      await http.callWaiting({ method: "POST", path: `${pathOfRestore(restoreId)}/undo` }, waiting),
  };
}

function toBackupBody(
  spec: BackupWish,
  { repository, maxRateBytesPerSecond }: { repository?: string; maxRateBytesPerSecond?: number },
): object {
  return {
    ...withoutProject(spec),
    ...(repository === undefined ? {} : { repository }),
    ...(maxRateBytesPerSecond === undefined ? {} : { maxRateBytesPerSecond }),
  };
}

const toRestoreBody = (spec: RestoreWish, { repository }: { repository?: string }): object => ({
  ...withoutProject(spec),
  ...(repository === undefined ? {} : { repository }),
});

const notApproved = ({ hash }: RestorePlan): Failure =>
  new Failure(
    "plan-not-approved",
    `The target is protected: a restore into it is run only when its plan was read. Approve it by its hash: --approve ${hash}.`,
  );

function withoutChoice(given: RestoreWish): RestoreWish {
  const { environment, pointInTime, ...wish } = given;
  void [environment, pointInTime];
  return wish;
}

/** The path has it. */
function withoutProject<T extends { readonly projectId: string }>(spec: T): Omit<T, "projectId"> {
  const { projectId, ...rest } = spec;
  void projectId;
  return rest;
}

interface Followed {
  readonly status: string;
  readonly error?: Parameters<typeof Failure.fromRecord>[0];
}

/** Follows an operation to its end; cancels it when nobody waits any more. Its failure, when it did not complete. */
async function follow<T extends Followed>(http: HttpConnection, path: string, waiting: Waiting): Promise<T> {
  const cancel = (): void =>
    // That it ended meanwhile is seen below.
    void http.call({ method: "POST", path: `${path}/cancel` }).catch(() => undefined);
  if (waiting.signal.aborted) cancel();
  waiting.signal.addEventListener("abort", cancel, { once: true });
  try {
    const view = await readEnd<T>(http, path, waiting);
    if (view.error !== undefined) throw Failure.fromRecord(view.error);
    return view;
  } finally {
    waiting.signal.removeEventListener("abort", cancel);
  }
}

/** A connection that breaks is opened again: the operation goes on without it. */
async function readEnd<T extends Followed>(http: HttpConnection, path: string, waiting: Waiting): Promise<T> {
  for (;;) {
    try {
      for await (const { event, data } of http.follow(`${path}/events`)) {
        if (event === "end") return data as T;
        if (event === "log") waiting.onEvent({ type: "log", line: data as LogLine });
        if (event === "state") waiting.onEvent({ type: "state", status: (data as T).status });
      }
    } catch (error) {
      if (Failure.from(error).code !== "server-unreachable") throw error;
    }
    // Rejects when the server is really gone.
    const view = await http.call<T>({ ...read, path });
    if (["Completed", "Failed", "Cancelled"].includes(view.status)) return view;
  }
}
