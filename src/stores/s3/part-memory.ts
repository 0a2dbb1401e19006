/**
 * Bounds the bytes of parts under way over all objects that this process writes, and keeps their buffers to be
 * used again: the collector alone would let them pile up. A writer with nothing under way may always send one
 * part, so that none waits for another that waits for it.
 */
export class PartMemory {
  readonly #limitBytes: number;
  readonly #free: Buffer[] = [];
  #takenBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Resolves when a part may go out; `landed` must follow. `flying`: the writer's own parts under way. */
  async takeOff(sizeBytes: number, flying: ReadonlySet<Promise<void>>): Promise<void> {
    while (flying.size > 0 && this.#takenBytes + sizeBytes > this.#limitBytes) await Promise.race(flying);
    this.#takenBytes += sizeBytes;
  }

  landed(sizeBytes: number): void {
    this.#takenBytes -= sizeBytes;
  }

  /** A buffer of this size, its content whatever it was. */
  borrow(sizeBytes: number): Buffer {
    const at = this.#free.findIndex((buffer) => buffer.length === sizeBytes);
    const [buffer] = at < 0 ? [] : this.#free.splice(at, 1);
    return buffer ?? Buffer.allocUnsafeSlow(sizeBytes);
  }

  /** Only what nobody reads any more: not that of a request that was given up. */
  giveBack(buffer: Buffer): void {
    this.#free.push(buffer);
    let keptBytes = this.#free.reduce((total, { length }) => total + length, 0);
    while (keptBytes > this.#limitBytes / 2) keptBytes -= this.#free.shift()?.length ?? keptBytes;
  }
}
