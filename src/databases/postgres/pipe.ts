import { execFile } from "node:child_process";
import { closeSync, constants, openSync, unlinkSync } from "node:fs";
import { Socket } from "node:net";
import { promisify } from "node:util";

const run = promisify(execFile);

/** File descriptors of the two ends of a pipe. */
export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/**
 * A real pipe for a child's output. What Node gives a child by itself is a socket, at several times the
 * cost. A FIFO of the name `path` is made, opened at both ends and removed; with one descriptor open for
 * both directions, neither of the other opens has to wait for its counterpart.
 */
export async function openPipe(path: string): Promise<Pipe> {
  await run("mkfifo", ["-m", "600", path]);
  try {
    const both = openSync(path, constants.O_RDWR);
    try {
      const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      return { readEnd, writeEnd: openSync(path, constants.O_WRONLY) };
    } finally {
      closeSync(both);
    }
  } finally {
    unlinkSync(path);
  }
}

export interface PieceOptions {
  /** Reused in turn; two or more. One piece fills one buffer but for less than `largestRead`. */
  readonly buffers: readonly Buffer[];
  /** Takes a piece; its buffer is used again once the promise is settled. A rejection ends the reading. */
  readonly take: (piece: Buffer) => Promise<void>;
  /** Told how many bytes were read; the next are read once its promise is resolved. */
  readonly pace?: (bytes: number) => Promise<void> | undefined;
  readonly signal: AbortSignal;
}

/** What a pipe holds at most, and so what one read gives. */
const largestRead = 64 * 1024;

/**
 * Reads a pipe to its end into a few large buffers, without a thread and without allocation: the event
 * loop tells when there is something. Stops reading while the next buffer is still in use, which makes the
 * writer wait. Resolves when every piece has been taken; rejects with the first failure. Closes the
 * descriptor in any case.
 */
export function readPieces(readEnd: number, options: PieceOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { buffers, take, pace, signal } = options;
  /** By buffer; the pieces that are being taken. */
  const busy = new Map<number, Promise<void>>();
  let index = 0;
  let filled = 0;
  const buffer = (): Buffer => buffers[index] ?? Buffer.alloc(0);

  const handOver = (): void => {
    const mine = index;
    const piece = buffer().subarray(0, filled);
    const taken = Promise.try(take, piece).then(() => {
      busy.delete(mine);
    });
    busy.set(mine, taken);
    taken.catch((error: unknown) =>
      socket.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    index = (index + 1) % buffers.length;
    filled = 0;
  };

  /** True when nothing has to be waited for; otherwise reading goes on when it is there. */
  const mayGoOn = (paced: Promise<void> | undefined): boolean => {
    const next = busy.get(index);
    if (next === undefined && paced === undefined) return true;
    Promise.all([next, paced]).then(
      () => socket.resume(),
      () => {},
    );
    return false;
  };

  const socket = new Socket({
    fd: readEnd,
    readable: true,
    writable: false,
    onread: {
      buffer: () => buffer().subarray(filled),
      callback: (bytes) => {
        filled += bytes;
        if (buffer().length - filled < largestRead) handOver();
        return mayGoOn(pace?.(bytes));
      },
    },
  });
  const abort = (): void =>
    void socket.destroy(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
  signal.addEventListener("abort", abort, { once: true });

  let ended = false;
  socket.on("end", () => {
    ended = true;
    if (filled > 0) handOver();
    Promise.all(busy.values()).then(() => resolve(), reject);
  });
  socket.on("error", (error) => {
    // Nobody may use the buffers again before those who have them are done.
    void Promise.allSettled(busy.values()).then(() => reject(error));
  });
  socket.on("close", () => {
    signal.removeEventListener("abort", abort);
    if (!ended) reject(new Error("the pipe was closed before its end"));
  });
  if (signal.aborted) abort();
  else socket.resume();
  return promise;
}
