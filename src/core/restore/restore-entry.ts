/** One entry of an archive's table of contents, as far as restoring decides on it. */
export interface RestoreEntry {
  readonly dumpId: number;
  /** The kind, in pg_dump's words: `TABLE`, `EVENT TRIGGER`, `COMMENT`, … */
  readonly kind: string;
  /** Empty where the object is in no schema. */
  readonly schema: string;
  /** The object's name; for comments and grants what they are on: `TABLE article`. */
  readonly name: string;
  readonly owner: string;
  /** The SQL that creates it. */
  readonly definition: string;
  /** Dump ids of what must exist before. */
  readonly dependencies: readonly number[];
  readonly tablespace: string;
}

/** An entry named for people: `table cms.article`. */
export function describeEntry(entry: RestoreEntry): string {
  const name = entry.schema === "" ? entry.name : `${entry.schema}.${entry.name}`;
  return `${entry.kind.toLowerCase()} ${name}`;
}
