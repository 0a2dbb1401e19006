import type { Readable } from "node:stream";

/** What does not read as a message comes from something else than a worker of ours: undefined. */
export function parseLine(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

/** A worker's answer to `handOver`: it waits for its next holder. */
export const isAdoptable = (message: unknown): boolean =>
  typeof message === "object" && message !== null && "adoptable" in message;

/** Of a worker that stays: its task is done, and it waits for the next. */
export const isFree = (message: unknown): boolean =>
  typeof message === "object" && message !== null && "free" in message;

/**
 * Resolves at the end of the stream. The next line waits for the promise of the one before. A last line without its end
 * is of a dying worker: left out.
 */
export async function readLines(
  stream: Readable,
  onLine: (line: string) => void | Promise<void>,
): Promise<void> {
  let rest = "";
  stream.setEncoding("utf8");
  try {
    for await (const text of stream as AsyncIterable<string>) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const held = onLine(line);
        if (held !== undefined) await held.catch(() => undefined);
      }
    }
  } catch {
    // Its exit says more than a broken pipe.
  }
}

/** The end of what was written. */
export function readTail(stream: Readable | null, limit: number): Promise<string> {
  return new Promise((resolve) => {
    let tail = "";
    if (stream === null) return resolve(tail);
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      tail = (tail + text).slice(-limit);
    });
    stream.once("error", () => resolve(tail));
    stream.once("close", () => resolve(tail));
  });
}
