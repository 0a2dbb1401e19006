/** Bounds the bytes of objects that are held to be sent, over all of them. Waiters are served in order. */
export class BodyMemory {
  readonly #limitBytes: number;
  #takenBytes = 0;
  readonly #waiting: { readonly sizeBytes: number; readonly start: () => void }[] = [];

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Runs `work` when there is room for so many bytes; more than the limit counts as all of it. */
  async hold<T>(sizeBytes: number, work: () => Promise<T>): Promise<T> {
    const held = Math.min(sizeBytes, this.#limitBytes);
    if (this.#waiting.length > 0 || this.#takenBytes + held > this.#limitBytes) {
      await new Promise<void>((start) => this.#waiting.push({ sizeBytes: held, start }));
    } else this.#takenBytes += held;
    try {
      return await work();
    } finally {
      this.#takenBytes -= held;
      this.#startWaiting();
    }
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#takenBytes + next.sizeBytes > this.#limitBytes) return;
      this.#waiting.shift();
      this.#takenBytes += next.sizeBytes;
      next.start();
    }
  }
}
