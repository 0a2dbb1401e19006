/**
 * Bounds the bytes of parts under way over all objects that this process writes. A writer with nothing under
 * way may always send one, so that none waits for another that waits for it.
 */
export class PartMemory {
  readonly #limitBytes: number;
  #takenBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Resolves when a part may go out; `giveBack` must follow. `flying`: the writer's own parts under way. */
  async take(sizeBytes: number, flying: ReadonlySet<Promise<void>>): Promise<void> {
    while (flying.size > 0 && this.#takenBytes + sizeBytes > this.#limitBytes) await Promise.race(flying);
    this.#takenBytes += sizeBytes;
  }

  giveBack(sizeBytes: number): void {
    this.#takenBytes -= sizeBytes;
  }
}
