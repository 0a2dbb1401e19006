/** Counts failed attempts by address, in memory: a server that starts anew forgets them. */
export class AttemptLimiter {
  readonly #nowMs: () => number;
  readonly #counts = new Map<string, { count: number; untilMs: number }>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Notes a failed attempt. Returns how many there were in the last minute, and the seconds until they are forgotten. */
  note(address: string): { readonly count: number; readonly waitSeconds: number } {
    const nowMs = this.#nowMs();
    const known = this.#counts.get(address);
    const entry =
      known === undefined || known.untilMs <= nowMs ? { count: 0, untilMs: nowMs + windowMs } : known;
    entry.count += 1;
    // Last noted comes last, so that the ones forgotten below are those that have been quiet.
    this.#counts.delete(address);
    this.#counts.set(address, entry);
    if (this.#counts.size > mostAddresses) {
      const [quietest] = this.#counts.keys();
      if (quietest !== undefined) this.#counts.delete(quietest);
    }
    return { count: entry.count, waitSeconds: Math.max(1, Math.ceil((entry.untilMs - nowMs) / 1000)) };
  }
}

const windowMs = 60_000;
/** Whoever has more addresses than this does not fill our memory. */
const mostAddresses = 10_000;
/** More than a person mistypes. */
export const attemptsAllowed = 10;
