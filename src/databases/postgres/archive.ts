/**
 * Reading PostgreSQL's custom archive format (`pg_dump -Fc`), versions 1.14 (tools 13 to 15), 1.15 (16)
 * and 1.16 (17 and 18), as PostgreSQL's pg_backup_archiver.c and pg_backup_custom.c write it.
 *
 * An archive is a head (header and table of contents), then one block for each entry with data. Written
 * to a pipe, the table of contents holds no offsets: whoever wants a block walks there
 * (`archive-walker.ts`). Integers are a sign byte and four bytes, least significant first; strings are a
 * length (-1: NULL) and bytes in the database's encoding.
 */
import { Failure, type FailureCode } from "../../core/failure.ts";

export interface ArchiveHeader {
  /** "1.14", "1.15", "1.16". */
  readonly archiveVersion: string;
  /** "none", "gzip", "lz4", "zstd", or another number as text. */
  readonly compression: string;
  readonly databaseName: string;
  /** As the server says it, e.g. "15.18 (Debian 15.18-0+deb12u1)". */
  readonly serverVersion: string;
  readonly dumpVersion: string;
  readonly entryCount: number;
}

export type ArchiveSection = "none" | "pre-data" | "data" | "post-data";

/** One entry of the table of contents. Strings that are NULL there are empty here. */
export interface ArchiveEntry {
  readonly dumpId: number;
  /** A block with data follows. */
  readonly hadDumper: boolean;
  readonly tableOid: number;
  /** Of the object itself; for TABLE DATA, of the table; 0 for SEQUENCE SET. */
  readonly oid: number;
  readonly tag: string;
  /** "TABLE", "TABLE DATA", "SEQUENCE SET", "BLOBS", … */
  readonly desc: string;
  readonly section: ArchiveSection;
  readonly defn: string;
  readonly dropStmt: string;
  readonly copyStmt: string;
  /** The schema; empty where there is none. */
  readonly namespace: string;
  readonly tablespace: string;
  readonly tableam: string;
  /** pg_class.relkind, from archive version 1.16 on. */
  readonly relkind?: string;
  readonly owner: string;
  /** Dump ids. */
  readonly dependencies: readonly number[];
  /** Byte offset of the block in the archive; absent where it was not known (pipes) or there is none. */
  readonly dataOffset?: number;
}

export interface ArchiveToc extends ArchiveHeader {
  readonly entries: readonly ArchiveEntry[];
  /** Length of header and table of contents: where the first block begins. */
  readonly headBytes: number;
}

/**
 * Reads a whole head; bytes after it are ignored. Throws with `code` (default: `data-damaged`) when the
 * bytes are no archive head or end too early, and `format-too-new` for an archive version we do not know.
 */
export function parseToc(bytes: Uint8Array, code: FailureCode = "data-damaged"): ArchiveToc {
  const entries: ArchiveEntry[] = [];
  const reader = new ArchiveHeadReader((entry) => entries.push(entry), code);
  reader.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (!reader.header || reader.headBytes === undefined) {
    throw new Failure(code, `The table of contents of the archive ends after ${bytes.byteLength} bytes.`);
  }
  return { ...reader.header, entries, headBytes: reader.headBytes };
}

/** Reads a head from chunks cut anywhere, one entry at a time: an entry is not kept here. */
export class ArchiveHeadReader {
  header: ArchiveHeader | undefined;
  /** Known once the head is complete. */
  headBytes: number | undefined;
  readonly #onEntry: (entry: ArchiveEntry) => void;
  readonly #code: FailureCode;
  #pending: Buffer = Buffer.alloc(0);
  #parsedBytes = 0;
  #entriesRead = 0;
  #decoder: Decoder = utf8;

  constructor(onEntry: (entry: ArchiveEntry) => void, code: FailureCode) {
    this.#onEntry = onEntry;
    this.#code = code;
  }

  /** Takes the next bytes; gives how many of them belong to the head. */
  push(chunk: Buffer): number {
    if (this.headBytes !== undefined) return 0;
    const carried = this.#pending.length;
    const bytes = carried === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    let position = 0;
    try {
      for (; this.headBytes === undefined;) {
        const cursor = new Cursor(bytes, position, this.#decoder, this.#code);
        this.#readNext(cursor);
        this.#parsedBytes += cursor.position - position;
        position = cursor.position;
        if (this.header?.entryCount === this.#entriesRead) this.headBytes = this.#parsedBytes;
      }
      this.#pending = Buffer.alloc(0);
      return position - carried;
    } catch (error) {
      if (error !== needMore) throw error;
      this.#pending = Buffer.from(bytes.subarray(position));
      return chunk.length;
    }
  }

  #readNext(cursor: Cursor): void {
    if (!this.header) {
      this.header = readHeader(cursor);
      return;
    }
    const entry = readEntry(cursor, this.header.archiveVersion);
    this.#entriesRead++;
    if (entry.desc === "ENCODING") this.#decoder = decoderFor(entry.defn);
    this.#onEntry(entry);
  }
}

/** The value a SEQUENCE SET entry sets. */
export function sequenceValue(entry: ArchiveEntry): { lastValue: string; isCalled: boolean } | undefined {
  const match = /, (-?\d+), (true|false)\);\s*$/.exec(entry.defn);
  return match?.[1] === undefined ? undefined : { lastValue: match[1], isCalled: match[2] === "true" };
}

const sections: readonly ArchiveSection[] = ["none", "none", "pre-data", "data", "post-data"];
const compressions = ["none", "gzip", "lz4", "zstd"];

function readHeader(cursor: Cursor): ArchiveHeader {
  if (cursor.bytesAsText(5) !== "PGDMP") throw cursor.damaged("does not begin as a PostgreSQL archive does");
  const major = cursor.byte();
  const minor = cursor.byte();
  cursor.byte(); // revision
  if (major !== 1 || minor < 14)
    throw cursor.damaged(`has archive version ${major}.${minor}, which is too old`);
  if (minor > 16) {
    throw new Failure(
      "format-too-new",
      `The archive has version ${major}.${minor}; this version of lc2 reads 1.14 to 1.16. Use a newer version.`,
    );
  }
  if (cursor.byte() !== 4) throw cursor.damaged("has integers of another size than 4 bytes");
  if (cursor.byte() !== 8) throw cursor.damaged("has offsets of another size than 8 bytes");
  if (cursor.byte() !== 1) throw cursor.damaged("is not of the custom format");
  const compression =
    minor >= 15 ? (compressions[cursor.byte()] ?? "unknown") : cursor.int() === 0 ? "none" : "gzip";
  for (let i = 0; i < 7; i++) cursor.int(); // creation time, field by field
  return {
    archiveVersion: `${major}.${minor}`,
    compression,
    databaseName: cursor.text(),
    serverVersion: cursor.text(),
    dumpVersion: cursor.text(),
    entryCount: cursor.int(),
  };
}

function readEntry(cursor: Cursor, archiveVersion: string): ArchiveEntry {
  const dumpId = cursor.int();
  const hadDumper = cursor.int() !== 0;
  const tableOid = Number(cursor.text());
  const oid = Number(cursor.text());
  const tag = cursor.text();
  const desc = cursor.text();
  const section = sections[cursor.int()] ?? "none";
  const defn = cursor.text();
  const dropStmt = cursor.text();
  const copyStmt = cursor.text();
  const namespace = cursor.text();
  const tablespace = cursor.text();
  const tableam = cursor.text();
  const relkind = archiveVersion === "1.16" ? cursor.int() : 0;
  const owner = cursor.text();
  cursor.text(); // "false": WITH OIDS of old
  const dependencies: number[] = [];
  for (let text = cursor.textOrNull(); text !== undefined; text = cursor.textOrNull()) {
    dependencies.push(Number(text));
  }
  const dataOffset = cursor.offset();
  return {
    dumpId,
    hadDumper,
    tableOid,
    oid,
    tag,
    desc,
    section,
    defn,
    dropStmt,
    copyStmt,
    namespace,
    tablespace,
    tableam,
    ...(relkind === 0 ? {} : { relkind: String.fromCharCode(relkind) }),
    owner,
    dependencies,
    ...(dataOffset === undefined ? {} : { dataOffset }),
  };
}

/** Thrown when the bytes at hand end inside an item; never leaves this file. */
const needMore = new Error("more bytes are needed");

class Cursor {
  position: number;
  readonly #bytes: Buffer;
  readonly #decoder: Decoder;
  readonly #code: FailureCode;

  constructor(bytes: Buffer, position: number, decoder: Decoder, code: FailureCode) {
    this.#bytes = bytes;
    this.position = position;
    this.#decoder = decoder;
    this.#code = code;
  }

  damaged(how: string): Failure {
    return new Failure(this.#code, `The archive ${how}.`);
  }

  #take(length: number): number {
    if (this.position + length > this.#bytes.length) throw needMore;
    const start = this.position;
    this.position += length;
    return start;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  int(): number {
    const start = this.#take(5);
    const value = this.#bytes.readUInt32LE(start + 1);
    return this.#bytes[start] === 0 ? value : -value;
  }

  bytesAsText(length: number): string {
    const start = this.#take(length);
    return this.#bytes.toString("latin1", start, start + length);
  }

  text(): string {
    return this.textOrNull() ?? "";
  }

  textOrNull(): string | undefined {
    const length = this.int();
    if (length < 0) return undefined;
    // A damaged length must not make us wait for gigabytes.
    if (length > longestText) throw this.damaged(`has a string of ${length} bytes in its table of contents`);
    const start = this.#take(length);
    return this.#decoder(this.#bytes.subarray(start, start + length));
  }

  /** One byte of state (2: set), then eight bytes, least significant first. */
  offset(): number | undefined {
    const state = this.byte();
    if (state < 1 || state > 3) throw this.damaged(`has an offset in the unknown state ${state}`);
    const start = this.#take(8);
    return state === 2 ? Number(this.#bytes.readBigUInt64LE(start)) : undefined;
  }
}

/** PostgreSQL's own limit for one value is 1 GB; definitions beyond this do not occur. */
const longestText = 256 * 1024 * 1024;

type Decoder = (bytes: Buffer) => string;
const utf8: Decoder = (bytes) => bytes.toString("utf8");

/** Names of PostgreSQL encodings that TextDecoder calls otherwise. */
const encodings: Readonly<Record<string, string>> = {
  LATIN1: "latin1",
  LATIN2: "iso-8859-2",
  LATIN3: "iso-8859-3",
  LATIN4: "iso-8859-4",
  LATIN5: "windows-1254",
  LATIN6: "iso-8859-10",
  LATIN7: "iso-8859-13",
  LATIN8: "iso-8859-14",
  LATIN9: "iso-8859-15",
  LATIN10: "iso-8859-16",
  ISO_8859_5: "iso-8859-5",
  ISO_8859_6: "iso-8859-6",
  ISO_8859_7: "iso-8859-7",
  ISO_8859_8: "iso-8859-8",
  WIN866: "ibm866",
  WIN874: "windows-874",
  WIN1250: "windows-1250",
  WIN1251: "windows-1251",
  WIN1252: "windows-1252",
  WIN1253: "windows-1253",
  WIN1254: "windows-1254",
  WIN1255: "windows-1255",
  WIN1256: "windows-1256",
  WIN1257: "windows-1257",
  WIN1258: "windows-1258",
  KOI8R: "koi8-r",
  KOI8U: "koi8-u",
  EUC_JP: "euc-jp",
  EUC_KR: "euc-kr",
  EUC_CN: "gb18030",
  UHC: "euc-kr",
};

/** From the ENCODING entry, `SET client_encoding = 'LATIN1';`, which stands first. */
function decoderFor(statement: string): Decoder {
  const label = encodings[/'([^']+)'/.exec(statement)?.[1] ?? "UTF8"];
  if (label === undefined) return utf8;
  const decoder = new TextDecoder(label);
  return (bytes) => decoder.decode(bytes);
}
