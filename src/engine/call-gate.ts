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
    const timer = setTimeout(() => turn.reject(this.#busy()), this.#limits.callWaitSeconds * 1000);
    const onAbort = (): void => turn.reject(new Failure("cancelled", "It was cancelled before it began."));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const begin = (): void => {
      this.#waiting.delete(begin);
      turn.resolve();
    };
    this.#waiting.add(begin);
    try {
      await turn.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(begin);
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
