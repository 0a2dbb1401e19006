import { connect, type Socket } from "node:net";
import { connect as connectSecurely, type ConnectionOptions } from "node:tls";
import { AnswerReader, type AnswerHead, type AnswerSink } from "./answer-reader.ts";

/** Where a store listens, and how it is reached. */
export interface LineAddress {
  /** Name or address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Absent: not encrypted. */
  readonly tls?: ConnectionOptions;
  /** Until a connection stands. */
  readonly connectTimeoutMs: number;
  /** Without a byte in either direction. */
  readonly idleTimeoutMs: number;
}

export interface LineAnswer extends AnswerHead {
  /** To be read to its end, or given up by `destroy`. Throws where it is cut. */
  readonly body: AnswerBody;
}

const readBytes = 64 << 10;
/** The body comes in pieces of this size; so much of it waits to be taken at most, and one that fills. */
const pieceBytes = 128 << 10;

/**
 * Connections to one address that are kept open, each for one request at a time. A third of the work of Node's own
 * client, which for a small object is most of all the work there is. Nothing is tried again here: a request on a
 * connection that the store has just closed fails.
 */
export class QuickLines {
  readonly #address: LineAddress;
  readonly #all = new Set<QuickLine>();
  readonly #idle: QuickLine[] = [];

  constructor(address: LineAddress) {
    this.#address = address;
  }

  /** Resolves when the answer begins. `head`: request line and headers, with the empty line at their end. */
  async send(head: string, body?: Uint8Array): Promise<LineAnswer> {
    const line = this.#idle.pop() ?? this.#open();
    return await line.ask(head, body);
  }

  /** Ends what is under way; may be called twice. */
  close(): void {
    for (const line of this.#all) line.end(new Error("the way to the store was closed"));
  }

  #open(): QuickLine {
    const line: QuickLine = new QuickLine(this.#address, {
      onFree: () => this.#idle.push(line),
      onEnd: () => {
        this.#all.delete(line);
        const at = this.#idle.indexOf(line);
        if (at >= 0) this.#idle.splice(at, 1);
      },
    });
    this.#all.add(line);
    return line;
  }
}

interface LineHost {
  readonly onFree: () => void;
  readonly onEnd: () => void;
}

/** One connection. */
class QuickLine implements AnswerSink {
  readonly #socket: Socket;
  readonly #host: LineHost;
  #reader: AnswerReader | undefined;
  #answered: PromiseWithResolvers<LineAnswer> | undefined;
  #body: AnswerBody | undefined;

  constructor(address: LineAddress, host: LineHost) {
    this.#host = host;
    this.#socket = address.tls === undefined ? this.#connect(address) : this.#connectSecurely(address);
    this.#socket.setTimeout(address.connectTimeoutMs);
    this.#socket.once(address.tls === undefined ? "connect" : "secureConnect", () =>
      this.#socket.setTimeout(address.idleTimeoutMs),
    );
    this.#socket.on("timeout", () => this.end(cut("the store does not answer", "ETIMEDOUT")));
    this.#socket.on("error", (error) => this.end(error));
    this.#socket.on("close", () => this.end(cut("the store closed the connection")));
    this.#socket.on("end", () => this.end(cut("the store ended the connection")));
  }

  /** Reads into the same bytes again and again. */
  #connect({ host, port }: LineAddress): Socket {
    const callback = (length: number, buffer: Uint8Array): boolean => {
      this.#take(Buffer.from(buffer.buffer, buffer.byteOffset, length));
      return true;
    };
    const onread = { buffer: Buffer.allocUnsafeSlow(readBytes), callback };
    return connect({ host, port, noDelay: true, keepAlive: true, onread });
  }

  #connectSecurely({ host, port, tls }: LineAddress): Socket {
    const socket = connectSecurely({ ...tls, host, port });
    socket.setNoDelay(true).setKeepAlive(true);
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    return socket;
  }

  ask(head: string, body: Uint8Array | undefined): Promise<LineAnswer> {
    this.#reader = new AnswerReader(this, head.startsWith("HEAD "));
    this.#answered = Promise.withResolvers();
    this.#socket.ref();
    this.#socket.cork();
    this.#socket.write(head, "latin1");
    if (body !== undefined && body.length > 0) this.#socket.write(body);
    this.#socket.uncork();
    return this.#answered.promise;
  }

  #take(bytes: Buffer): void {
    try {
      if (this.#reader === undefined) throw new RangeError("an answer that was not asked for");
      this.#reader.push(bytes);
    } catch (error) {
      this.end(cut(error instanceof Error ? error.message : String(error)));
    }
  }

  head(head: AnswerHead): void {
    this.#body = new AnswerBody(Number(head.headers["content-length"] ?? pieceBytes), {
      pause: () => this.#socket.pause(),
      resume: () => this.#socket.resume(),
      destroy: () => this.end(new Error("the answer was given up")),
    });
    this.#answered?.resolve({ ...head, body: this.#body });
    this.#answered = undefined;
  }

  piece(bytes: Buffer): void {
    this.#body?.add(bytes);
  }

  /** An answer before all was sent is no good one, and what is still sent would be taken for another request. */
  end(isReusable: boolean | Error): void {
    const body = this.#body;
    this.#body = undefined;
    this.#reader = undefined;
    if (isReusable === true && this.#socket.writableLength === 0 && !this.#socket.destroyed) {
      this.#socket.resume();
      this.#socket.unref();
      this.#host.onFree();
      body?.end();
      return;
    }
    this.#host.onEnd();
    this.#socket.destroy();
    if (isReusable instanceof Error) {
      this.#answered?.reject(isReusable);
      this.#answered = undefined;
      body?.end(isReusable);
    } else body?.end();
  }
}

/** As Node says it of a connection, so that it is known for something that passes. */
const cut = (message: string, code = "ECONNRESET"): Error => Object.assign(new Error(message), { code });

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

  constructor(expectedBytes: number, host: BodyHost) {
    this.#leftBytes = expectedBytes;
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
