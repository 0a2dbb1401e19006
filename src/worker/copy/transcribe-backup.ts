import { createHash } from "node:crypto";
import type { FileAmount } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import { attemptName } from "../../core/repository/layout.ts";
import type { ManifestEntry } from "../../core/repository/manifest.ts";
import type {
  BackupMetadata,
  DatabaseComponent,
  FilesComponent,
  StoredFile,
} from "../../core/repository/metadata.ts";
import { namedStoredFiles } from "../../core/repository/stored-files.ts";
import { OrderedManifest } from "../backup/ordered-manifest.ts";
import { smallFileBytes } from "../backup/read-source-file.ts";
import { createBackupKeys, type BackupKeys } from "../keys/backup-keys.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { ContentReader } from "../read/read-files.ts";
import { manifestBatches } from "../read/read-manifest.ts";
import type { ProgressReporter } from "../report-progress.ts";
import { commitMetadata } from "../repository/commit-metadata.ts";
import { signMetadata } from "../repository/read-metadata.ts";
import { StoredBytesWriter } from "../streams/stored-bytes-writer.ts";
import { createStoredFile, readStoredFile, type StoredFilePlace } from "../streams/stored-file.ts";
import type { TaskRun } from "../task.ts";

export interface TranscriptInput {
  readonly from: TaskRun;
  readonly to: TaskRun;
  readonly metadata: BackupMetadata;
  /** Of `metadata`, as it is stored. */
  readonly metadataBytes: Uint8Array;
  readonly keys: BackupKeys;
  readonly progress: ProgressReporter;
}

/**
 * Brings a backup whose store encrypts (server mode) into a repository that is encrypted before its store sees it:
 * every content is read, verified, encrypted under keys of the copy's own, stored anew and read back, and a
 * metadata.json that says of what it is the transcript is committed last. The copy is complete in itself.
 *
 * What a run that was stopped left is written over. Rejects with the integrity failure that names what is damaged;
 * then nothing became visible.
 */
export async function transcribeBackup(input: TranscriptInput): Promise<FileAmount> {
  const { to, metadata } = input;
  const { keys } = await createBackupKeys(to, metadata.backupId);
  const transcript = new Transcript(input, keys);
  const { database, files, hooks } = metadata.components;
  const components: BackupMetadata["components"] = {
    ...(database === undefined ? {} : { database: await transcript.database(database) }),
    ...(files === undefined ? {} : { files: await transcript.files(files) }),
    ...(hooks === undefined ? {} : { hooks: await transcript.hooks(hooks) }),
  };
  const { signature: _signature, serverEncryption: _server, ...rest } = metadata;
  const described = { ...rest, encryption: "client" as const, components };
  const unsigned: Omit<BackupMetadata, "signature"> = {
    ...described,
    storedBytes: transcript.written.sizeBytes,
    transcriptOf: metadataHash(input.metadataBytes),
  };
  const made: BackupMetadata = { ...unsigned, signature: signMetadata(unsigned, keys.signing) };
  await readBack(to, made, keys);
  await commitMetadata(to, made, Buffer.from(`${JSON.stringify(made, null, 2)}\n`), keys);
  return transcript.written;
}

/** Whether a backup is the transcript of another one's metadata.json. */
export const isTranscriptOf = (metadata: BackupMetadata, original: Uint8Array): boolean =>
  metadata.transcriptOf === metadataHash(original);

export const metadataHash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

class Transcript {
  readonly #in: TranscriptInput;
  readonly #keys: BackupKeys;
  readonly #limiter: RateLimiter;
  written: FileAmount = { files: 0, sizeBytes: 0 };

  constructor(input: TranscriptInput, keys: BackupKeys) {
    this.#in = input;
    this.#keys = keys;
    this.#limiter = new RateLimiter(input.from.context.maxRateBytesPerSecond, input.from.signal);
  }

  async database(component: DatabaseComponent): Promise<DatabaseComponent> {
    const archives: StoredFile[] = [];
    for (const archive of component.archives) archives.push(await this.#file(archive));
    return {
      ...component,
      archives,
      toc: await this.#file(component.toc),
      inventory: await this.#file(component.inventory),
      roles: await this.#file(component.roles),
    };
  }

  async hooks(records: NonNullable<BackupMetadata["components"]["hooks"]>): Promise<typeof records> {
    const made: (typeof records)[number][] = [];
    for (const record of records) {
      const { artifact } = record;
      made.push(
        artifact === undefined
          ? record
          : { ...record, artifact: { ...artifact, ...(await this.#file(artifact)) } },
      );
    }
    return made;
  }

  async files(component: FilesComponent): Promise<FilesComponent> {
    const { to, metadata } = this.#in;
    const bytes = new StoredBytesWriter(
      to,
      metadata.backupId,
      metadata.attempt,
      this.#keys,
      component.source,
    );
    const name = `${attemptName(metadata.attempt)}/files/manifest`;
    const lines = await OrderedManifest.create(this.#place(to, this.#keys), name, bytes);
    try {
      await this.#contents(component, bytes, lines);
      const manifest = await lines.finish();
      await bytes.finish();
      this.#count(manifest.sizeBytes);
      this.#count(bytes.stored.sizeBytes, bytes.stored.files);
      const { copied: _copied, skipped, ...rest } = component;
      return {
        ...rest,
        manifest,
        stored: bytes.stored,
        references: [],
        ...(skipped === undefined
          ? {}
          : { skipped: { ...(await this.#file(skipped)), objects: skipped.objects } }),
      };
    } catch (error) {
      await bytes.abort();
      await lines.abort();
      throw error;
    }
  }

  async #contents(
    component: FilesComponent,
    bytes: StoredBytesWriter,
    lines: OrderedManifest,
  ): Promise<void> {
    const { from, metadata, keys } = this.#in;
    const reader = new ContentReader(from, metadata.backupId, keys);
    for await (const batch of manifestBatches(from, metadata.backupId, component.manifest, keys)) {
      reader.expect(batch);
      for (const entry of batch) {
        from.signal.throwIfAborted();
        await this.#content(reader, entry, bytes, lines);
      }
    }
  }

  async #content(
    reader: ContentReader,
    entry: ManifestEntry,
    bytes: StoredBytesWriter,
    lines: OrderedManifest,
  ): Promise<void> {
    const { stored, proof: _proof, ...facts } = entry;
    if (stored === undefined) return lines.add(entry);
    await this.#limiter.take(entry.sizeBytes);
    this.#in.progress.add(entry.sizeBytes, 1);
    if (entry.sizeBytes >= smallFileBytes) {
      return lines.add(facts, { stored: await bytes.storeLarge(reader.read(entry)) });
    }
    const pieces: Buffer[] = [];
    for await (const piece of reader.read(entry)) pieces.push(piece);
    await lines.add(facts, bytes.storeSmall(Buffer.concat(pieces)));
    await bytes.room();
  }

  async #file(file: StoredFile): Promise<StoredFile> {
    const { from, to, keys } = this.#in;
    const writer = await createStoredFile(
      this.#place(to, this.#keys),
      file.name,
      file.codec === "zstd" ? {} : { level: 0 },
    );
    try {
      const options = { verifyChecksum: true };
      for await (const piece of readStoredFile(this.#place(from, keys), file, options)) {
        from.signal.throwIfAborted();
        await this.#limiter.take(piece.length);
        await writer.write(piece);
        this.#in.progress.add(piece.length);
      }
      const made = await writer.finish();
      this.#count(made.sizeBytes);
      return made;
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  #place(run: TaskRun, { data: key }: BackupKeys): StoredFilePlace {
    const { projectId, backupId } = this.#in.metadata;
    return { store: run.store, projectId, backupId, key };
  }

  #count(sizeBytes: number, files = 1): void {
    this.written = { files: this.written.files + files, sizeBytes: this.written.sizeBytes + sizeBytes };
  }
}

/** Believes no store: all that was written is read and verified before anybody relies on it. */
async function readBack(to: TaskRun, made: BackupMetadata, keys: BackupKeys): Promise<void> {
  const { projectId, backupId, components } = made;
  const place = { store: to.store, projectId, backupId, key: keys.data };
  try {
    for (const file of namedStoredFiles(made)) {
      const pieces = readStoredFile(place, file, { verifyChecksum: true, releasePieces: true });
      for await (const piece of pieces) void piece;
    }
    if (components.files === undefined) return;
    const reader = new ContentReader(to, backupId, keys);
    for await (const batch of manifestBatches(to, backupId, components.files.manifest, keys)) {
      reader.expect(batch);
      for (const entry of batch) {
        to.signal.throwIfAborted();
        for await (const piece of reader.read(entry)) void piece;
      }
    }
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "integrity") throw error;
    throw new Failure(
      "store-failed",
      `${to.store.url} did not keep the copy of ${backupId} as it was written: ${error.message} Nothing was sealed. ` +
        "Check the store, its disks and what is between it and this machine.",
      { cause: error, retry: "backoff" },
    );
  }
}
