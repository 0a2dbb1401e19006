/** Time and names come through ports, so that decisions can be tested with a manual clock and fixed ids. */
export interface Clock {
  /** Milliseconds since the epoch, by the wall clock. May jump. */
  nowMs(): number;
}

export interface Ids {
  /** `length` random characters of `0-9a-f`. */
  hex(length: number): string;
}
