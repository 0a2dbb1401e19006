import { setTimeout as delay } from "node:timers/promises";

/**
 * How much time a reader's wait fills the bucket for: to be woken for each piece of a slow stream costs the worker half
 * as much again as to read in bursts.
 */
const burstSeconds = 0.5;

/** How a limiter tells the time and waits; a test gives its own. */
export interface RateClock {
  /** Of a clock that is never set back. */
  nowMs(): number;
  /** Rejects when the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

const realClock: RateClock = {
  nowMs: () => performance.now(),
  wait: (ms, signal) => delay(ms, undefined, { signal }),
};

/**
 * Keeps a task's reading below a rate: a bucket that fills with time and holds at most a second's worth.
 * Several readers may share one; each waits for its own bytes, in turn.
 */
export class RateLimiter {
  readonly #bytesPerSecond: number | undefined;
  readonly #signal: AbortSignal;
  readonly #clock: RateClock;
  #available: number;
  #filledAtMs: number;
  #turn: Promise<void> = Promise.resolve();

  constructor(bytesPerSecond: number | undefined, signal: AbortSignal, clock: RateClock = realClock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#signal = signal;
    this.#clock = clock;
    this.#filledAtMs = clock.nowMs();
    this.#available = (bytesPerSecond ?? 0) / 4;
  }

  /** Resolves when `bytes` may be read. Rejects when the signal is aborted. Free without a limit. */
  take(bytes: number): Promise<void> | undefined {
    if (this.#bytesPerSecond === undefined) return undefined;
    this.#turn = this.#turn.then(() => this.#wait(bytes, this.#bytesPerSecond as number));
    return this.#turn;
  }

  async #wait(bytes: number, bytesPerSecond: number): Promise<void> {
    const now = this.#clock.nowMs();
    const filled = this.#available + ((now - this.#filledAtMs) / 1000) * bytesPerSecond;
    this.#available = Math.min(filled, bytesPerSecond) - bytes;
    this.#filledAtMs = now;
    if (this.#available >= 0) return;
    const waitMs = (-this.#available / bytesPerSecond + burstSeconds) * 1000;
    await this.#clock.wait(waitMs, this.#signal);
  }
}
