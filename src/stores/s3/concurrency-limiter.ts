/**
 * How many requests may be under way at a store at once. Starts at the ceiling; a store that asks to slow down
 * halves it, and every round of answers without such a plea raises it by one. Waiters are served in order.
 */
export class ConcurrencyLimiter {
  #ceiling: number;
  #limit: number;
  #running = 0;
  #answersSinceChange = 0;
  #halvedAtMs = Number.NEGATIVE_INFINITY;
  readonly #waiting: (() => void)[] = [];
  readonly #nowMs: () => number;

  /** `nowMs` is monotonic. */
  constructor(ceiling: number, nowMs: () => number = () => performance.now()) {
    this.#ceiling = Math.max(1, ceiling);
    this.#limit = this.#ceiling;
    this.#nowMs = nowMs;
  }

  get limit(): number {
    return this.#limit;
  }

  get running(): number {
    return this.#running;
  }

  /** Changes how many requests there may be at most. */
  setCeiling(ceiling: number): void {
    const wasSlowed = this.#limit < this.#ceiling;
    this.#ceiling = Math.max(1, ceiling);
    this.#limit = wasSlowed ? Math.min(this.#limit, this.#ceiling) : this.#ceiling;
    this.#startWaiting();
  }

  /** Resolves when a request may start; `release` must follow. Rejects with the signal's reason. */
  async acquire(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#running < this.#limit) {
      this.#running += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const start = (): void => {
        signal?.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(start), 1);
        reject(reasonOf(signal));
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      this.#waiting.push(start);
    });
  }

  release(): void {
    this.#running -= 1;
    this.#startWaiting();
  }

  /** The store answered as it should. */
  noteAnswer(): void {
    this.#answersSinceChange += 1;
    if (this.#limit >= this.#ceiling || this.#answersSinceChange < this.#limit * 4) return;
    this.#answersSinceChange = 0;
    this.#limit += 1;
    this.#startWaiting();
  }

  /** The store asked to slow down. Requests that were sent together count once. */
  noteThrottled(): void {
    this.#answersSinceChange = 0;
    if (this.#nowMs() - this.#halvedAtMs < 1_000) return;
    this.#halvedAtMs = this.#nowMs();
    this.#limit = Math.max(1, Math.floor(this.#limit / 2));
  }

  #startWaiting(): void {
    while (this.#running < this.#limit) {
      const start = this.#waiting.shift();
      if (start === undefined) return;
      this.#running += 1;
      start();
    }
  }
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error("waiting for the store was given up");
}
