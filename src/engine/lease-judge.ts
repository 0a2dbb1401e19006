/**
 * Whether a lease that has run out tells that its owner is dead. Not while the catalog was away: then nobody could renew
 * one, and everybody gets the time of a lease to do so first.
 */
export class LeaseJudge {
  readonly #leaseSeconds: number;
  #quietUntilMs = Number.NEGATIVE_INFINITY;

  constructor(leaseSeconds: number) {
    this.#leaseSeconds = leaseSeconds;
  }

  /** The catalog did not answer. */
  noteAway(): void {
    this.#quietUntilMs = performance.now() + this.#leaseSeconds * 1000;
  }

  get mayJudge(): boolean {
    return performance.now() >= this.#quietUntilMs;
  }
}
