import { encodeEntry, encodeStoredAt, type ManifestEntry } from "../../core/repository/manifest.ts";
import type { StoredFile } from "../../core/repository/metadata.ts";
import { LineWriter } from "../streams/line-writer.ts";
import type { StoredFilePlace } from "../streams/stored-file.ts";
import type { Placement, StoredBytesWriter } from "../streams/stored-bytes-writer.ts";

/** Entries that may wait behind one whose batch is not full. */
const waitingEntries = 4096;
/** New content after which it is looked again which entries have their place. */
const waitingBytes = 4 << 20;

/** An entry that waits for its bytes: its line up to their place. Text, because it may be many that wait. */
interface WaitingEntry {
  readonly beginning: string;
  readonly placement: Placement;
}

/**
 * Writes the manifest in the order entries come, though the bytes of some are still on their way, and tells the
 * journal of those that arrived. Memory: the entries from the first that waits.
 */
export class OrderedManifest {
  readonly #lines: LineWriter;
  readonly #bytes: StoredBytesWriter;
  readonly #waiting: (string | WaitingEntry)[] = [];
  #waitingBytes = 0;

  static async create(
    place: StoredFilePlace,
    name: string,
    bytes: StoredBytesWriter,
  ): Promise<OrderedManifest> {
    return new OrderedManifest(await LineWriter.create(place, name), bytes);
  }

  constructor(lines: LineWriter, bytes: StoredBytesWriter) {
    this.#lines = lines;
    this.#bytes = bytes;
  }

  /**
   * An entry in its turn; with a placement its bytes were stored by this attempt, or are on their way, and it says
   * nothing of them yet.
   */
  add(entry: ManifestEntry, placement?: Placement): Promise<void> | undefined {
    if (placement === undefined) return this.addLine(encodeEntry(entry));
    this.#waiting.push({ beginning: encodeEntry(entry).slice(0, -1), placement });
    this.#waitingBytes += entry.sizeBytes;
    return this.#writeWhenDue();
  }

  /** An entry that is encoded already. */
  addLine(line: string): Promise<void> | undefined {
    if (this.#waiting.length === 0) return this.#lines.add(line);
    this.#waiting.push(line);
    return this.#writeWhenDue();
  }

  #writeWhenDue(): Promise<void> | undefined {
    // Not for every entry: asking costs more than waiting.
    const isDue = (this.#waiting.length & 127) === 0 || this.#waitingBytes >= waitingBytes;
    return isDue ? this.#writeSome() : undefined;
  }

  /** Makes everything stored so far safe from a kill. */
  async writeJournal(): Promise<void> {
    await this.#settle();
    await this.#bytes.writeJournal();
  }

  /** Writes every entry. Needs no journal any more. */
  async finish(): Promise<StoredFile> {
    await this.#settle();
    return this.#lines.finish();
  }

  /** Leaves nothing behind. Idempotent. */
  async abort(): Promise<void> {
    await this.#lines.abort();
  }

  async #settle(): Promise<void> {
    await this.#bytes.closePack();
    await this.#writePlaced();
  }

  async #writeSome(): Promise<void> {
    await this.#writePlaced();
    await this.#bytes.journalClosedPack();
    // Behind a small file whose batch is not full, unchanged ones could gather for ever.
    if (this.#waiting.length < waitingEntries) return;
    await this.#bytes.settle();
    await this.#writePlaced();
  }

  /** Writes what has its place, up to the first that has not. */
  async #writePlaced(): Promise<void> {
    let written = 0;
    for (const item of this.#waiting) {
      // Most of them need no waiting.
      const pending = typeof item === "string" ? this.#lines.add(item) : this.#writeItem(item);
      if (pending === false) break;
      if (pending !== undefined) await pending;
      written += 1;
    }
    this.#waiting.splice(0, written);
    this.#waitingBytes = 0;
  }

  /** False where its bytes have no place yet. */
  #writeItem({ beginning, placement }: WaitingEntry): Promise<void> | undefined | false {
    const { stored } = placement;
    if (stored === undefined) return false;
    const line = `${beginning},"stored":${encodeStoredAt(stored)}}`;
    const written = this.#lines.add(line);
    if (written === undefined) return this.#bytes.record(line, stored.file);
    return written.then(() => this.#bytes.record(line, stored.file));
  }
}
