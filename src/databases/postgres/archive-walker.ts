import { Failure, type FailureCode } from "../../core/failure.ts";
import { ArchiveHeadReader, sequenceValue, type ArchiveEntry, type ArchiveHeader } from "./archive.ts";

export interface ArchiveSummary extends ArchiveHeader {
  readonly headBytes: number;
  /** Length of the whole archive. */
  readonly bytes: number;
  /** Every table with a block of rows. Names in the archive's own spelling; match by oid where you can. */
  readonly tables: readonly WalkedTable[];
  readonly sequences: readonly WalkedSequence[];
  readonly largeObjects: { readonly count: number; readonly bytes: number };
}

export interface WalkedTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  /** Length of the rows in COPY's text form. */
  readonly bytes: number;
}

export interface WalkedSequence {
  /** 0 where the archive does not hold the sequence's definition. */
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly lastValue: string;
  readonly isCalled: boolean;
}

/** What the next byte is part of. */
const inHead = 0;
const atBlock = 1;
const inBlockId = 2;
const inChunkLength = 3;
const inChunk = 4;
const inObjectId = 5;

const newline = 10;
const backslash = 92;
const dot = 46;
const rowsBlock = 1;
const objectsBlock = 3;
/** Each table's rows end with this. */
const terminator = Buffer.from("\\.\n\n\n");

/**
 * Walks an uncompressed custom archive (`pg_dump -Fc -Z0`) as it passes, in chunks cut anywhere: counts
 * rows and bytes of each table and of large objects, and notices an archive that ends too early.
 * Constant memory but for the list of tables and sequences.
 *
 * pg_dump up to 18 writes each COPY row as one chunk of its own (it hands on what PQgetCopyData gives),
 * so rows are counted by hopping from chunk header to chunk header; each hop checks that the chunk ends
 * with a newline, and the first chunk of every block is searched for a second one. Where that does not
 * hold, or a newer tool wrote the archive, newlines are counted instead: COPY's text form escapes those
 * inside values. Either way the block must end with its terminator.
 */
export class ArchiveWalker {
  readonly #head: ArchiveHeadReader;
  readonly #code: FailureCode;
  /** Entries that have a block still to come. */
  readonly #expected = new Map<number, ArchiveEntry>();
  /** By dump id: SEQUENCE SET names the sequence as what it depends on, and has no oid of its own. */
  readonly #sequenceOids = new Map<number, number>();
  readonly #tables: WalkedTable[] = [];
  readonly #sequences: WalkedSequence[] = [];
  readonly #largeObjects = { count: 0, bytes: 0 };
  #totalBytes = 0;
  #state = inHead;
  #countNewlines = false;

  // The integer being read, when it is cut by the end of a chunk.
  #intBytes = 0;
  #intNegative = false;
  #intValue = 0;

  // The block being read.
  #blockKind = 0;
  #entry: ArchiveEntry | undefined;
  #chunks = 0;
  #newlines = 0;
  #blockBytes = 0;
  #endsWithTerminator = false;

  // The chunk being read, when it does not lie whole in one buffer.
  #remaining = 0;
  #chunkLength = 0;
  #chunkNewlines = 0;
  /** The last bytes of the block's payload, as many as the terminator has. */
  readonly #tail = Buffer.alloc(terminator.length);

  /** `code`: what a broken archive is called; the default is for one that pg_dump is writing. */
  constructor(code: FailureCode = "dump-incomplete") {
    this.#code = code;
    this.#head = new ArchiveHeadReader((entry) => this.#takeEntry(entry), code);
  }

  /** Bytes taken so far. */
  get bytes(): number {
    return this.#totalBytes;
  }

  /** Tables whose rows have passed whole, in the archive's order. */
  get tables(): readonly WalkedTable[] {
    return this.#tables;
  }

  /** Length of header and table of contents, once known. */
  get headBytes(): number | undefined {
    return this.#head.headBytes;
  }

  /** The table whose rows are passing, for progress. */
  get currentTable(): string | undefined {
    return this.#entry?.tag;
  }

  /** The buffer may be used again afterwards. */
  push(chunk: Buffer): void {
    this.#totalBytes += chunk.length;
    let position = 0;
    if (this.#state === inHead) {
      position = this.#head.push(chunk);
      if (this.#head.headBytes === undefined) return;
      this.#takeHeader();
    }
    while (position < chunk.length) {
      if (this.#state === inChunkLength && this.#intBytes === 0 && this.#hopsRows()) {
        position = this.#hop(chunk, position);
        if (position >= chunk.length) return;
      }
      position = this.#step(chunk, position);
    }
  }

  /** The archive has ended. Throws when it was not whole. */
  end(): ArchiveSummary {
    const header = this.#head.header;
    const headBytes = this.#head.headBytes;
    if (!header || headBytes === undefined) {
      throw this.#incomplete("it ends inside its table of contents");
    }
    if (this.#state !== atBlock) {
      throw this.#incomplete(
        this.#entry ? `it ends inside the data of ${describe(this.#entry)}` : "it ends inside a block",
      );
    }
    if (this.#expected.size > 0) {
      const missing = [...this.#expected.values()];
      const some = missing.slice(0, 3).map(describe).join(", ");
      throw this.#incomplete(
        `the data of ${missing.length} entries is missing (${some}${missing.length > 3 ? ", …" : ""})`,
      );
    }
    return {
      ...header,
      headBytes,
      bytes: this.#totalBytes,
      tables: this.#tables,
      sequences: this.#sequences,
      largeObjects: { ...this.#largeObjects },
    };
  }

  #incomplete(how: string): Failure {
    const text = `The archive is not whole after ${this.#totalBytes} bytes: ${how}.`;
    return new Failure(this.#code, text);
  }

  #takeEntry(entry: ArchiveEntry): void {
    if (entry.hadDumper) this.#expected.set(entry.dumpId, withoutTexts(entry));
    if (entry.desc === "SEQUENCE") this.#sequenceOids.set(entry.dumpId, entry.oid);
    if (entry.desc === "SEQUENCE SET") {
      const value = sequenceValue(entry);
      if (!value) throw this.#incomplete(`the value of sequence ${entry.tag} is not in the form we know`);
      const oid = entry.dependencies
        .map((id) => this.#sequenceOids.get(id))
        .find((found) => found !== undefined);
      this.#sequences.push({ oid: oid ?? 0, schema: entry.namespace, name: entry.tag, ...value });
    }
  }

  #takeHeader(): void {
    const header = this.#head.header;
    if (header?.compression !== "none") {
      throw new Failure("internal", `The archive is compressed (${header?.compression}); -Z0 was expected.`);
    }
    const dumpMajor = Number.parseInt(header.dumpVersion, 10);
    this.#countNewlines = !(dumpMajor <= 18);
    this.#state = atBlock;
  }

  #hopsRows(): boolean {
    return this.#blockKind === rowsBlock && !this.#countNewlines;
  }

  /**
   * The fast path: from row to row inside one buffer. Stops before the first thing that is not a whole
   * row chunk: the block's end, a chunk cut by the buffer's end, the terminator of the rows.
   */
  #hop(chunk: Buffer, start: number): number {
    const end = chunk.length;
    let position = start;
    let hops = 0;
    if (this.#chunks === 0 && !this.#firstChunkIsOneRow(chunk, position)) return position;
    while (position + 5 <= end) {
      const length = chunkLength(chunk, position);
      const next = position + 5 + length;
      if (length <= 0 || next > end || chunk[next - 1] !== newline) break;
      if (length === terminator.length && chunk[position + 5] === backslash && chunk[position + 6] === dot)
        break;
      position = next;
      hops++;
    }
    if (hops > 0) {
      this.#chunks += hops;
      this.#blockBytes += position - start - 5 * hops;
      this.#endsWithTerminator = false;
    }
    return position;
  }

  /** False leaves the chunk to the slow path, which decides how rows are counted. */
  #firstChunkIsOneRow(chunk: Buffer, position: number): boolean {
    if (position + 5 > chunk.length) return false;
    const length = chunkLength(chunk, position);
    return length > 0 && chunk.indexOf(newline, position + 5) === position + 4 + length;
  }

  /** Takes at least one byte: one item, or what this buffer has of it. */
  #step(chunk: Buffer, position: number): number {
    switch (this.#state) {
      case atBlock:
        this.#startBlock(chunk[position] ?? 0);
        return position + 1;
      case inChunk:
        return this.#takePayload(chunk, position);
      default: {
        const next = this.#readInt(chunk, position);
        if (this.#intBytes === 5) this.#takeInt();
        return next;
      }
    }
  }

  #readInt(chunk: Buffer, start: number): number {
    let position = start;
    for (; position < chunk.length && this.#intBytes < 5; position++) {
      const byte = chunk[position] ?? 0;
      if (this.#intBytes === 0) this.#intNegative = byte !== 0;
      else this.#intValue += byte * 2 ** (8 * (this.#intBytes - 1));
      this.#intBytes++;
    }
    return position;
  }

  #takeInt(): void {
    const value = this.#intNegative ? -this.#intValue : this.#intValue;
    this.#intBytes = 0;
    this.#intValue = 0;
    if (this.#state === inBlockId) this.#openBlock(value);
    else if (this.#state === inObjectId) this.#takeObjectId(value);
    else this.#takeChunkLength(value);
  }

  #startBlock(kind: number): void {
    if (kind !== rowsBlock && kind !== objectsBlock) {
      throw this.#incomplete(`a block of the unknown kind ${kind} begins`);
    }
    this.#blockKind = kind;
    this.#state = inBlockId;
  }

  #openBlock(dumpId: number): void {
    const entry = this.#expected.get(dumpId);
    if (!entry) throw this.#incomplete(`a block names entry ${dumpId}, which has none to come`);
    if ((entry.desc === "BLOBS") !== (this.#blockKind === objectsBlock)) {
      throw this.#incomplete(`the block of ${describe(entry)} is of the wrong kind`);
    }
    this.#expected.delete(dumpId);
    this.#entry = entry;
    this.#chunks = 0;
    this.#newlines = 0;
    this.#blockBytes = 0;
    this.#endsWithTerminator = false;
    this.#tail.fill(0);
    this.#state = this.#blockKind === objectsBlock ? inObjectId : inChunkLength;
  }

  /** Object ids above 2^31 are written as negative numbers; they are only counted. Zero ends the block. */
  #takeObjectId(oid: number): void {
    if (oid === 0) {
      this.#closeBlock();
      return;
    }
    this.#largeObjects.count++;
    this.#state = inChunkLength;
  }

  #takeChunkLength(length: number): void {
    if (length < 0) throw this.#incomplete("a chunk has a negative length");
    if (length > 0) {
      this.#remaining = length;
      this.#chunkLength = length;
      this.#chunkNewlines = 0;
      this.#state = inChunk;
    } else if (this.#blockKind === objectsBlock) this.#state = inObjectId;
    else this.#finishTable();
  }

  #takePayload(chunk: Buffer, position: number): number {
    const end = Math.min(chunk.length, position + this.#remaining);
    const length = end - position;
    this.#remaining -= length;
    if (this.#blockKind === objectsBlock) this.#largeObjects.bytes += length;
    else {
      this.#blockBytes += length;
      this.#chunkNewlines += countNewlines(chunk, position, end);
      const kept = Math.min(length, terminator.length);
      this.#tail.copyWithin(0, kept);
      chunk.copy(this.#tail, terminator.length - kept, end - kept, end);
    }
    if (this.#remaining === 0) {
      if (this.#blockKind === rowsBlock) this.#finishRowsChunk();
      this.#state = inChunkLength;
    }
    return end;
  }

  /** A chunk of rows that did not go the fast path. */
  #finishRowsChunk(): void {
    this.#newlines += this.#chunkNewlines;
    this.#endsWithTerminator = this.#tail.equals(terminator);
    const isTerminator = this.#endsWithTerminator && this.#chunkLength === terminator.length;
    const isOneRow = this.#chunkNewlines === 1 && this.#tail.at(-1) === newline;
    if (!this.#countNewlines && !isTerminator && !isOneRow) {
      if (this.#chunks > 0) throw this.#incomplete(`a row of ${this.#name()} is not one chunk`);
      this.#countNewlines = true;
    }
    this.#chunks++;
  }

  #finishTable(): void {
    const entry = this.#entry;
    if (!entry || !this.#endsWithTerminator) {
      throw this.#incomplete(`the rows of ${this.#name()} have no end mark`);
    }
    // The terminator is a chunk of its own, with three newlines.
    const rows = this.#countNewlines ? this.#newlines - 3 : this.#chunks - 1;
    this.#tables.push({
      oid: entry.oid,
      schema: entry.namespace,
      name: entry.tag,
      rows,
      bytes: this.#blockBytes - terminator.length,
    });
    this.#closeBlock();
  }

  #closeBlock(): void {
    this.#entry = undefined;
    this.#state = atBlock;
  }

  #name(): string {
    return this.#entry ? describe(this.#entry) : "a block";
  }
}

/** -1 for a negative length. */
function chunkLength(bytes: Buffer, position: number): number {
  if (bytes[position] !== 0) return -1;
  return (
    (bytes[position + 1] ?? 0) |
    ((bytes[position + 2] ?? 0) << 8) |
    ((bytes[position + 3] ?? 0) << 16) |
    ((bytes[position + 4] ?? 0) << 24)
  );
}

function countNewlines(bytes: Buffer, start: number, end: number): number {
  let count = 0;
  // indexOf has a price for each call: short pieces are looked through here.
  if (end - start < 64) {
    for (let i = start; i < end; i++) if (bytes[i] === newline) count++;
    return count;
  }
  const piece = bytes.subarray(start, end);
  for (let i = piece.indexOf(newline); i >= 0; i = piece.indexOf(newline, i + 1)) count++;
  return count;
}

/** The table of contents may hold long definitions; none is needed here. */
const withoutTexts = (entry: ArchiveEntry): ArchiveEntry => ({
  ...entry,
  defn: "",
  dropStmt: "",
  copyStmt: "",
  dependencies: [],
});

const describe = (entry: ArchiveEntry): string =>
  `${entry.desc} ${entry.namespace === "" ? "" : `${entry.namespace}.`}${entry.tag}`;
