import type { KeyService } from "../core/ports/key-service.ts";
import type { Clock, Ids } from "../core/ports/clock.ts";
import type { ObjectStore } from "../core/ports/object-store.ts";
import type { WorkerContext, WorkerMessage } from "../contract/worker-task.ts";

/** What every task function is given. A task is `(task, run) => Promise<result>`, one file a task. */
export interface TaskRun {
  readonly context: WorkerContext;
  readonly store: ObjectStore;
  /** The store of another repository, for the tasks that have two. */
  readonly openStore: (url: string) => Promise<ObjectStore>;
  readonly keys: KeyService;
  /** Aborted when the lease or the parent is lost, or the operation is cancelled: stop at once, leave no child. */
  readonly signal: AbortSignal;
  readonly report: (message: WorkerMessage) => void;
  /**
   * Resolves at once while the parent keeps up with the messages, else when it has taken what is waiting.
   * Await it between `item` messages, so that a long listing stays in constant memory.
   */
  readonly drained: () => Promise<void>;
  readonly clock: Clock;
  readonly ids: Ids;
  /** The worker's environment, for libpq and PATH. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** An empty private folder (0700) for FIFOs and lists, removed at the end; never for data. */
  readonly scratchDirectory: string;
}
