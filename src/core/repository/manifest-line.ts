import {
  decodeEntry,
  encodeFacts,
  encodeStoredAt,
  type FileKey,
  type ManifestEntry,
  type StoredAt,
} from "./manifest.ts";

/**
 * A line of a manifest that is decoded only when it has to be. In most backups nearly every file is unchanged,
 * which is seen from the line as it is: equal facts begin equal lines.
 */
export class ManifestLine {
  readonly key: FileKey;
  readonly #line: string;
  #entry: ManifestEntry | undefined;

  constructor(line: string) {
    this.#line = line;
    const key = plainKey(line);
    if (key === undefined) this.#entry = decodeEntry(line);
    this.key = key ?? (this.#entry as ManifestEntry).key;
  }

  /** Throws `manifest-damaged` where the line is not in its form. */
  get entry(): ManifestEntry {
    return (this.#entry ??= decodeEntry(this.#line));
  }

  /**
   * Where the content of a file is that has exactly these facts, its version among them, and is neither marked
   * vanished nor stale; undefined for anything else (which says nothing: look at the entry).
   */
  unchangedContent(facts: Parameters<typeof encodeFacts>[0]): StoredAt | undefined {
    if (facts.kind !== "file" || facts.version === undefined || !this.#line.endsWith(unmarkedEnd))
      return undefined;
    const beginning = encodeFacts(facts);
    if (!this.#line.startsWith(beginning) || !this.#line.startsWith(contentBegins, beginning.length))
      return undefined;
    const from = this.#storedFrom();
    // An empty object of a bucket may end in the same characters.
    return from < 0 ? undefined : (JSON.parse(this.#line.slice(from, -1)) as StoredAt);
  }

  /** The line with another place of the content; only after `unchangedContent` gave one. */
  withStored(stored: StoredAt): string {
    return `${this.#line.slice(0, this.#storedFrom())}${encodeStoredAt(stored)}}`;
  }

  /**
   * Where the place of the content begins; below 0 where there is none. In no text of JSON can this stand between
   * unescaped quotes but as a member; the last such member is the entry's own.
   */
  #storedFrom(): number {
    const at = this.#line.lastIndexOf(storedBegins);
    return at < 0 ? at : at + storedBegins.length;
  }
}

const keyBegins = '{"key":"';
const keyEnds = '","kind":"';
const contentBegins = ',"sha256":"';
const storedBegins = ',"stored":';
/** Of the place's codec, the place and the entry. */
const unmarkedEnd = '"}}';

/** The key where it is plain ASCII without escapes. */
function plainKey(line: string): FileKey | undefined {
  if (!line.startsWith(keyBegins)) return undefined;
  const end = line.indexOf('"', keyBegins.length);
  if (end === keyBegins.length || !line.startsWith(keyEnds, end)) return undefined;
  const key = line.slice(keyBegins.length, end);
  return /[^\x20-\x5b\x5d-\x7e]/.test(key) ? undefined : key;
}
