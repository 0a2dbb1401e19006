import { createHash, hash } from "node:crypto";
import { constants, zstdDecompressSync } from "node:zlib";
import { Failure } from "../../core/failure.ts";
import { associatedData, backupPrefix } from "../../core/repository/layout.ts";
import { isPackName, showKey, type ManifestEntry, type StoredAt } from "../../core/repository/manifest.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import { readStoredFile } from "../streams/stored-file.ts";
import { PackReads, type Member } from "./pack-reads.ts";
import { openBytes } from "../streams/stream-encryption.ts";
import type { StreamKey } from "../streams/stream-key.ts";
import type { TaskRun } from "../task.ts";

export { manifestEntries } from "./read-manifest.ts";

/** Members are files below 1 MiB; more than this is a damaged length. */
const longestMemberBytes = 8 << 20;

export interface ContentReaderOptions {
  /** Told of every stored byte read. */
  readonly onStoredBytes?: (bytes: number) => void;
}

/** The content of one file of a backup. See `ContentReader`. */
export function readEntry(
  run: TaskRun,
  backupId: string,
  keys: BackupKeys,
  entry: ManifestEntry,
): AsyncIterable<Buffer> {
  return new ContentReader(run, backupId, keys).read(entry);
}

/**
 * Reads the contents of files of one backup, wherever their bytes are. Every byte is authenticated before
 * it is given out, and the SHA-256 of the whole is compared at the end: who stops early has not verified it.
 *
 * Rejects with `backup-incomplete` (stored bytes are missing), `data-damaged`, `manifest-damaged`, and
 * `keyring-damaged` when the keyring has no key for an earlier backup that the entry refers to.
 */
export class ContentReader {
  readonly #run: TaskRun;
  readonly #backupId: string;
  readonly #keys: BackupKeys;
  readonly #options: ContentReaderOptions;
  readonly #packs: PackReads;

  constructor(run: TaskRun, backupId: string, keys: BackupKeys, options: ContentReaderOptions = {}) {
    this.#run = run;
    this.#backupId = backupId;
    this.#keys = keys;
    this.#options = options;
    this.#packs = new PackReads(run.store);
  }

  /**
   * These will be read next, in about this order and perhaps some at once: small files that lie together are fetched
   * together and ahead of time. Only makes reading faster; what was announced before is forgotten.
   */
  expect(entries: readonly ManifestEntry[]): void {
    const members: Member[] = [];
    for (const { stored } of entries) {
      if (stored !== undefined && isPackName(stored.file) && stored.length <= longestMemberBytes)
        members.push(this.#memberOf(stored.backup ?? this.#backupId, stored));
    }
    this.#packs.expect(members);
  }

  /** The content in pieces; nothing for directories, symlinks and empty files. */
  async *read(entry: ManifestEntry): AsyncGenerator<Buffer, void, undefined> {
    const { stored } = entry;
    if (stored === undefined) return;
    if (isPackName(stored.file)) yield await this.#readMember(entry, stored);
    else yield* this.#readSingle(entry, stored);
  }

  async *#readSingle(entry: ManifestEntry, stored: StoredAt): AsyncGenerator<Buffer, void, undefined> {
    const { owner, key } = this.#ownerOf(stored);
    const place = { store: this.#run.store, projectId: this.#run.context.projectId, backupId: owner, key };
    const file = {
      name: stored.file,
      sizeBytes: stored.length,
      sha256: "",
      plainBytes: entry.sizeBytes,
      codec: stored.codec,
    };
    const sha256 = createHash("sha256");
    const { onStoredBytes } = this.#options;
    for await (const piece of readStoredFile(
      place,
      file,
      onStoredBytes === undefined ? {} : { onStoredBytes },
    )) {
      sha256.update(piece);
      yield piece;
    }
    if (sha256.digest("hex") !== entry.sha256) throw otherContent(entry, stored, owner);
  }

  async #readMember(entry: ManifestEntry, stored: StoredAt): Promise<Buffer> {
    const { owner, key } = this.#ownerOf(stored);
    const what = `${showKey(entry.key)} in ${stored.file} of ${owner}`;
    if (stored.length > longestMemberBytes) {
      throw new Failure(
        "manifest-damaged",
        `${what} is stated to take ${stored.length} bytes, too many for a pack.`,
      );
    }
    const encrypted = await this.#packs.take(this.#memberOf(owner, stored));
    this.#options.onStoredBytes?.(stored.length);
    const data = associatedData(this.#run.context.projectId, owner, stored.file, stored.offset);
    return openMember({ owner, key, data }, entry, stored, encrypted);
  }

  #ownerOf(stored: StoredAt): { owner: string; key: StreamKey } {
    const owner = stored.backup ?? this.#backupId;
    const key = this.#keys.filesOf(owner);
    if (key !== undefined) return { owner, key };
    throw new Failure(
      "keyring-damaged",
      `keyring.json of ${this.#backupId} has no files key of ${owner}, whose bytes its manifest refers to. ` +
        "Put keyring.json back from a copy of the repository.",
    );
  }

  #memberOf(owner: string, { file, offset, length }: StoredAt): Member {
    return { name: backupPrefix(this.#run.context.projectId, owner) + file, offset, length };
  }
}

/**
 * The content of one member of a pack, from its encrypted bytes. Throws `data-damaged` where they are not
 * authentic, and where the content is not what the entry states.
 */
export function openMember(
  { owner, key, data }: { readonly owner: string; readonly key: StreamKey; readonly data: string },
  entry: ManifestEntry,
  stored: StoredAt,
  encrypted: Buffer,
): Buffer {
  const what = `${showKey(entry.key)} in ${stored.file} of ${owner}`;
  const compressed = openBytes(key, data, encrypted, what);
  const plain = stored.codec === "zstd" ? decompressMember(compressed, entry.sizeBytes, what) : compressed;
  if (plain.length !== entry.sizeBytes || hash("sha256", plain) !== entry.sha256) {
    throw otherContent(entry, stored, owner);
  }
  return plain;
}

/** One zstd frame, or several; never more than the manifest says. */
function decompressMember(compressed: Buffer, sizeBytes: number, what: string): Buffer {
  try {
    return zstdDecompressSync(compressed, {
      maxOutputLength: sizeBytes + 1,
      chunkSize: Math.max(64, sizeBytes + 64),
      params: { [constants.ZSTD_d_windowLogMax]: 27 },
    });
  } catch (cause) {
    throw new Failure("data-damaged", `${what} does not decompress. ${advice}`, { cause });
  }
}

const advice =
  "Use another backup or another copy of the repository; `lc2 repository check` shows what else is damaged.";

function otherContent(entry: ManifestEntry, stored: StoredAt, owner: string): Failure {
  return new Failure(
    "data-damaged",
    `${showKey(entry.key)}, as stored in ${stored.file} of ${owner}, has another length or SHA-256 than the manifest ` +
      `states. ${advice}`,
  );
}
