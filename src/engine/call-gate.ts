import { Failure } from "../core/failure.ts";

export interface CallLimits {
  /** How many calls may have a worker at once. */
  readonly calls: number;
  /** How long a call waits for its turn before it is refused. */
  readonly callWaitSeconds: number;
}

/**
 * Where calls that need a worker at once, and have no place in the queue, wait for one another: each worker takes memory,
 * and anybody may ask. First come, first served.
 */
export class CallGate {
  readonly #limits: CallLimits;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(limits: CallLimits) {
    this.#limits = limits;
  }

  /**
   * Does the work when its turn comes. Rejects with `server-busy` when that takes too long, with `cancelled` when `signal`
   * is aborted before; then nothing was done.
   */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.calls) this.#running += 1;
    else await this.#waitForTurn(signal);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** Whoever leaves gives its place to the first that waits. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#running -= 1;
    else next();
  }

  async #waitForTurn(signal: AbortSignal): Promise<void> {
    const turn = Promise.withResolvers<void>();
    const begin = (): void => {
      this.#waiting.delete(begin);
      turn.resolve();
    };
    // Out of the line at once: a place that is given to one who has given up would be nobody's for ever.
    const giveUp = (failure: Failure): void => {
      this.#waiting.delete(begin);
      turn.reject(failure);
    };
    const onAbort = (): void => giveUp(new Failure("cancelled", "It was cancelled before it began."));
    const timer = setTimeout(() => giveUp(this.#busy()), this.#limits.callWaitSeconds * 1000);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(begin);
    if (signal.aborted) onAbort();
    try {
      await turn.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  #busy(): Failure {
    const { calls, callWaitSeconds } = this.#limits;
    const many = calls === 1 ? "1 other call" : `${calls} other calls`;
    return new Failure(
      "server-busy",
      `${many} (LC2_MAX_CALLS) had the server's workers for the ${callWaitSeconds} seconds that this one waited ` +
        "(LC2_CALL_WAIT_SECONDS). Nothing was done; send it again later.",
      { retry: "backoff" },
    );
  }
}
