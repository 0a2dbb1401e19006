import type { FailureCode } from "../failure.ts";
import type { FileKey, ManifestEntry } from "../repository/manifest.ts";
import type { ListOptions, SourceContent, SourceEntry } from "./file-source.ts";

/** A folder answers at once, a bucket later; `await` takes both. */
export type MaybePromise<T> = T | Promise<T>;

/** Facts that are set on an object. Times are kept to the microsecond, which is all that Node can set. */
export type TargetFacts = Pick<ManifestEntry, "mtimeNs" | "mode" | "uid" | "gid" | "object">;

/** What a target keeps of an entry beside its key and its bytes; the rest is neither set nor compared. */
export interface TargetKeeps {
  /** Owner and group: a folder, when we are root. */
  readonly owners: boolean;
  readonly modesAndTimes: boolean;
  /**
   * Folders are objects of their own, which must be there before what is in them. Where they are not, a slash is a
   * character of a key like any other, and only markers (entries of kind `directory` with `object`) are written.
   */
  readonly folders: boolean;
  readonly symlinks: boolean;
  /** Content type, metadata, tags and the like of a bucket's objects. */
  readonly objectFacts: boolean;
}

/**
 * A place that files are restored to: a folder or a bucket. Worker side only.
 *
 * Nothing outside of it is ever touched: keys that would lead out of a folder are refused (`path-not-restorable`),
 * and a symlink on the way to a key is never followed; what lies behind one counts as absent, and writing there is
 * refused. Every step is atomic: an object is as before, or as wanted.
 */
export interface FileTarget {
  readonly url: string;
  readonly keeps: TargetKeeps;
  /** So many changes of different keys may be under way at once; 1: each is waited for, in order. */
  readonly changesAtOnce: number;

  /** What is there before anything is done. Changes nothing that stays. */
  inspect(): MaybePromise<TargetState>;

  /** As `FileSource.list`; nothing where the target does not exist. */
  list(options: ListOptions): AsyncIterable<readonly SourceEntry[]>;

  /**
   * The object at a key, with all of its facts; undefined where there is none. Where there are folders: whatever
   * its kind, the key being given with its slash or without; the answer's key has the slash that its kind asks for.
   */
  look(key: FileKey): MaybePromise<SourceEntry | undefined>;

  /** As `FileSource.open`; any number may be open. */
  open(key: FileKey): MaybePromise<SourceContent>;

  /** Makes the target itself, and the folders above it, where they are missing. */
  create(): MaybePromise<void>;

  /**
   * Puts a file, or a marker of a bucket, in place of whatever file or symlink is there. Rejects with `store-failed`
   * when what was stored is not what was sent, as far as that can be known now: a folder's file is read back and
   * compared with `sha256`, a bucket compares checksums. With `durable` it is also on the disk.
   */
  writeFile(key: FileKey, pieces: AsyncIterable<Uint8Array>, file: TargetFacts & FileWish): Promise<void>;

  /** Puts a symlink in place of whatever file or symlink is there. Only where symlinks are kept. */
  writeSymlink(key: FileKey, target: string, facts: TargetFacts): MaybePromise<void>;

  /**
   * Makes a folder, open to us until its facts are set. True when it was made, false when it was there. Only where
   * there are folders.
   */
  makeFolder(key: FileKey): MaybePromise<boolean>;

  /** Sets the facts of an object that is there. */
  setFacts(key: FileKey, facts: TargetFacts): MaybePromise<void>;

  /** Removes a file, a symlink, or an empty folder. False when there is none, or the folder is not empty. */
  remove(key: FileKey): MaybePromise<boolean>;

  /** Removes what a killed process left half written of these files. Idempotent. */
  removeTemporary(files: readonly Pick<ManifestEntry, "key" | "sizeBytes">[]): MaybePromise<void>;

  /** Makes everything written so far durable. */
  sync(): Promise<void>;

  /** Gives its handles back. */
  close(): MaybePromise<void>;
}

export interface FileWish {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly durable: boolean;
  /** It takes the place of an object that is there. */
  readonly replaces: boolean;
}

export interface TargetState {
  /** `other`: something that is no target, e.g. a file. */
  readonly state: "missing" | "there" | "other";
  /** What stands against any restore to it. */
  readonly problem?: { readonly code: FailureCode; readonly message: string };
  /** Absent: no limit is known. */
  readonly freeBytes?: number;
  /** What whoever approves a plan should know of this place. */
  readonly notes: readonly string[];
}
