/** Smaller ones are not worth a class of their own. */
const smallestBytes = 4 << 10;

/**
 * Buffers that are used again. Memory outside of the heap that comes and goes makes the engine collect all of the heap
 * each time that some tens of megabytes of it have passed, whatever the heap holds. Keeps as many buffers as were
 * taken at once; their sizes are powers of two.
 */
export class BufferPool {
  readonly #free = new Map<number, Uint8Array[]>();

  /** At least so many bytes, of any content. */
  take(bytes: number): Uint8Array {
    const size = sizeFor(bytes);
    return this.#free.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
  }

  /** Once, of a buffer that was taken here; nobody may use it any more. */
  giveBack(buffer: Uint8Array): void {
    const free = this.#free.get(buffer.length);
    if (free === undefined) this.#free.set(buffer.length, [buffer]);
    else free.push(buffer);
  }
}

const sizeFor = (bytes: number): number => Math.max(smallestBytes, 2 ** Math.ceil(Math.log2(bytes)));
