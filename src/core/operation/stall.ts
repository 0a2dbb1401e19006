/** What a worker says of how far it is. */
interface Moved {
  readonly phase: string;
  readonly bytes: number;
  readonly objects?: number;
  readonly activity?: number;
}

/** After so much of the time of a stall more, a task that may be tried again is ended. */
const graceShare = 1 / 3;

/**
 * Notices that a task moves no byte and no object any more, and verifies none. Time is given, in milliseconds of any steady clock. A task
 * that never said how far it is has none to move.
 */
export class StallWatch {
  readonly #stallMs: number;
  #last: Moved | undefined;
  #movedAtMs = 0;

  constructor(stallMs: number) {
    this.#stallMs = stallMs;
  }

  hear(progress: Moved, nowMs: number): void {
    const last = this.#last;
    this.#last = progress;
    const isSame =
      last?.phase === progress.phase &&
      last.bytes === progress.bytes &&
      last.objects === progress.objects &&
      last.activity === progress.activity;
    if (!isSame) this.#movedAtMs = nowMs;
  }

  /** For how long nothing has moved, once that is a stall. */
  stalledMs(nowMs: number): number | undefined {
    const stillMs = nowMs - this.#movedAtMs;
    return this.#last === undefined || stillMs < this.#stallMs ? undefined : stillMs;
  }

  /** It has had its time to go on. */
  isOver(nowMs: number): boolean {
    return (this.stalledMs(nowMs) ?? 0) >= this.#stallMs * (1 + graceShare);
  }
}
