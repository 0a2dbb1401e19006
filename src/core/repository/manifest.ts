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

/** Where an object's bytes are. */
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

export interface ManifestEntry {
  readonly key: FileKey;
  readonly kind: "file" | "directory" | "symlink";
  /** Bytes of content; 0 for directories and symlinks. */
  readonly sizeBytes: number;
  /** Modification time in nanoseconds since the epoch, as decimal digits (it does not fit a double). */
  readonly mtimeNs: string;
  /** Permission bits, e.g. 0o644. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  /** What the source says changes with the content: inode change time for folders, ETag for buckets. */
  readonly version?: string;
  /** SHA-256 of the content, lower-case hex; files only. */
  readonly sha256?: string;
  /** Symlink target, binary string; symlinks only. */
  readonly target?: string;
  /** Files with content only (an empty file needs no bytes). */
  readonly stored?: StoredAt;
  /** The object was not in the source's listing any more; its bytes are kept for one more backup. */
  readonly vanished?: true;
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
