import type { FileKey, ManifestEntry } from "../repository/manifest.ts";
import type { ListOptions, SourceContent, SourceEntry } from "./file-source.ts";

/** Facts that are set on an object. Times are kept to the microsecond, which is all that Node can set. */
export type TargetFacts = Pick<ManifestEntry, "mtimeNs" | "mode" | "uid" | "gid">;

/**
 * A place that files are restored to: a folder, later a bucket. Worker side only.
 *
 * Nothing outside of it is ever touched: keys that would lead out are refused (`path-not-restorable`), and a
 * symlink on the way to a key is never followed; what lies behind one counts as absent, and writing there is
 * refused. Folders' keys end with a slash. Every step is atomic: an object is as before, or as wanted.
 */
export interface FileTarget {
  readonly url: string;
  /** Whether owners can be given (root). */
  readonly setsOwners: boolean;

  /** What is there before anything is done. Changes nothing. */
  inspect(): TargetState;

  /** As `FileSource.list`; nothing where the target does not exist. */
  list(options: ListOptions): AsyncIterable<readonly SourceEntry[]>;

  /**
   * The object at a key without its slash, whatever its kind; its key in the answer has the slash that its kind
   * asks for. Undefined where there is none.
   */
  look(key: FileKey): SourceEntry | undefined;

  /** As `FileSource.open`. */
  open(key: FileKey): SourceContent;

  /** Makes the target's own folder, and those above it, where they are missing. */
  create(): void;

  /**
   * Puts a file in place of whatever file or symlink is there. What was written is read back and compared
   * with `sha256` before that (`store-failed`); with `durable` it is also on the disk. Must not overlap.
   */
  writeFile(
    key: FileKey,
    pieces: AsyncIterable<Uint8Array>,
    file: TargetFacts & { readonly sha256: string; readonly durable: boolean },
  ): Promise<void>;

  /** Puts a symlink in place of whatever file or symlink is there. */
  writeSymlink(key: FileKey, target: string, facts: TargetFacts): void;

  /** Makes a folder, open to us until its facts are set. True when it was made, false when it was there. */
  makeFolder(key: FileKey): boolean;

  /** Sets the facts of an object that is there. */
  setFacts(key: FileKey, facts: TargetFacts): void;

  /** Removes a file, a symlink, or an empty folder. False when there is none, or the folder is not empty. */
  remove(key: FileKey): boolean;

  /** Removes what a killed process left half written in the folder of a key. Idempotent. */
  removeTemporary(key: FileKey): void;

  /** Makes everything written so far durable. */
  sync(): Promise<void>;

  /** Gives its handles back. */
  close(): void;
}

export type TargetState =
  | { readonly state: "missing" | "folder"; readonly isWritable: boolean; readonly freeBytes: number }
  | { readonly state: "other" };
