import type { StoredFile } from "../../core/repository/metadata.ts";
import { createStoredFile, type StoredFilePlace, type StoredFileWriter } from "./stored-file.ts";

const pieceCharacters = 1 << 20;

/** Writes a stored file line by line: manifest, skipped list. Memory: a piece of a MiB, and two on their way. */
export class LineWriter {
  readonly #writer: StoredFileWriter;
  readonly #outstanding: Promise<void>[] = [];
  #text = "";

  static async create(place: StoredFilePlace, name: string): Promise<LineWriter> {
    return new LineWriter(await createStoredFile(place, name));
  }

  constructor(writer: StoredFileWriter) {
    this.#writer = writer;
  }

  /** Appends a line; gives a promise only when the caller must wait. */
  add(line: string): Promise<void> | undefined {
    this.#text += `${line}\n`;
    return this.#text.length < pieceCharacters ? undefined : this.#write();
  }

  async finish(): Promise<StoredFile> {
    if (this.#text.length > 0) await this.#write();
    return this.#writer.finish();
  }

  /** Leaves nothing behind. Idempotent. */
  async abort(): Promise<void> {
    await this.#writer.abort();
  }

  async #write(): Promise<void> {
    this.#outstanding.push(this.#writer.write(Buffer.from(this.#text)));
    this.#text = "";
    if (this.#outstanding.length > 2) await this.#outstanding.shift();
  }
}
