/** Custom-format archives made by hand, for tests that no real pg_dump would make. */

export interface EntryParts {
  readonly dumpId: number;
  readonly desc: string;
  readonly tag: string;
  readonly oid: number;
  readonly hadDumper: boolean;
  readonly namespace?: string;
  /** As in the file: 2 pre-data, 3 data, 4 post-data. */
  readonly section?: number;
  readonly tableOid?: number;
  readonly defn?: string;
  readonly dropStmt?: string;
  readonly copyStmt?: string;
  readonly tablespace?: string;
  readonly tableam?: string;
  readonly relkind?: string;
  readonly owner?: string;
  readonly dependencies?: readonly number[];
}

export interface HeadParts {
  /** Of the archive version 1.x. */
  readonly minor?: number;
  readonly compression?: number;
  readonly dumpVersion?: string;
  readonly entryCount?: number;
}

/** A sign byte and four bytes, least significant first. */
export function int(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = value < 0 ? 1 : 0;
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
}

const text = (value: string | undefined): Buffer =>
  value === undefined ? int(-1) : Buffer.concat([int(Buffer.byteLength(value)), Buffer.from(value)]);

export function entry(parts: EntryParts, minor: number): Buffer {
  const relkind = minor >= 16 ? [int((parts.relkind ?? "\0").charCodeAt(0))] : [];
  return Buffer.concat([
    int(parts.dumpId),
    int(parts.hadDumper ? 1 : 0),
    text(String(parts.tableOid ?? 0)),
    text(String(parts.oid)),
    text(parts.tag),
    text(parts.desc),
    int(parts.section ?? 1),
    text(parts.defn),
    text(parts.dropStmt),
    text(parts.copyStmt),
    text(parts.namespace),
    text(parts.tablespace),
    text(parts.tableam),
    ...relkind,
    text(parts.owner),
    text("false"),
    ...(parts.dependencies ?? []).map((id) => text(String(id))),
    text(undefined),
    Buffer.from([parts.hadDumper ? 1 : 3]),
    Buffer.alloc(8),
  ]);
}

export function head(entries: readonly EntryParts[], parts: HeadParts = {}): Buffer {
  const minor = parts.minor ?? 16;
  const compression = parts.compression ?? 0;
  return Buffer.concat([
    Buffer.from("PGDMP"),
    Buffer.from([1, minor, 0, 4, 8, 1]),
    minor >= 15 ? Buffer.from([compression]) : int(compression),
    ...Array.from({ length: 7 }, () => int(1)),
    text("db"),
    text("18.6"),
    text(parts.dumpVersion ?? "18.6"),
    int(parts.entryCount ?? entries.length),
    ...entries.map((one) => entry(one, minor)),
  ]);
}

const chunk = (payload: string | Buffer): Buffer => {
  const bytes = Buffer.from(payload);
  return Buffer.concat([int(bytes.length), bytes]);
};

/** Rows, each piece a chunk of its own. Give the terminator as the last. */
export const block = (dumpId: number, chunks: readonly (string | Buffer)[]): Buffer =>
  Buffer.concat([Buffer.from([1]), int(dumpId), ...chunks.map(chunk), int(0)]);

export const objectsBlock = (
  dumpId: number,
  objects: readonly (readonly [number, readonly string[]])[],
): Buffer =>
  Buffer.concat([
    Buffer.from([3]),
    int(dumpId),
    ...objects.flatMap(([oid, chunks]) => [int(oid), ...chunks.map(chunk), int(0)]),
    int(0),
  ]);

export const archive = (
  entries: readonly EntryParts[],
  blocks: readonly Buffer[],
  parts: HeadParts = {},
): Buffer => Buffer.concat([head(entries, parts), ...blocks]);
