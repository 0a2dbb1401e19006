import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../core/failure.ts";

/** How often a catalog that is away is asked again. */
const awayPollMs = 500;

/**
 * What a session writes into the catalog: one after the other, in the order of what it tells. While the catalog is away
 * writes wait and looks are repeated, as long as `patienceMs` says.
 */
export class SessionRecords {
  readonly #patienceMs: () => number;
  readonly #onFailed: (error: Failure) => void;
  #last: Promise<void> = Promise.resolve();

  constructor(patienceMs: () => number, onFailed: (error: Failure) => void) {
    this.#patienceMs = patienceMs;
    this.#onFailed = onFailed;
  }

  /** One that cannot be written is told to `onFailed`: the catalog would tell another story than the world. */
  write(record: () => Promise<void>): void {
    this.#last = this.#last
      .then(async () => await this.patiently(record))
      .catch((error: unknown) => this.#onFailed(Failure.from(error)));
  }

  /** One that nobody misses. */
  writeIfPossible(record: () => Promise<void>): void {
    this.#last = this.#last.then(record).catch(() => undefined);
  }

  /** Resolves when everything so far was written, or could not be. */
  async settled(): Promise<void> {
    await this.#last;
  }

  /** Only for what may be done twice. Rejects when the catalog is away for longer than patience lasts. */
  async patiently<T>(ask: () => Promise<T>): Promise<T> {
    const deadlineMs = performance.now() + this.#patienceMs();
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!isAway(error) || performance.now() > deadlineMs) throw error;
        await sleep(awayPollMs);
      }
    }
  }
}

export const isAway = (error: unknown): boolean =>
  error instanceof Failure && error.code === "catalog-unreachable";
