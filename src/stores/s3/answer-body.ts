/** The body comes in pieces of this size; so much of it waits to be taken at most, and one that fills. */
const pieceBytes = 128 << 10;

interface BodyHost {
  readonly pause: () => void;
  readonly resume: () => void;
  readonly destroy: () => void;
}

/** The body of an answer, in pieces that are the reader's. For one reader. */
export class AnswerBody implements AsyncIterable<Uint8Array> {
  readonly #host: BodyHost;
  readonly #pieces: Buffer[] = [];
  /** Bytes that are still to come, as far as is known. */
  #leftBytes: number;
  #filling: Buffer | undefined;
  #filledBytes = 0;
  #isEnded = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** `expectedBytes`: NaN where the answer states no length. */
  constructor(expectedBytes: number, host: BodyHost) {
    this.#leftBytes = Number.isNaN(expectedBytes) ? pieceBytes : expectedBytes;
    this.#host = host;
  }

  /** Copies them. */
  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      this.#filling ??= Buffer.allocUnsafeSlow(
        Math.min(pieceBytes, Math.max(this.#leftBytes, bytes.length - at)),
      );
      const taken = bytes.copy(this.#filling, this.#filledBytes, at);
      at += taken;
      this.#filledBytes += taken;
      this.#leftBytes -= taken;
      if (this.#filledBytes === this.#filling.length) this.#offer();
    }
    if (this.#pieces.length > 0 && !this.#isEnded) this.#host.pause();
  }

  /** `error`: it was cut; what came before can still be read. */
  end(error?: Error): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#offer();
    this.#wakeReader();
  }

  /** Nobody reads the rest. */
  destroy(): void {
    this.#pieces.length = 0;
    if (!this.#isEnded) this.#host.destroy();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const piece = this.#pieces.shift();
        if (piece !== undefined) yield piece;
        else if (this.#isEnded) break;
        else {
          const coming = Promise.withResolvers<void>();
          this.#wake = coming.resolve;
          this.#host.resume();
          await coming.promise;
        }
      }
      if (this.#error !== undefined) throw this.#error;
    } finally {
      this.destroy();
    }
  }

  #offer(): void {
    const piece = this.#filling;
    if (piece === undefined || this.#filledBytes === 0) return;
    this.#pieces.push(piece.subarray(0, this.#filledBytes));
    this.#filling = undefined;
    this.#filledBytes = 0;
    this.#wakeReader();
  }

  #wakeReader(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
