import type { Progress } from "../contract/worker-task.ts";
import type { TaskRun } from "./task.ts";

const everyMs = 250;

/** Adds up and reports about four times a second. */
export class ProgressReporter {
  readonly #run: TaskRun;
  #progress: Progress;
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
    if (this.#run.clock.nowMs() - this.#lastMs >= everyMs) this.#send();
  }

  end(): void {
    this.#send();
  }

  #send(): void {
    this.#lastMs = this.#run.clock.nowMs();
    this.#run.report({ type: "progress", progress: this.#progress });
  }
}
