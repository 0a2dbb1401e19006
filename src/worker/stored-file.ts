import type { ObjectStore } from "../core/ports/object-store.ts";
import type { StoredFile } from "../core/repository/metadata.ts";

/** Where a stored file belongs, for its associated data. */
export interface StoredFilePlace {
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly backupId: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

export interface StoredFileWriter {
  /**
   * Appends plain bytes. Each call becomes one independent zstd frame (give 1 to 4 MiB at a time),
   * compressed on the thread pool; several calls may be outstanding, their order is kept. Resolves when
   * the bytes have been consumed, so the buffer may be reused; back pressure is the caller's to keep by
   * waiting for older calls.
   */
  write(plain: Uint8Array): Promise<void>;
  /** Ends the stream, makes the object durable, compares the store's own size. */
  finish(): Promise<StoredFile>;
  /** Leaves nothing behind. Idempotent. */
  abort(): Promise<void>;
}

/** Starts `name` (relative to the backup): zstd (level 0: stored as is), Tink streaming AEAD, SHA-256. */
export declare function createStoredFile(
  place: StoredFilePlace,
  name: string,
  options?: { readonly level?: number },
): Promise<StoredFileWriter>;

/**
 * The plain bytes of a stored file, authenticated segment by segment. Rejects with `backup-incomplete`
 * when it is missing or short, `data-damaged` when a tag, a frame or the plain length is wrong. With
 * `verifyChecksum` the SHA-256 of the stored form is compared at the end too.
 */
export declare function readStoredFile(
  place: StoredFilePlace,
  file: StoredFile,
  options?: { readonly verifyChecksum?: boolean; readonly onStoredBytes?: (bytes: number) => void },
): AsyncIterable<Buffer>;

/** Small files (JSON, SQL) in one piece; at most 64 MiB. */
export declare function writeSmallFile(place: StoredFilePlace, name: string, plain: Uint8Array): Promise<StoredFile>;
export declare function readSmallFile(place: StoredFilePlace, file: StoredFile): Promise<Buffer>;
