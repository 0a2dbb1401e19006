import { setImmediate as nextTurn } from "node:timers/promises";

const everyMs = 25;

/** Lets other things of the process (lease, cancellation, progress) have their turn in long synchronous work. */
export class Breather {
  readonly #signal: AbortSignal;
  #lastMs = performance.now();
  #calls = 0;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Cheap enough to be asked for every object. */
  isDue(): boolean {
    this.#calls += 1;
    return (this.#calls & 15) === 0 && performance.now() - this.#lastMs >= everyMs;
  }

  /** Rejects when the signal is aborted. */
  async breathe(): Promise<void> {
    await nextTurn();
    this.#signal.throwIfAborted();
    this.#lastMs = performance.now();
  }
}
