/** A receiver that is away is tried for so long. */
const patienceMs = 24 * 3_600_000;
const firstPauseMs = 10_000;
const longestPauseMs = 3_600_000;

/** When a delivery that failed is tried again; undefined: not any more. `tries`: those that failed so far. */
export function nextTry(tries: number, createdAtMs: number, nowMs: number): number | undefined {
  const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(20, tries - 1));
  return nowMs + pauseMs > createdAtMs + patienceMs ? undefined : nowMs + pauseMs;
}
