import { Failure } from "../failure.ts";
import { backupIdPattern } from "./layout.ts";

/**
 * The files manifest: one JSON object a line, in byte order of keys, zstd-compressed and encrypted
 * with the backup's *data* key as `a{n}/files/manifest`.
 *
 * Inside the software a key is a *binary string*: one UTF-16 code unit per byte, so that JavaScript's
 * own `<` is byte order (comparing decoded strings is not: UTF-16 puts U+E000 after U+10000). Keys are
 * relative to the source, `/`-separated, without a leading slash; a directory's key ends with a slash, so
 * that plain byte order is the order of a walk.
 */
export type FileKey = string;

/**
 * Where an object's bytes are: an encrypted stream. In a pack (its name begins with `pack-`) it is one of
 * many, bound to its offset by the associated data (`…@offset`); otherwise it is the whole file, and the
 * associated data has no offset.
 */
export interface StoredAt {
  /** The backup that stored them, where it is not this one. */
  readonly backup?: string;
  /** Relative to that backup: `a1/files/000001`. */
  readonly file: string;
  /** Of the encrypted stream in the file, and its length; both in bytes. */
  readonly offset: number;
  readonly length: number;
  readonly codec: "zstd" | "none";
}

/**
 * How the SHA-256 of a content that the store copied by itself is known: the store computed it (`store`), or the copy
 * was read once (`read-back`).
 */
export type CopyProof = "store" | "read-back";

/** What a bucket keeps of an object beside its bytes; what is absent is not set. */
export interface ObjectFacts {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly contentDisposition?: string;
  readonly contentLanguage?: string;
  readonly cacheControl?: string;
  /** As the header has it. */
  readonly expires?: string;
  readonly websiteRedirectLocation?: string;
  /** User metadata, names in lower case without `x-amz-meta-`. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
  /** Absent: the store's standard one. Recorded, not restored. */
  readonly storageClass?: string;
}

export interface ManifestEntry {
  readonly key: FileKey;
  readonly kind: "file" | "directory" | "symlink";
  /** Bytes of content; 0 for directories and symlinks. */
  readonly sizeBytes: number;
  /** Modification time in nanoseconds since the epoch, as decimal digits (it does not fit a double). */
  readonly mtimeNs: string;
  /** Permission bits, e.g. 0o644; of a bucket's objects 0o644, and 0o755 of its folder markers. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  /** What the source says changes with the content: inode change time for folders, ETag for buckets. */
  readonly version?: string;
  /** SHA-256 of the content, lower-case hex; files only. */
  readonly sha256?: string;
  /** Absent: the content passed through this software, which hashed it. */
  readonly proof?: CopyProof;
  /** Symlink target, binary string; symlinks only. */
  readonly target?: string;
  /** Objects of a bucket only, and always there for them: it tells them from files of a folder. */
  readonly object?: ObjectFacts;
  /** Files with content only (an empty file needs no bytes). */
  readonly stored?: StoredAt;
  /** The object was not in the source's listing any more; its bytes are kept for one more backup. */
  readonly vanished?: true;
  /**
   * The object kept changing while it was read: this is the version that an earlier backup stored. It is
   * named in the backup's list of skipped objects too.
   */
  readonly stale?: true;
}

/** Of no bytes. */
export const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Whether a stored file's name (`a1/files/pack-000001`) is that of a pack. */
export function isPackName(file: string): boolean {
  return file.includes("/files/pack-");
}

/** A binary string as the UTF-8 text it is, or undefined when it is not valid UTF-8. */
export function decodeKey(key: FileKey): string | undefined {
  if (!/[\u0080-\u00ff]/.test(key)) return key;
  try {
    return decodeURIComponent(
      key.replaceAll(/[%\u0080-\u00ff]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, "0")}`),
    );
  } catch {
    return undefined;
  }
}

/** The binary string of a text. */
export function encodeKey(text: string): FileKey {
  if (!/[^\u0000-\u007f]/.test(text)) return text;
  return encodeURIComponent(text).replaceAll(/%([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** For messages: the text, or the bytes written as `\xHH` where they are not UTF-8. */
export function showKey(key: FileKey): string {
  return decodeKey(key) ?? key.replaceAll(/[\u0080-\u00ff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
}

/**
 * The line of an entry, without its newline. Members come in a fixed order, so that equal entries have
 * equal lines; what is absent is left out. A key or target that is not valid UTF-8 is written as lower-case
 * hex of its bytes under `keyHex` or `targetHex` instead.
 *
 * `{"key":"a/b.pdf","kind":"file","sizeBytes":5,"mtimeNs":"1762732800000000000","mode":420,"uid":1000,
 * "gid":1000,"version":"…","sha256":"…","object":{"contentType":"…"},"stored":{"backup":"…","file":"a1/files/pack-000001",
 * "offset":0,"length":72,"codec":"none"},"vanished":true}`
 */
export function encodeEntry(entry: ManifestEntry): string {
  let line = encodeFacts(entry);
  if (entry.sha256 !== undefined) line += `,"sha256":"${entry.sha256}"`;
  if (entry.proof !== undefined) line += `,"proof":"${entry.proof}"`;
  if (entry.target !== undefined) line += `,${encodeName("target", entry.target)}`;
  if (entry.object !== undefined) line += `,"object":${JSON.stringify(entry.object)}`;
  if (entry.stored !== undefined) line += `,"stored":${encodeStoredAt(entry.stored)}`;
  if (entry.vanished) line += `,"vanished":true`;
  if (entry.stale) line += `,"stale":true`;
  return `${line}}`;
}

/** How the line of an entry begins: all that the source says of it, up to and without its content. */
export function encodeFacts(
  entry: Omit<
    ManifestEntry,
    "kind" | "sha256" | "proof" | "target" | "object" | "stored" | "vanished" | "stale"
  > & {
    readonly kind: string;
  },
): string {
  let line = `{${encodeName("key", entry.key)},"kind":"${entry.kind}","sizeBytes":${entry.sizeBytes}`;
  line += `,"mtimeNs":"${entry.mtimeNs}","mode":${entry.mode}`;
  if (entry.uid !== undefined) line += `,"uid":${entry.uid}`;
  if (entry.gid !== undefined) line += `,"gid":${entry.gid}`;
  if (entry.version !== undefined) line += `,"version":${JSON.stringify(entry.version)}`;
  return line;
}

/** `"key":"…"` where the bytes are UTF-8, else `"keyHex":"…"`. */
export function encodeName(member: "key" | "target", value: FileKey): string {
  const text = decodeKey(value);
  return text === undefined ? `"${member}Hex":"${toHex(value)}"` : `"${member}":${JSON.stringify(text)}`;
}

export function encodeStoredAt(stored: StoredAt): string {
  const backup = stored.backup === undefined ? "" : `"backup":${JSON.stringify(stored.backup)},`;
  const place = `"file":${JSON.stringify(stored.file)},"offset":${stored.offset},"length":${stored.length}`;
  return `{${backup}${place},"codec":"${stored.codec}"}`;
}

function toHex(key: FileKey): string {
  let hex = "";
  for (let i = 0; i < key.length; i++) hex += key.charCodeAt(i).toString(16).padStart(2, "0");
  return hex;
}

function fromHex(hex: string): FileKey {
  return hex.replaceAll(/../g, (pair) => String.fromCharCode(Number.parseInt(pair, 16)));
}

/** The entry of a line. Throws `manifest-damaged` when the line is not in the stated form. */
export function decodeEntry(line: string): ManifestEntry {
  let value: EncodedEntry;
  try {
    value = JSON.parse(line) as EncodedEntry;
  } catch (cause) {
    throw damaged("a line is not JSON", line, cause);
  }
  if (typeof value !== "object" || value === null) throw damaged("a line is not an object", line);
  const key = decodeName(value.key, value.keyHex);
  if (key === undefined || key === "") throw damaged("an entry has no key", line);
  const target = decodeName(value.target, value.targetHex);
  const problem = problemOf(value, key, target);
  if (problem !== undefined) throw damaged(`${showKey(key)}: ${problem}`, line);
  // What was parsed has the right form already, but for names that are not plain ASCII.
  if (value.key === key && value.target === target) return value;
  const { keyHex: _keyHex, targetHex: _targetHex, ...entry } = value;
  return target === undefined ? { ...entry, key } : { ...entry, key, target };
}

type EncodedEntry = ManifestEntry & { readonly keyHex?: string; readonly targetHex?: string };

function decodeName(text: unknown, hex: unknown): FileKey | undefined {
  if (typeof hex === "string") return /^(?:[0-9a-f]{2})+$/.test(hex) ? fromHex(hex) : undefined;
  if (typeof text !== "string") return undefined;
  try {
    return encodeKey(text);
  } catch {
    return undefined; // a lone surrogate: no bytes have this text
  }
}

const digits = /^-?\d{1,20}$/;
const sha256Form = /^[0-9a-f]{64}$/;
/** Below a backup, of one attempt, and nowhere else: a damaged or forged line cannot name other files. */
const storedFileForm = /^a\d{1,6}\/files\/[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;

function problemOf(value: EncodedEntry, key: FileKey, target: FileKey | undefined): string | undefined {
  return problemOfFacts(value) ?? problemOfKind(value, key, target);
}

function problemOfFacts(value: EncodedEntry): string | undefined {
  if (!isCount(value.sizeBytes)) return "its size is not a whole number";
  if (typeof value.mtimeNs !== "string" || !digits.test(value.mtimeNs))
    return "its modification time is not digits";
  if (!isCount(value.mode) || value.mode > 0o7777) return "its mode is not permission bits";
  if (value.uid !== undefined && !isCount(value.uid)) return "its uid is not a whole number";
  if (value.gid !== undefined && !isCount(value.gid)) return "its gid is not a whole number";
  return value.version === undefined || typeof value.version === "string"
    ? undefined
    : "its version is not text";
}

function problemOfKind(value: EncodedEntry, key: FileKey, target: FileKey | undefined): string | undefined {
  const { kind, stored, object } = value;
  if (object !== undefined && !isObjectFacts(object)) return "what its bucket kept of it is not text";
  if (kind !== "file" && kind !== "directory" && kind !== "symlink") return "it has an unknown kind";
  // A bucket may have an object with content whose key ends so.
  if (
    key.endsWith("/") ? kind === "symlink" || (kind === "file" && object === undefined) : kind === "directory"
  )
    return "a directory's key, and only that, ends with a slash";
  if ((kind === "symlink") !== (target !== undefined)) return "a symlink, and only that, has a target";
  if (kind !== "file")
    return value.sizeBytes === 0 && stored === undefined ? undefined : "only files have content";
  if (typeof value.sha256 !== "string" || !sha256Form.test(value.sha256)) return "its SHA-256 is missing";
  if (value.proof !== undefined && value.proof !== "store" && value.proof !== "read-back")
    return "how its SHA-256 is known is unknown";
  if (value.sizeBytes > 0 !== (stored !== undefined))
    return "a file with content, and only that, has stored bytes";
  return stored === undefined ? undefined : problemOfStored(stored);
}

function isObjectFacts(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).every(([name, fact]) =>
    name === "metadata" || name === "tags" ? isTexts(fact) : typeof fact === "string",
  );
}

function isTexts(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((text) => typeof text === "string")
  );
}

/** The names that were found right last: thousands of entries in a row have the same. */
let lastBackup: string | undefined;
let lastFile: string | undefined;

function problemOfStored(stored: StoredAt): string | undefined {
  const { backup, file } = stored;
  if (backup !== undefined && backup !== lastBackup) {
    if (typeof backup !== "string" || !backupIdPattern.test(backup)) return "it names no backup id";
    lastBackup = backup;
  }
  if (file !== lastFile) {
    if (typeof file !== "string" || !storedFileForm.test(file)) return "it names no stored file";
    lastFile = file;
  }
  if (!isCount(stored.offset) || !isCount(stored.length)) return "its place is not whole numbers";
  if (stored.codec !== "zstd" && stored.codec !== "none") return "its codec is unknown";
  return undefined;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function damaged(what: string, line: string, cause?: unknown): Failure {
  return new Failure(
    "manifest-damaged",
    `The file manifest is damaged: ${what} (line of ${line.length} characters). Restore from another backup or copy.`,
    { cause },
  );
}

/** Throws `manifest-damaged` unless `key` comes after `previous` in byte order; equal keys are a defect too. */
export function assertOrder(previous: FileKey | undefined, key: FileKey): void {
  if (previous !== undefined && previous >= key) {
    throw new Failure(
      "manifest-damaged",
      `The file manifest is damaged: ${showKey(key)} comes after ${showKey(previous)}, which is not byte order. ` +
        "Restore from another backup or copy.",
    );
  }
}
