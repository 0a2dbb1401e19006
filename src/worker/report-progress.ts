import type { Progress } from "../contract/worker-task.ts";
import type { TaskRun } from "./task.ts";

const everyMs = 250;

/** Adds up and reports about four times a second. */
export class ProgressReporter {
  readonly #run: TaskRun;
  #progress: Progress;
  /** By the monotonic clock: whoever sets the time must not make a task look as if it stood still. */
  #lastMs = 0;

  constructor(run: TaskRun, start: Progress) {
    this.#run = run;
    this.#progress = start;
    this.#send();
  }

  add(bytes: number, objects = 0): void {
    const { objects: before } = this.#progress;
    this.#progress = {
      ...this.#progress,
      bytes: this.#progress.bytes + bytes,
      ...(before === undefined && objects === 0 ? {} : { objects: (before ?? 0) + objects }),
    };
    this.#sendIfDue();
  }

  /** Something goes on that moves no byte of the amounts: what was written is read back, a store copies by itself. */
  addActivity(amount: number): void {
    this.#progress = { ...this.#progress, activity: (this.#progress.activity ?? 0) + amount };
    this.#sendIfDue();
  }

  end(): void {
    this.#send();
  }

  #sendIfDue(): void {
    if (performance.now() - this.#lastMs >= everyMs) this.#send();
  }

  #send(): void {
    this.#lastMs = performance.now();
    this.#run.report({ type: "progress", progress: this.#progress });
  }
}
