import type { Progress } from "../contract/worker-task.ts";
import type { LogLine, OperationTask } from "../core/operation/operation.ts";
import { StallWatch } from "../core/operation/stall.ts";
import type { TaskChange } from "../core/ports/catalog.ts";
import type { WorkerOutcome, WorkMessage } from "./run-worker.ts";

/** How often progress is written to the catalog, for other terminals. */
const progressRecordMs = 1_000;

/** Told of what a worker says. */
export interface TaskListener {
  record(change: TaskChange): void;
  onProgress(progress: Progress): void;
  log(level: LogLine["level"], message: string): void;
  /** Something that a decision may wait for. */
  onChange(): void;
  /** Nothing moves since that instant; said once each time. */
  onStall(since: string): void;
}

/** What a running worker has said of its task: how far it is, and whether it moves. */
export class WatchedTask {
  readonly #name: string;
  readonly #watch: StallWatch;
  readonly #listener: TaskListener;
  #latest: Progress | undefined;
  #recordedAtMs = Number.NEGATIVE_INFINITY;
  #isStallTold = false;

  constructor(name: string, stallMs: number, listener: TaskListener) {
    this.#name = name;
    this.#watch = new StallWatch(stallMs);
    this.#listener = listener;
  }

  readonly onMessage = (message: WorkMessage): void => {
    switch (message.type) {
      case "progress":
        return this.#hear(message.progress);
      case "held":
        this.#latest = holding;
        this.#listener.record({ progress: holding });
        return this.#listener.onChange();
      case "recovery-point":
        this.#listener.record({ recoveryPoint: message.at });
        return this.#listener.onChange();
      case "log":
        return this.#listener.log(message.level, message.message);
      case "item":
        return;
    }
  };

  /** Goes on with what was recorded of it: it may have stood still since, and then says nothing more. */
  resume(recorded: unknown): void {
    const { stalledSince: _since, ...said } = (recorded ?? holding) as Progress;
    // A hook never says how far it is.
    if (said.component !== "hook") this.#hear(said);
  }

  get isStalled(): boolean {
    return this.#watch.stalledMs(performance.now()) !== undefined;
  }

  /** It stands still, and has had its time to go on. */
  get isOver(): boolean {
    return this.#watch.isOver(performance.now());
  }

  /** Says that it stands still, where it does. `nowMs`: of the wall clock. */
  tellStall(nowMs: number): void {
    const stalledMs = this.#watch.stalledMs(performance.now());
    if (stalledMs === undefined || this.#isStallTold || this.#latest === undefined) return;
    this.#isStallTold = true;
    const stalledSince = new Date(nowMs - stalledMs).toISOString();
    this.#listener.record({ progress: { ...this.#latest, stalledSince } });
    this.#listener.onStall(stalledSince);
  }

  /** How it ended, as it is recorded. `wasEnded`: its worker was killed because it stood still. */
  endOf(outcome: WorkerOutcome, wasEnded: boolean): WorkerOutcome {
    return wasEnded && outcome.state === "lost" ? stalledEnd(this.#name) : outcome;
  }

  /** The last that it said, for the record of its end. */
  get latest(): TaskChange {
    return this.#latest === undefined ? {} : { progress: this.#latest };
  }

  #hear(progress: Progress): void {
    this.#latest = progress;
    this.#watch.hear(progress, performance.now());
    if (this.isStalled) return;
    this.#isStallTold = false;
    this.#listener.onProgress(progress);
    if (performance.now() - this.#recordedAtMs < progressRecordMs) return;
    this.#recordedAtMs = performance.now();
    this.#listener.record({ progress });
  }
}

/** What is recorded of a task whose hook's effect is there. */
const holding: Progress = { component: "hook", phase: "holding", bytes: 0 };

/** Names of the tasks whose hook's effect is there and will be undone. */
export const holdingTasks = (tasks: ReadonlyMap<string, OperationTask>): ReadonlySet<string> =>
  new Set(
    [...tasks.values()]
      .filter(
        ({ state, progress }) =>
          state === "running" && (progress as Progress | undefined)?.phase === holding.phase,
      )
      .map(({ name }) => name),
  );

const stalledEnd = (name: string) =>
  ({
    state: "failed",
    failure: {
      code: "stalled",
      message: `The worker of the ${name} task moved no byte for too long (LC2_STALL_MINUTES) and was ended.`,
      retry: "backoff",
    },
  }) as const;
