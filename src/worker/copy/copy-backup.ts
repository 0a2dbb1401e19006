import type { CopyBackupResult, TaskOf } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import {
  backupPrefix,
  keyringName,
  metadataName,
  type RepositoryDescription,
} from "../../core/repository/layout.ts";
import { canonicalJson, type BackupMetadata } from "../../core/repository/metadata.ts";
import { isPackName } from "../../core/repository/manifest.ts";
import {
  accompanyingNames,
  namedStoredFiles,
  referencedBackups,
} from "../../core/repository/stored-files.ts";
import { forEachAtOnce } from "../at-once.ts";
import { openBackupKeys, printKeyring, readKeyring, type BackupKeys } from "../keys/backup-keys.ts";
import { rewrapEntries } from "../keys/rotate-keys.ts";
import { manifestLines } from "../read/read-manifest.ts";
import { ProgressReporter } from "../report-progress.ts";
import { assertWhole, commitMetadata } from "../repository/commit-metadata.ts";
import { confirmEncryption, resolveKey } from "../repository/confirm-encryption.ts";
import { openBackup, readMetadata } from "../repository/read-metadata.ts";
import { withSharedLease } from "../repository/repository-lease.ts";
import { ensureRepository, openRepository } from "../repository/repository.ts";
import { readObject } from "../streams/read-object.ts";
import { readStoredFile } from "../streams/stored-file.ts";
import type { TaskRun } from "../task.ts";
import { watchReads } from "./watch-reads.ts";
import { FileBringer, hashObject } from "./bring-file.ts";
import { storedPieces, type StoredPiece } from "./stored-pieces.ts";
import { isTranscriptOf, metadataHash, transcribeBackup } from "./transcribe-backup.ts";
import { verifyPiece } from "./verify-piece.ts";

/** Files on their way at once: each holds a writer's buffers. */
const filesAtOnce = 3;

/**
 * Copies a sealed backup into another repository: its stored files as they are, what it refers to of earlier
 * backups into their own folders there, its keyring wrapped for this installation's recipients of now, and last
 * its metadata.json by one conditional create. Everything is read back and verified on arrival before that.
 *
 * Idempotent: what a run that was stopped had brought is verified and not copied again; a backup that is there
 * whole is left alone. Rejects with `copy-to-itself`, `copy-differs`, an integrity failure that names the file
 * which is damaged in the source, and as opening the two repositories does; then the destination is without it.
 */
export async function copyBackup(task: TaskOf<"copy-backup">, run: TaskRun): Promise<CopyBackupResult> {
  const destination: TaskRun = {
    ...run,
    store: await run.openStore(task.to),
    context: { ...run.context, repository: task.to },
  };
  if (task.lookOnly === true) return { isThere: await isSame(task.backupId, run, destination) };
  await openRepository(run);
  return withSourceLease(run, `copying ${task.backupId} to ${task.to}`, async (signal, leaseName) => {
    const from: TaskRun = { ...run, signal };
    const { metadata, keys } = await openBackup(from, task.backupId);
    const { description, created } = await ensureRepository(destination, task);
    if (leaseName !== undefined && (await destination.store.head(leaseName)) !== undefined) {
      throw new Failure(
        "copy-to-itself",
        `${task.to} is the repository that ${task.backupId} is in already (${run.store.url}). Name another place.`,
      );
    }
    // Else the destination alone would decide whether bytes come to it that nobody encrypted yet.
    if (!created && (task.encryption !== undefined || metadata.encryption === "server")) {
      const wish = await resolveKey(destination, task, description);
      await confirmEncryption(destination, wish, description, `Nothing was copied to ${task.to}`);
    }
    const arriving: TaskRun = { ...destination, signal };
    return withSharedLease(arriving, `taking in a copy of ${task.backupId}`, async (both) => {
      const copy = new Copy(
        { ...from, signal: both },
        { ...arriving, signal: both },
        metadata,
        keys,
        description,
      );
      return { isThere: true, done: { repositoryCreated: created, ...(await copy.run()) } };
    });
  });
}

/** What a store says to who may only read. */
const readOnlyCodes: ReadonlySet<string> = new Set(["repository-read-only", "store-access-denied"]);

/** A source that cannot be written has nobody who deletes in it by this way: then it goes without. */
async function withSourceLease<T>(
  run: TaskRun,
  holder: string,
  work: (signal: AbortSignal, leaseName: string | undefined) => Promise<T>,
): Promise<T> {
  let begun = false;
  try {
    return await withSharedLease(run, holder, (signal, leaseName) => {
      begun = true;
      return work(signal, leaseName);
    });
  } catch (error) {
    if (begun || !(error instanceof Failure) || !readOnlyCodes.has(error.code)) throw error;
    const message = `${run.store.url} cannot be written, so nothing says there that it is being read. ${error.message}`;
    run.report({ type: "log", level: "warn", message });
    return work(run.signal, undefined);
  }
}

/** Whether the destination has exactly the metadata that the source has, or a transcript of it. */
async function isSame(backupId: string, from: TaskRun, to: TaskRun): Promise<boolean> {
  const name = metadataName(from.context.projectId, backupId);
  if ((await to.store.head(name)) === undefined) return false;
  const [original, there] = [await readObject(from.store, name), await readObject(to.store, name)];
  return there.equals(original) || (await isTranscript(backupId, original, there, to));
}

/** Of metadata.json as it is there; only one whose signature fits is believed. */
async function isTranscript(
  backupId: string,
  original: Uint8Array,
  there: Buffer,
  to: TaskRun,
): Promise<boolean> {
  return there.includes(metadataHash(original)) && isTranscriptOf(await readMetadata(to, backupId), original);
}

type Done = Omit<NonNullable<CopyBackupResult["done"]>, "repositoryCreated">;

/** One copy, under the leases of both repositories. */
class Copy {
  readonly #from: TaskRun;
  readonly #to: TaskRun;
  readonly #metadata: BackupMetadata;
  readonly #keys: BackupKeys;
  readonly #bringer: FileBringer;
  readonly #progress: ProgressReporter;
  readonly #sealedThere = new Map<string, Promise<boolean>>();
  /** Bytes that the store encrypts must not come to one that does not: they are encrypted on the way. */
  readonly #isTranscript: boolean;

  constructor(
    from: TaskRun,
    to: TaskRun,
    metadata: BackupMetadata,
    keys: BackupKeys,
    { encryption }: RepositoryDescription,
  ) {
    this.#isTranscript = metadata.encryption === "server" && encryption === "client";
    this.#from = from;
    // Whatever is verified in the destination says that the copy moves.
    this.#to = watchReads(to, (sizeBytes) => this.#progress.addActivity(sizeBytes));
    this.#metadata = metadata;
    this.#keys = keys;
    const isComplete = referencedBackups(metadata).length === 0;
    this.#progress = new ProgressReporter(from, {
      component: "copy",
      phase: "copying",
      bytes: 0,
      objects: 0,
      ...(isComplete ? { totalBytes: metadata.storedBytes } : {}),
    });
    this.#bringer = new FileBringer(from, this.#to, this.#progress, metadata.encryption === "server");
  }

  async run(): Promise<Done> {
    const { backupId } = this.#metadata;
    const bytes = await this.#readMetadataBytes();
    const isSealed = await this.#refuseAnother(bytes);
    if (this.#isTranscript) return this.#transcribe(bytes, isSealed);
    if (isSealed && (await this.#isWholeThere())) return { wasThere: true, ...this.#amounts() };
    await this.#bringNamedFiles();
    await this.#bringPieces();
    await this.#writeKeyring();
    const keys = await openBackupKeys(this.#to, backupId);
    if (!(await commitMetadata(this.#to, this.#metadata, bytes, keys))) await this.#refuseAnother(bytes);
    this.#progress.end();
    return { wasThere: false, ...this.#amounts() };
  }

  async #transcribe(metadataBytes: Buffer, isSealed: boolean): Promise<Done> {
    const none = { files: 0, sizeBytes: 0 };
    const [from, to, metadata, keys, progress] = [
      this.#from,
      this.#to,
      this.#metadata,
      this.#keys,
      this.#progress,
    ];
    if (isSealed) {
      const there = await openBackup(to, metadata.backupId);
      await assertWhole(to, there.metadata, there.keys);
      return { wasThere: true, copied: none, found: none, earlierBackups: [] };
    }
    const copied = await transcribeBackup({ from, to, metadata, metadataBytes, keys, progress });
    progress.end();
    return { wasThere: false, copied, found: none, earlierBackups: [] };
  }

  #amounts(): Omit<Done, "wasThere"> {
    const { copied, found } = this.#bringer;
    return { copied, found, earlierBackups: referencedBackups(this.#metadata) };
  }

  /** As they are; they must say what was checked. */
  async #readMetadataBytes(): Promise<Buffer> {
    const { projectId, backupId } = this.#metadata;
    const bytes = await readObject(this.#from.store, metadataName(projectId, backupId));
    if (canonicalJson(JSON.parse(bytes.toString())) === canonicalJson(this.#metadata)) return bytes;
    throw new Failure(
      "metadata-damaged",
      `metadata.json of ${backupId} changed while it was read from ${this.#from.store.url}. Verify the backup.`,
    );
  }

  /** Whether the destination has this backup; rejects when it has another one under the same id. */
  async #refuseAnother(bytes: Buffer): Promise<boolean> {
    const { projectId, backupId } = this.#metadata;
    const name = metadataName(projectId, backupId);
    if ((await this.#to.store.head(name)) === undefined) return false;
    const there = await readObject(this.#to.store, name);
    if (this.#isTranscript ? await isTranscript(backupId, bytes, there, this.#to) : there.equals(bytes))
      return true;
    throw new Failure(
      "copy-differs",
      `${this.#to.store.url} has a ${backupId} of project ${projectId} with another metadata.json than ` +
        `${this.#from.store.url} has. One of them was changed, or they are two backups; nothing was copied. ` +
        "`lc2 backup verify` with --repository looks at each.",
    );
  }

  /** Everything is there in its size, and its keys can be opened. Another project key is a refusal, not damage. */
  async #isWholeThere(): Promise<boolean> {
    try {
      const keys = await openBackupKeys(this.#to, this.#metadata.backupId);
      await assertWhole(this.#to, this.#metadata, keys);
      return true;
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== "integrity") throw error;
      const message = `${this.#metadata.backupId} is in ${this.#to.store.url}, but not whole, and is completed. ${error.message}`;
      this.#to.report({ type: "log", level: "warn", message });
      return false;
    }
  }

  /** What metadata.json names, and what goes with it unencrypted. */
  async #bringNamedFiles(): Promise<void> {
    const { projectId, backupId } = this.#metadata;
    const prefix = backupPrefix(projectId, backupId);
    const isSealed = await this.#isSealedThere(backupId);
    const place = { store: this.#to.store, projectId, backupId, key: this.#keys.data };
    for (const file of namedStoredFiles(this.#metadata)) {
      const verify = async (): Promise<void> => {
        const pieces = readStoredFile(place, file, { verifyChecksum: true, releasePieces: true });
        for await (const piece of pieces) void piece;
      };
      await this.#bringer.bring({ name: prefix + file.name, stated: file, verify, isSealed });
    }
    const commits = new Set(["metadata.json", "keyring.json"]);
    for (const relative of accompanyingNames(this.#metadata).filter((name) => !commits.has(name))) {
      const name = prefix + relative;
      if ((await this.#from.store.head(name)) === undefined) continue;
      await this.#bringer.bring({ name, verify: () => this.#compareBytes(name), isSealed });
    }
  }

  async #compareBytes(name: string): Promise<void> {
    if ((await hashObject(this.#to, name)) === (await hashObject(this.#from, name))) return;
    throw new Failure("data-damaged", `${name} differs between the two repositories.`);
  }

  /** What the manifest refers to. It is read where it has arrived. */
  async #bringPieces(): Promise<void> {
    const { backupId, components } = this.#metadata;
    if (components.files === undefined) return;
    const lines = manifestLines(this.#to, backupId, components.files.manifest, this.#keys);
    await forEachAtOnce(storedPieces(lines, backupId), filesAtOnce, (piece) => this.#bringPiece(piece));
  }

  async #bringPiece(piece: StoredPiece): Promise<void> {
    this.#to.signal.throwIfAborted();
    const { projectId, backupId } = this.#metadata;
    const name = backupPrefix(projectId, piece.owner) + piece.file;
    const found = await this.#findProven(name, piece);
    if (found !== undefined) return this.#bringer.noteFound(found);
    await this.#bringer.bring({
      name,
      verify: () => verifyPiece(this.#to, backupId, this.#keys, piece),
      isSealed: await this.#isSealedThere(piece.owner),
      prove: () => this.#provePiece(piece),
    });
  }

  /** All of it, also what only the backup that it is of needs: the destination may have just that whole. */
  async #provePiece(piece: StoredPiece): Promise<void> {
    await verifyPiece(this.#from, this.#metadata.backupId, this.#keys, piece);
    const { owner, file } = piece;
    if (owner === this.#metadata.backupId) return;
    const { metadata, keys } = await openBackup(this.#to, owner);
    const { files } = metadata.components;
    if (files === undefined) return;
    const lines = manifestLines(this.#to, owner, files.manifest, keys);
    for await (const own of storedPieces(lines, owner)) {
      if (own.owner === owner && own.file === file) await verifyPiece(this.#from, owner, keys, own);
    }
  }

  /**
   * The size of a file that need not be read again: it is part of an earlier backup that the destination has, sealed,
   * and so was verified with that one.
   */
  async #findProven(name: string, { owner, file, entries }: StoredPiece): Promise<number | undefined> {
    if (owner === this.#metadata.backupId || !(await this.#isSealedThere(owner))) return undefined;
    const needed = entries.reduce((end, { stored }) => Math.max(end, stored.offset + stored.length), 0);
    const sizeBytes = (await this.#to.store.head(name))?.sizeBytes ?? -1;
    return (isPackName(file) ? sizeBytes >= needed : sizeBytes === needed) ? sizeBytes : undefined;
  }

  #isSealedThere(owner: string): Promise<boolean> {
    const known = this.#sealedThere.get(owner);
    if (known !== undefined) return known;
    const name = metadataName(this.#metadata.projectId, owner);
    const looking = this.#to.store.head(name).then((found) => found !== undefined);
    this.#sealedThere.set(owner, looking);
    return looking;
  }

  /** The same keys, wrapped for the recipients of now. Replaces what a run that was stopped had written. */
  async #writeKeyring(): Promise<void> {
    const { projectId, backupId } = this.#metadata;
    const keyring = await readKeyring(this.#from.store, projectId, backupId);
    if (keyring === undefined) {
      throw new Failure(
        "backup-incomplete",
        `keyring.json of ${backupId} is no longer in ${this.#from.store.url}: the backup was deleted.`,
      );
    }
    const { recipients } = await this.#to.keys.recipients(projectId, { create: false });
    const { rewrapped, failures } = await rewrapEntries(this.#to, keyring, recipients);
    if (failures[0] !== undefined) throw failures[0];
    this.#to.signal.throwIfAborted();
    await this.#to.store.replace(keyringName(projectId, backupId), printKeyring(rewrapped));
  }
}
