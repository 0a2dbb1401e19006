/** Who is alive on this machine. An identity is a text that no other process will ever have. */
export interface Processes {
  /** Identity of this process; the nonce tells several owners in it apart. */
  identifyThisProcess(nonce: string): string;
  /**
   * - `alive`: this very process runs (or is stopped),
   * - `dead`: it is certain that it does not,
   * - `unknown`: it belongs to another host or container; only its lease tells.
   */
  observe(identity: string): "alive" | "dead" | "unknown";
  /** Ends a worker of a dead owner, with everything it started; nothing when it is not certainly that one. */
  killWorker(identity: string): void;
}
