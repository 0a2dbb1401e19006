import type { LogLine, ServiceEvent } from "../contract/service.ts";
import type { TaskBody, WorkerContext, WorkerMessage, WorkerTask } from "../contract/worker-task.ts";
import type { HookPolicy } from "../core/hooks/hook-policy.ts";
import type { Operation } from "../core/operation/operation.ts";
import type { Catalog } from "../core/ports/catalog.ts";
import type { Clock, Ids } from "../core/ports/clock.ts";
import type { Processes } from "../core/ports/processes.ts";
import type { WorkerLauncher } from "../core/ports/worker-launcher.ts";
import type { Bell } from "./bell.ts";
import type { CallGate } from "./call-gate.ts";
import type { LeaseJudge } from "./lease-judge.ts";
import type { OperationQueue } from "./operation-queue.ts";

/** What the engine works with; `main` chooses it. */
export interface EngineParts {
  readonly catalog: Catalog;
  readonly launcher: WorkerLauncher<WorkerTask, WorkerMessage>;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Of operations and of workers. Renewed six times in that time. */
  readonly leaseSeconds: number;
  readonly leaseJudge: LeaseJudge;
  /** For how long a task may move no byte before it counts as stalled. */
  readonly stallMs: number;
  readonly keysDirectory: string;
  /** Where backups go when no repository is named. Canonical URL. */
  readonly defaultRepository: string;
  /** Where a person finds a project's key. */
  readonly keyPlace: (projectId: string) => string;
  /** Told what was found and done that nobody asked for: dead operations, reminders. */
  readonly notice: (line: LogLine, about?: NoticeSubject) => void;
  /** Somebody else ends what dead processes left, in the background: calls need not look for it. */
  readonly isTended: boolean;
  /** What hooks may do here. Rejects with `hooks-file-invalid`. */
  readonly readHookPolicy: () => Promise<HookPolicy>;
  /** What waits for its turn; `runQueue` begins it. */
  readonly queue: OperationQueue;
  /** Through which everything goes that begins a worker because a call asks for it, and has no place in the queue. */
  readonly callGate: CallGate;
  /** Rung when a schedule was changed, or a backup has ended. */
  readonly scheduleBell: Bell;
  /** What this process holds at the moment. */
  readonly held: Set<HeldOperation>;
  /** Follows work that nobody waits for; it must not reject. */
  readonly background: (work: Promise<void>) => void;
}

/** An operation that this process carries out. */
export interface HeldOperation {
  readonly operationId: string;
  /** One of its tasks moves no byte. */
  readonly isStalled: boolean;
  /** Leaves it, with its running workers, to the next process that carries operations out. */
  handOver(): void;
  /** Gives it back to the queue, where it came from there; else lets it go on. */
  giveBack(): void;
}

/** The operation that a notice is about. */
export type NoticeSubject = Pick<
  Operation,
  "id" | "kind" | "projectId" | "application" | "requestId" | "createdAtMs" | "end"
>;

/** Everything of a worker task but the lease, which is the engine's. */
export type TaskRequest = { readonly context: WorkerContext } & TaskBody;

export type EventListener = (event: ServiceEvent) => void;

export function makeLogLine(parts: EngineParts, level: LogLine["level"], message: string): LogLine {
  return { at: new Date(parts.clock.nowMs()).toISOString(), level, message };
}

/** Where a task finds bytes and keys. */
export function makeContext(
  parts: EngineParts,
  place: { readonly repository: string; readonly projectId: string; readonly maxRateBytesPerSecond?: number },
): WorkerContext {
  return {
    repository: place.repository,
    keys: { kind: "keyfile", directory: parts.keysDirectory },
    projectId: place.projectId,
    ...(place.maxRateBytesPerSecond === undefined
      ? {}
      : { maxRateBytesPerSecond: place.maxRateBytesPerSecond }),
  };
}
