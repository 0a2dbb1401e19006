import { setTimeout as sleep } from "node:timers/promises";

/** Node's timers count to this and no further. */
const longestMs = 2 ** 31 - 1;

/** Wakes whoever waits for something to do. */
export class Bell {
  #rung = Promise.withResolvers<void>();

  /** There is something: whoever waits may look at once. */
  ring(): void {
    this.#rung.resolve();
  }

  /** Returns when somebody has rung since the last call returned, after `ms`, or when it is stopped. */
  async waitForRing(ms: number, stopping: AbortSignal): Promise<void> {
    const waited = new AbortController();
    const signal = AbortSignal.any([stopping, waited.signal]);
    const timer = sleep(Math.min(Math.max(ms, 0), longestMs), undefined, { signal });
    await Promise.race([this.#rung.promise, timer.catch(() => undefined)]);
    waited.abort();
    this.#rung = Promise.withResolvers();
  }
}
