import type { BackupReference, Waiting } from "../contract/service.ts";
import type { BrowseItem, TaskResults } from "../contract/worker-task.ts";
import { Failure } from "../core/failure.ts";
import { isWaiting } from "../core/operation/operation.ts";
import type { WorkerOutput } from "../core/ports/worker-launcher.ts";
import { locateBackup, type BackupPlace } from "./locate-backup.ts";
import { makeContext, makeLogLine, type EngineParts, type TaskRequest } from "./parts.ts";
import { recoverDeadOperations } from "./recover-operations.ts";
import { runTaskOfCall, type WorkMessage } from "./run-worker.ts";
import { tendRetiredDatabases } from "./retired-databases.ts";

/**
 * Every call that uses the catalog begins with what others left behind. Returns the parts to go on with:
 * what nobody asked for is told to whoever waits.
 */
export async function beginCall(parts: EngineParts, waiting?: Waiting): Promise<EngineParts> {
  const told: EngineParts =
    waiting === undefined ? parts : { ...parts, notice: (line) => waiting.onEvent({ type: "log", line }) };
  if (parts.isTended) return told;
  await recoverDeadOperations(told);
  if (waiting !== undefined) await tendRetiredDatabases(told, waiting.signal);
  return told;
}

/** Nobody waits: what is worth knowing is in the operation's log, and what must be known now becomes a notice. */
export function unattended(parts: EngineParts): Waiting {
  return {
    signal: new AbortController().signal,
    onEvent: (event) => {
      if (event.type !== "key-created") return;
      const message = `A key was made for project ${event.projectId}: ${event.place}. Without it no backup can be read; keep a copy.`;
      parts.notice(makeLogLine(parts, "warn", message));
    },
  };
}

/** Carries an operation out without anybody waiting: how it ended, or that it could not be told, is a notice. */
export function carryOutInBackground(parts: EngineParts, id: string, work: () => Promise<unknown>): void {
  const run = async (): Promise<void> => {
    await work();
    const operation = await parts.catalog.getOperation(id);
    // It waits for its next attempt, and its log says why.
    if (operation !== undefined && isWaiting(operation)) return;
    const { outcome = "open", failure } = operation?.end ?? {};
    const why = failure === undefined ? "" : ` (${failure.code}): ${failure.message}`;
    const level = outcome === "Completed" ? "info" : "error";
    parts.notice(makeLogLine(parts, level, `${id} ended: ${outcome}${why}`), operation);
  };
  parts.background(
    run().catch((error: unknown) =>
      parts.notice(makeLogLine(parts, "error", `${id} was given up here: ${Failure.from(error).message}`)),
    ),
  );
}

/** Begins a call about one backup. */
export async function openBackup(bareParts: EngineParts, reference: BackupReference, waiting: Waiting) {
  const parts = await beginCall(bareParts, waiting);
  const place = await locateBackup(parts, reference, waiting.signal);
  return { parts, place, context: makeContext(parts, place) };
}

/** Notes a fact about a backup in this repository; the catalog may know the one in another. */
export async function markBackupAt(
  parts: EngineParts,
  { backupId, projectId, repository }: BackupPlace,
  fact: { readonly verifiedAtMs: number },
): Promise<void> {
  const indexed = await parts.catalog.getBackup(backupId, projectId);
  if (indexed?.repository === repository) await parts.catalog.markBackup(backupId, projectId, fact);
}

/** Runs one task that needs no record, for whoever waits. Rejects as `runTaskOfCall`. */
export async function runTaskFor<Request extends TaskRequest>(
  parts: EngineParts,
  request: Request,
  waiting: Waiting,
  options: { readonly onItem?: OnItem; readonly output?: WorkerOutput } = {},
): Promise<TaskResults[Request["kind"]]> {
  const { onItem, output } = options;
  return await runTaskOfCall<Request["kind"]>(parts, request.kind, request, {
    signal: waiting.signal,
    ...forward(waiting, onItem),
    ...(output === undefined ? {} : { output }),
  });
}

type OnItem = (item: BrowseItem) => void | Promise<void>;

/** A worker's progress and words, as events of the call. */
function forward(
  waiting: Waiting,
  onItem?: OnItem,
): { readonly onMessage: (message: WorkMessage) => void | Promise<void> } {
  return {
    onMessage: (message) => {
      if (message.type === "progress") waiting.onEvent({ type: "progress", progress: message.progress });
      if (message.type === "item") return onItem?.(message.item as BrowseItem);
      if (message.type === "log") {
        const { level, message: text } = message;
        waiting.onEvent({ type: "log", line: { at: new Date().toISOString(), level, message: text } });
      }
    },
  };
}
