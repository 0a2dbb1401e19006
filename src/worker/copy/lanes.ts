/** Runs a few pieces of work side by side; whoever gives them waits while all lanes are taken. */
export class Lanes {
  readonly #count: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(count: number) {
    this.#count = count;
  }

  /** Resolves when the work has begun. Rejects with what any earlier work failed with; then it has not begun. */
  async start(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#count && this.#failure === undefined)
      await Promise.race(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
    const running = work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when all work has ended, and rejects with its first failure. */
  async end(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
