import { Failure } from "../../core/failure.ts";
import { showKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import type { BackupMetadata, DatabaseComponent, StoredFile } from "../../core/repository/metadata.ts";
import { hookArtifacts } from "../../core/repository/stored-files.ts";
import type { Damage } from "../../contract/worker-task.ts";
import { ArchiveWalker } from "../../databases/postgres/archive-walker.ts";
import { openBackupKeys, type BackupKeys } from "../keys/backup-keys.ts";
import { ContentReader } from "./read-files.ts";
import { manifestBatches } from "./read-manifest.ts";
import { readMetadata } from "../repository/read-metadata.ts";
import type { StreamKey } from "../streams/stream-key.ts";
import { readStoredFile, type StoredFilePlace } from "../streams/stored-file.ts";
import type { TaskRun } from "../task.ts";

export interface VerifyStoredResult {
  /** Stored files and pack members read. */
  readonly files: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly objects: number;
  readonly damages: readonly Damage[];
}

export interface VerifyStoredOptions {
  /** Told of stored bytes as they are read. */
  readonly onBytes: (bytes: number) => void;
  /** Whether a piece is read at all; for checks of a part. */
  readonly isWanted?: (name: string) => boolean;
}

/**
 * Reads every stored byte that a backup needs, wherever it is stored, and checks all there is to check:
 * signature, sizes, SHA-256, authentication tags, decompression, the archives' structure and row counts,
 * and each file's content. Goes on after a damage, so that the list is complete; rejects only when the
 * store or the keys cannot be used at all.
 */
export async function verifyStored(
  run: TaskRun,
  backupId: string,
  options: VerifyStoredOptions,
): Promise<VerifyStoredResult> {
  const verification = new Verification(run, backupId, options);
  await verification.run();
  return verification.result();
}

class Verification {
  readonly #run: TaskRun;
  readonly #backupId: string;
  readonly #options: VerifyStoredOptions;
  readonly #damages: Damage[] = [];
  #files = 0;
  #storedBytes = 0;
  #plainBytes = 0;
  #objects = 0;

  constructor(run: TaskRun, backupId: string, options: VerifyStoredOptions) {
    this.#run = run;
    this.#backupId = backupId;
    this.#options = options;
  }

  result(): VerifyStoredResult {
    return {
      files: this.#files,
      storedBytes: this.#storedBytes,
      plainBytes: this.#plainBytes,
      objects: this.#objects,
      damages: this.#damages,
    };
  }

  async run(): Promise<void> {
    const opened = await this.#collect("keyring.json", async () => openBackupKeys(this.#run, this.#backupId));
    if (opened === undefined) return;
    const metadata = await this.#collect("metadata.json", async () =>
      readMetadata(this.#run, this.#backupId, opened),
    );
    if (metadata === undefined) return;
    for (const artifact of hookArtifacts(metadata)) {
      await this.#collect(artifact.name, async () => this.#readFile(artifact, opened.data, () => undefined));
    }
    if (metadata.components.database !== undefined) {
      await this.#verifyDatabase(metadata.components.database, opened);
    }
    if (metadata.components.files !== undefined) await this.#verifyFiles(metadata, opened);
  }

  async #verifyDatabase(database: DatabaseComponent, keys: BackupKeys): Promise<void> {
    const totals = { rows: 0, largeObjects: 0 };
    let whole = true;
    for (const archive of database.archives) {
      const walked = await this.#collect(archive.name, async () => {
        const walker = new ArchiveWalker("data-damaged");
        if (!(await this.#readFile(archive, keys.data, (piece) => walker.push(piece)))) return undefined;
        return walker.end();
      });
      if (walked === undefined) whole = false;
      totals.rows += walked?.tables.reduce((sum, table) => sum + table.rows, 0) ?? 0;
      totals.largeObjects += walked?.largeObjects.count ?? 0;
    }
    if (whole && (totals.rows !== database.rows || totals.largeObjects !== database.largeObjects)) {
      this.#damages.push({
        code: "data-damaged",
        backupId: this.#backupId,
        name: database.archives[0]?.name ?? "database",
        message:
          `The archives hold ${totals.rows} rows and ${totals.largeObjects} large objects; ` +
          `metadata.json states ${database.rows} and ${database.largeObjects}.`,
      });
    }
    for (const file of [database.toc, database.inventory, database.roles]) {
      await this.#collect(file.name, async () => this.#readFile(file, keys.data, () => undefined));
    }
  }

  async #verifyFiles(metadata: BackupMetadata, keys: BackupKeys): Promise<void> {
    const { manifest, skipped } = metadata.components.files ?? {};
    for (const file of [manifest, skipped]) {
      if (file !== undefined)
        await this.#collect(file.name, async () => this.#readFile(file, keys.data, () => undefined));
    }
    const reader = new ContentReader(this.#run, this.#backupId, keys, {
      onStoredBytes: (bytes) => this.#count(bytes),
    });
    await this.#collect("files/manifest", async () => {
      if (manifest === undefined) return;
      for await (const batch of manifestBatches(this.#run, metadata.backupId, manifest, keys)) {
        this.#objects += batch.length;
        const wanted = batch.filter(({ stored }) => stored !== undefined && this.#isWanted(stored.file));
        reader.expect(wanted);
        for (const entry of wanted) {
          this.#run.signal.throwIfAborted();
          await this.#verifyEntry(reader, entry);
        }
      }
    });
  }

  async #verifyEntry(reader: ContentReader, entry: ManifestEntry): Promise<void> {
    this.#files += 1;
    await this.#collect(`${entry.stored?.file} (${showKey(entry.key)})`, async () => {
      for await (const piece of reader.read(entry)) this.#plainBytes += piece.length;
    });
  }

  /** False when it was left out. A piece may not be kept: its memory is used again. */
  async #readFile(file: StoredFile, key: StreamKey, take: (piece: Buffer) => void): Promise<boolean> {
    if (!this.#isWanted(file.name)) return false;
    this.#files += 1;
    const { store } = this.#run;
    const place: StoredFilePlace = {
      store,
      projectId: this.#run.context.projectId,
      backupId: this.#backupId,
      key,
    };
    const onStoredBytes = (bytes: number) => this.#count(bytes);
    const options = { verifyChecksum: true, releasePieces: true, onStoredBytes };
    for await (const piece of readStoredFile(place, file, options)) {
      this.#run.signal.throwIfAborted();
      this.#plainBytes += piece.length;
      take(piece);
    }
    return true;
  }

  #isWanted(name: string): boolean {
    return this.#options.isWanted?.(`${this.#backupId}/${name}`) ?? true;
  }

  #count(bytes: number): void {
    this.#storedBytes += bytes;
    this.#options.onBytes(bytes);
  }

  /** Notes a failure that means damage and goes on; any other ends the verification. */
  async #collect<T>(name: string, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== "integrity") throw error;
      this.#damages.push({ code: error.code, backupId: this.#backupId, name, message: error.message });
      return undefined;
    }
  }
}
