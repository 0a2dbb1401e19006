import type { FileFilter } from "../files/filter.ts";
import type { CopyOrigin } from "./object-store.ts";
import type { FileKey, ObjectFacts } from "../repository/manifest.ts";

/** A place whose objects are backed up: a folder or a bucket. Worker side only. Nothing here writes. */
export interface FileSource {
  /** Canonical URL, e.g. `file:///srv/liferay/document_library`. */
  readonly url: string;
  /**
   * So many objects may well be open at once, because each takes its time to come; absent: one after the other is
   * fastest.
   */
  readonly opensAtOnce?: number;

  /**
   * Everything that the filter includes, in byte order of keys, each key once, in batches of any size and
   * with constant memory (a folder's names at a time). Symlinks are not followed. An object that goes away
   * while the list is made is not part of it; what cannot be read is, with its `problem`.
   *
   * Rejects when the source itself cannot be listed: `source-not-found`, `source-unreadable`, of a bucket what the
   * store says, and `listing-unreliable`.
   */
  list(options: ListOptions): AsyncIterable<readonly SourceEntry[]>;

  /**
   * Opens a file's content. Throws a `SourceError` where that does not work; the caller decides what this
   * means for the backup. `sizeBytes` is what the list said, a hint of how to read it.
   */
  open(key: FileKey, sizeBytes?: number): SourceContent | Promise<SourceContent>;

  /**
   * An object as opening it would show it, without its content: for who has its store copy it. Throws as `open` does.
   * Absent where nothing but this software copies.
   */
  locate?(key: FileKey): Promise<LocatedObject>;

  /**
   * Whether an object could be put at `key` beside what the source holds now: false when there is one of
   * another kind on the way or in its place.
   */
  hasRoomFor(key: FileKey): boolean | Promise<boolean>;

  /** Gives its connections back. */
  close?(): void;
}

export interface ListOptions {
  readonly filter: FileFilter;
  /** Called for every object, or folder with all that is in it, that the filter leaves out. */
  readonly onLeftOut?: (key: FileKey) => void;
  /** Sentences for the log, e.g. that a folder is on another file system. */
  readonly onNote?: (message: string) => void;
}

export interface SourceEntry {
  readonly key: FileKey;
  /** `special`: sockets, FIFOs, devices, and what cannot even be looked at; always with a `problem`. */
  readonly kind: "file" | "directory" | "symlink" | "special";
  /** 0 for all but files. */
  readonly sizeBytes: number;
  readonly mtimeNs: string;
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly version?: string;
  readonly target?: string;
  /** Objects of a bucket only: all that is known so far; a list says next to nothing, an opened object all. */
  readonly object?: ObjectFacts;
  /** Why its content (a folder's: its list) is not to be had. */
  readonly problem?: SourceProblem;
}

export interface LocatedObject {
  readonly facts: SourceEntry;
  /** As `SourceContent.openedAtMs`. */
  readonly openedAtMs?: number | undefined;
  readonly origin: CopyOrigin;
}

export interface SourceProblem {
  readonly reason: SkipReason;
  /** The system's words, for people. */
  readonly message: string;
}

export type SkipReason =
  /** A socket, FIFO or device: it has no content. */
  | "special"
  /** The system refuses to list or read it. */
  | "unreadable"
  /** Its content changed at every attempt to read it. */
  | "changing";

export interface SourceContent {
  /** Facts when it was opened. */
  readonly facts: SourceEntry;
  /** When that was, by the source's own clock, in milliseconds; absent: it has this machine's. */
  readonly openedAtMs?: number;
  /** Reads on into the buffer; 0 at the end. Throws a `SourceError`. */
  read(into: Uint8Array): number | Promise<number>;
  /** The facts now, of the very object that was opened. */
  factsNow(): SourceEntry | Promise<SourceEntry>;
  close(): void | Promise<void>;
}

/** An object's content is not to be had. Not for people: the task turns it into an entry or a `Failure`. */
export class SourceError extends Error {
  /**
   * `gone`: it is not there any more, or something of another kind is. `changed`: what was opened cannot be read on,
   * because something else has taken its place.
   */
  readonly reason: "gone" | "unreadable" | "changed";

  constructor(reason: "gone" | "unreadable" | "changed", message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "SourceError";
    this.reason = reason;
  }
}
