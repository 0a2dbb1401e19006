import type { TaskKind, TaskResults, WorkerMessage } from "../contract/worker-task.ts";
import { Failure, type FailureRecord } from "../core/failure.ts";
import type { RunningWorker, WorkerEnd, WorkerOutput } from "../core/ports/worker-launcher.ts";
import type { EngineParts, TaskRequest } from "./parts.ts";

/** How one worker's run ended. `lost`: without a word, so what it did is unknown. */
export type WorkerOutcome =
  | { readonly state: "done"; readonly result: TaskResults[TaskKind] }
  | { readonly state: "failed"; readonly failure: FailureRecord }
  | { readonly state: "lost"; readonly failure: FailureRecord };

export interface WorkerRun {
  readonly identity: string;
  /** To be called while the owner holds its lease; also gives up a worker that no longer answers. */
  renewLease(): void;
  stop(): void;
  kill(): void;
  /** As `RunningWorker.handOver`; the outcome is not told here any more then. */
  handOver(): Promise<string | undefined>;
  /** Never rejects. */
  readonly outcome: Promise<WorkerOutcome>;
}

export type WorkMessage = Exclude<WorkerMessage, { type: "done" | "failed" | "alive" }>;

/** Starts a worker for a task and follows it to its end. */
export async function startWorker(
  parts: EngineParts,
  request: TaskRequest,
  options: {
    /** The next message waits for the promise; a worker that is held up so is not silent. */
    readonly onMessage: (message: WorkMessage) => void | Promise<void>;
    readonly output?: WorkerOutput;
    readonly series?: { readonly name: string; readonly stays: boolean };
  },
): Promise<WorkerRun> {
  const { onMessage, ...launchOptions } = options;
  const task = { ...request, lease: { seconds: parts.leaseSeconds } };
  return await follow(parts, request.kind, onMessage, (onEach) =>
    parts.launcher.launch(task, { ...launchOptions, onMessage: onEach }),
  );
}

/** Goes on following a worker that another process has handed over; `name` is that of its task. */
export async function adoptWorker(
  parts: EngineParts,
  name: string,
  identity: string,
  onMessage: (message: WorkMessage) => void,
): Promise<WorkerRun> {
  return await follow(parts, name, onMessage, (onEach) =>
    parts.launcher.adopt(identity, { onMessage: onEach }),
  );
}

async function follow(
  parts: EngineParts,
  name: string,
  onMessage: (message: WorkMessage) => void | Promise<void>,
  begin: (onMessage: (message: WorkerMessage) => void | Promise<void>) => Promise<RunningWorker>,
): Promise<WorkerRun> {
  let said: WorkerOutcome | undefined;
  let heardAtMs = performance.now();
  let givenUp = false;
  let heldUp = false;
  const worker = await begin((message) => {
    heardAtMs = performance.now();
    if (message.type === "done") said = { state: "done", result: message.result };
    else if (message.type === "failed") said = { state: "failed", failure: message.failure };
    if (message.type === "done" || message.type === "failed" || message.type === "alive") return;
    const held = onMessage(message);
    if (held === undefined) return;
    heldUp = true;
    return held.finally(() => {
      heldUp = false;
      heardAtMs = performance.now();
    });
  });
  return {
    identity: worker.identity,
    renewLease: () => {
      worker.renewLease();
      if (heldUp || performance.now() - heardAtMs < parts.leaseSeconds * 1000) return;
      givenUp = true;
      worker.kill();
    },
    stop: worker.stop,
    kill: worker.kill,
    handOver: worker.handOver,
    outcome: worker.ended.then(
      (end) =>
        said ?? {
          state: "lost",
          failure: describeDeath(name, end, givenUp ? parts.leaseSeconds : undefined),
        },
    ),
  };
}

function describeDeath(name: string, end: WorkerEnd, silentSeconds: number | undefined): FailureRecord {
  const how =
    silentSeconds === undefined
      ? end.signal === undefined
        ? `ended with exit code ${end.exitCode ?? "unknown"}`
        : `was ended by ${end.signal}`
      : `did not answer for ${silentSeconds} seconds and was ended`;
  const said = end.errorOutput.trim();
  return {
    code: "worker-died",
    message:
      `The worker of ${name} ${how} before it had a result.` +
      (said === "" ? " Look for the kernel's out-of-memory messages." : ` It said: ${said.slice(-600)}`),
    retry: "backoff",
  };
}

/** `runTaskAlone` for a call, when its turn comes. Rejects with `server-busy` as well. */
export async function runTaskOfCall<K extends TaskKind>(
  ...[parts, kind, request, options]: Parameters<typeof runTaskAlone<K>>
): Promise<TaskResults[K]> {
  return await parts.callGate.run(
    options.signal,
    async () => await runTaskAlone(parts, kind, request, options),
  );
}

/**
 * Runs one task that needs no record: it changes nothing, or may simply be run again. Resolves with its
 * result; rejects with its failure, or with `cancelled` when `signal` is aborted.
 */
export async function runTaskAlone<K extends TaskKind>(
  parts: EngineParts,
  kind: K,
  request: TaskRequest & { readonly kind: K },
  options: {
    readonly signal: AbortSignal;
    readonly onMessage?: (message: WorkMessage) => void | Promise<void>;
    readonly output?: WorkerOutput;
  },
): Promise<TaskResults[K]> {
  if (options.signal.aborted)
    throw new Failure("cancelled", `The ${kind} task was cancelled before it started.`);
  const worker = await startWorker(parts, request, {
    onMessage: options.onMessage ?? (() => undefined),
    ...(options.output === undefined ? {} : { output: options.output }),
  });
  const renewal = setInterval(worker.renewLease, (parts.leaseSeconds * 1000) / 6);
  options.signal.addEventListener("abort", worker.stop, { once: true });
  if (options.signal.aborted) worker.stop();
  const outcome = await worker.outcome;
  clearInterval(renewal);
  options.signal.removeEventListener("abort", worker.stop);
  if (outcome.state === "done") return outcome.result as TaskResults[K];
  if (options.signal.aborted) throw new Failure("cancelled", `The ${kind} task was cancelled.`);
  throw Failure.fromRecord(outcome.failure);
}
