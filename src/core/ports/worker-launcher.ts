/**
 * Starts workers: child processes here, Jobs of a cluster later. A worker does one task at a time. `Task` and
 * `Message` are JSON values; what they mean is the contract between engine and worker, not the launcher's.
 */
export interface WorkerLauncher<Task, Message> {
  /** Rejects with `worker-died` when the program cannot be started. */
  launch(task: Task, options: LaunchOptions<Message>): Promise<RunningWorker>;
  /**
   * Takes on a worker that another process has handed over, under the identity that its `handOver` gave. What it said
   * meanwhile comes now. Rejects with `worker-died` when it is not there, or is held by somebody else.
   */
  adopt(identity: string, options: Pick<LaunchOptions<Message>, "onMessage">): Promise<RunningWorker>;
  /**
   * A launch for a task of this kind, on these places (URLs), is likely to come soon: what can be done before the
   * task is known is done meanwhile. Changes nothing that `launch` promises; not needed for it.
   */
  expect?(taskKind: string, places: readonly string[]): void;
}

export interface LaunchOptions<Message> {
  /** Called in order, never after `ended` has resolved; the next message waits for the promise of the one before. */
  readonly onMessage: (message: Message) => void | Promise<void>;
  /** Where the worker's standard output goes; default: none of it is read. */
  readonly output?: WorkerOutput;
  /**
   * Tasks of one series may be done by one process, one after the other, which spares its start: one of them `stays` for
   * a few seconds when it has done its task, for the next. To whoever launches it is a worker of its own.
   */
  readonly series?: { readonly name: string; readonly stays: boolean };
}

/**
 * A file descriptor that the worker gets as its own; or a function that is given piece after piece, and waited for.
 * When that one rejects, nothing more of the output is read, which the worker notices as it writes.
 */
export type WorkerOutput = number | ((piece: Uint8Array) => Promise<void>);

export interface RunningWorker {
  /** Names the process and when it started, for `endProcess` of another one. */
  readonly identity: string;
  /** Tells the worker that its owner still holds the lease. */
  renewLease(): void;
  /** Asks it to stop, and ends it after a grace. Idempotent; `ended` tells when it is gone. */
  stop(): void;
  /** Ends it and everything it started, now. Idempotent. */
  kill(): void;
  /**
   * Lets it go on without this process, for as long as its lease lasts: it waits to be adopted meanwhile. Resolves with
   * the identity to adopt it by, when everything it had said was heard; `ended` is not told here any more. Undefined:
   * it could not be, or has ended, and `ended` tells.
   */
  handOver(): Promise<string | undefined>;
  /** Resolves, never rejects, when the worker and everything it started is gone, or its process is free for the next. */
  readonly ended: Promise<WorkerEnd>;
}

export interface WorkerEnd {
  /** Absent: ended by a signal. */
  readonly exitCode?: number;
  readonly signal?: string;
  /** The end of what it wrote to standard error: crashes. */
  readonly errorOutput: string;
}
