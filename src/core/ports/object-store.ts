import type { BucketPlace } from "../files/bucket-url.ts";
import type { ServerEncryption } from "../repository/encryption.ts";
import type { ObjectFacts } from "../repository/manifest.ts";

/**
 * Where repository bytes live: a folder, memory, later a bucket. Worker side only.
 *
 * Names are ours, never a customer's: ASCII, `/`-separated segments of `[A-Za-z0-9._-]`, at most 255
 * bytes a segment, no `.` or `..`. An object is written once and visible only when whole.
 */
export interface ObjectStore {
  /** Canonical URL for messages and metadata, e.g. `file:///srv/backups`. */
  readonly url: string;

  /**
   * Makes the place itself where it is missing (a bucket), as far as rights allow. Absent where writing makes it.
   * Idempotent. Rejects with `bucket-not-found` when it is missing and may not be made.
   */
  createPlace?(): Promise<void>;

  /** Every object whose name starts with `prefix`, in byte order of names, streamed. */
  list(prefix: string): AsyncIterable<StoredObject>;

  /**
   * Writes that were begun and neither committed nor aborted: of dead processes, and of running ones. No other
   * method knows them but `delete`, by the name given here. Empty where the store clears them away itself.
   */
  listUnfinished(): AsyncIterable<StoredObject>;

  /** Names of the folders directly under `prefix` (which is empty or ends with `/`), in byte order, without slashes. */
  listFolders(prefix: string): AsyncIterable<string>;

  /** The object's facts, or undefined where there is none. */
  head(name: string): Promise<StoredObject | undefined>;

  /**
   * The object's bytes from `offset` (default 0), `length` of them (default: to the end), in chunks
   * of any size. A chunk is valid until the next one is asked for. Rejects with `backup-incomplete`
   * when there is no such object or it ends before offset + length.
   */
  read(name: string, range?: ByteRange): AsyncIterable<Uint8Array>;

  /** Starts a new object. Nothing is visible before `commit`. */
  write(name: string): Promise<ObjectWriter>;

  /**
   * Creates a small object in one step if there is none; the one conditional operation that commits
   * a backup. Durable when it resolves. Returns false, and changes nothing, when the name is taken.
   */
  createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean>;

  /**
   * Finds out, below `prefix` and leaving nothing there, whether `createIfAbsent` is one step in this store, and says to
   * people where it is not: then writers are kept apart by their leases alone. For who makes a repository. Absent where
   * it cannot be otherwise.
   */
  tryConditions?(prefix: string): Promise<void>;

  /** Replaces a small object atomically (leases, re-wrapped keyrings). Durable when it resolves. */
  replace(name: string, bytes: Uint8Array): Promise<void>;

  /** Deletes an object. Idempotent: false when there was none. Durable when it resolves. */
  delete(name: string): Promise<boolean>;

  /**
   * From now on every object is written encrypted by the store in this way, which is read back from the store for
   * each of them; what does not prove it is removed. Tries it with an object below `prefix` that it removes again,
   * and answers how the store states the encryption itself. Rejects with `encryption-unproved`. Absent where this kind
   * of store has no encryption of its own.
   */
  encryptBy?(wanted: ServerEncryption, prefix: string): Promise<ServerEncryption>;

  /**
   * Whether this store can copy objects of that place by itself: it is the same store, reached with the same
   * credentials. Absent: it never can.
   */
  canCopyFrom?(url: string): boolean;

  /**
   * Has the store copy an object of such a place to `name`, with its metadata and tags, without a byte of it coming
   * here; durable and proved as what is written is. Rejects with a `SourceError` where the object is not to be had as
   * it was (`changed`, `gone`, `unreadable`), and with a `Failure` where the store does not copy it. `onCopied` is told of
   * each part of a large one.
   */
  copyIn?(origin: CopyOrigin, name: string, onCopied?: (sizeBytes: number) => void): Promise<CopiedObject>;

  /**
   * What this kind of store may or may not be able to do, tried out. Writes below `prefix` only and leaves nothing
   * there. Absent where every store of the kind can do the same.
   */
  probe?(prefix: string): Promise<readonly StoreCapability[]>;
}

/** One state of an object of a bucket that is backed up, to be copied by its own store. */
export interface CopyOrigin {
  readonly place: BucketPlace;
  /** Whole, as the store knows it. */
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  /** In a bucket with versions. */
  readonly versionId?: string;
  /** What the bucket keeps of it beside its bytes. */
  readonly object: ObjectFacts;
}

export interface CopiedObject extends StoredObject {
  /** Of its content, as the store computed it when it copied, in hex; absent where the store does not say it. */
  readonly sha256?: string;
}

/** One thing that some stores can do. */
export interface StoreCapability {
  /** Stable, for programs: `conditional-create`, `versioning`. */
  readonly name: string;
  readonly answer: "yes" | "no" | "unknown";
  /** What was seen, and what follows from it for backups. */
  readonly sentence: string;
}

export interface ByteRange {
  readonly offset: number;
  readonly length?: number;
}

export interface StoredObject {
  readonly name: string;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch, by the store's clock. */
  readonly modifiedAtMs: number;
  /** Where it is not the store's usual one. */
  readonly storageClass?: string;
  /** It is in an archive tier and cannot be read now: the step that brings it back, as a sentence. Not in lists. */
  readonly thaw?: string;
  /** How the store says that it encrypted the object; absent where it says nothing. Not in lists. */
  readonly encryption?: ServerEncryption;
}

export interface ObjectWriter {
  /** Appends; resolves when the writer can take more (back pressure). The buffer may be reused afterwards. */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Makes the object durable and visible. Replaces an object of the same name only when it was
   * written by the same attempt (names are per attempt, so nobody else writes them).
   */
  commit(): Promise<StoredObject>;
  /** Leaves nothing behind. Idempotent; does nothing after `commit`. */
  abort(): Promise<void>;
}
