import type { StoredFile } from "../../core/repository/metadata.ts";
import { createStoredFile, type StoredFilePlace, type StoredFileWriter } from "./stored-file.ts";

const pieceBytes = 1 << 20;
/** Pieces on their way at once. */
const piecesInFlight = 2;
const newline = 10;

/**
 * Writes a stored file line by line: manifest, skipped list. Memory: a piece of a MiB, and two on their way. A line
 * becomes bytes at once: a MiB of lines held as strings would live long enough to cost the garbage collector more
 * than all the rest.
 */
export class LineWriter {
  readonly #writer: StoredFileWriter;
  readonly #outstanding: Promise<void>[] = [];
  readonly #spare: Buffer[] = [];
  #piece: Buffer = Buffer.allocUnsafeSlow(pieceBytes);
  #usedBytes = 0;

  static async create(place: StoredFilePlace, name: string): Promise<LineWriter> {
    return new LineWriter(await createStoredFile(place, name));
  }

  constructor(writer: StoredFileWriter) {
    this.#writer = writer;
  }

  /** Appends a line; gives a promise only when the caller must wait. */
  add(line: string): Promise<void> | undefined {
    // No character takes more than three bytes for each of its code units.
    const most = 3 * line.length + 1;
    const room = this.#usedBytes + most > this.#piece.length ? this.#write(most) : undefined;
    this.#usedBytes += this.#piece.write(line, this.#usedBytes);
    this.#piece[this.#usedBytes++] = newline;
    return room;
  }

  async finish(): Promise<StoredFile> {
    if (this.#usedBytes > 0) await this.#write(0);
    return this.#writer.finish();
  }

  /** Leaves nothing behind. Idempotent. */
  async abort(): Promise<void> {
    await this.#writer.abort();
  }

  /** Hands on what there is; there is room for so many bytes at once, and less on its way when it resolves. */
  #write(roomBytes: number): Promise<void> | undefined {
    const piece = this.#piece;
    const written = this.#writer.write(piece.subarray(0, this.#usedBytes)).then(() => {
      this.#spare.push(piece);
    });
    // Whoever waits for it is told, and `finish` is.
    written.catch(() => undefined);
    this.#outstanding.push(written);
    const spare = this.#spare.pop();
    this.#piece =
      spare !== undefined && spare.length >= roomBytes
        ? spare
        : Buffer.allocUnsafeSlow(Math.max(pieceBytes, roomBytes));
    this.#usedBytes = 0;
    return this.#outstanding.length > piecesInFlight ? this.#outstanding.shift() : undefined;
  }
}
