import { Failure } from "../../core/failure.ts";
import { isSamePlace } from "../../core/files/bucket-url.ts";
import { mergeJoin } from "../../core/files/merge-join.ts";
import { attemptName, backupPrefix, evidenceName } from "../../core/repository/layout.ts";
import type { ManifestLine } from "../../core/repository/manifest-line.ts";
import type { FileKey, ManifestEntry } from "../../core/repository/manifest.ts";
import type { BackupMetadata, FilesComponent } from "../../core/repository/metadata.ts";
import { openBackupKeys, type BackupKeys } from "../keys/backup-keys.ts";
import { findEvidence } from "./evidence.ts";
import { listJournalParts, readJournal, readJournalSource } from "./files-journal.ts";
import { manifestBatches, manifestLines } from "../read/read-manifest.ts";
import { readMetadata } from "../repository/read-metadata.ts";
import { listBackupFolders } from "../repository/repository.ts";
import type { TaskRun } from "../task.ts";

/** Whose manifest or journal an entry comes from, and the keys of what it refers to. */
export interface KnownBackup {
  readonly backupId: string;
  readonly keys: BackupKeys;
}

/** What is known of a key before the source is looked at. */
export interface KnownFile {
  readonly key: FileKey;
  /** From the last sealed backup. */
  readonly previous: ManifestLine | undefined;
  /** From attempts that were never sealed, newest first: bytes that are there and need not be read again. */
  readonly attempts: readonly { readonly entry: ManifestEntry; readonly from: KnownBackup }[];
}

export interface PreviousFiles {
  /** The newest sealed backup of the same project and source that can be read. */
  readonly previous: (KnownBackup & { readonly metadata: BackupMetadata }) | undefined;
  /** Everything known, in byte order of keys. */
  batches(): AsyncIterable<readonly KnownFile[]>;
  /** Part of the previous manifest could not be read; what it said is not known. Final when `batches` has ended. */
  isPreviousDamaged(): boolean;
}

const noAttempts: KnownFile["attempts"] = [];

/** Unsealed folders looked into; more would only be older. */
const unsealedFolders = 8;

/**
 * Finds what earlier backups of this project hold of the same source, however its URL was spelled: the newest sealed one, and what
 * unsealed attempts since then (this backup's own among them) have already stored. What is damaged or cannot
 * be opened is passed over with a warning: it costs time, not correctness.
 */
export async function findPreviousFiles(
  run: TaskRun,
  source: string,
  own: { readonly backupId: string; readonly attempt: number; readonly keys: BackupKeys },
): Promise<PreviousFiles> {
  const folders: { backupId: string; sealed: boolean }[] = [];
  for await (const folder of listBackupFolders(run, run.context.projectId)) folders.push(folder);
  const attempts = await listOwnAttempts(run, source, own);
  let previous: PreviousFiles["previous"];
  let looked = 0;
  for (const { backupId, sealed } of folders.reverse()) {
    if (backupId === own.backupId) continue;
    if (sealed) previous = await openSealed(run, source, backupId, own.keys);
    else if (looked++ < unsealedFolders)
      attempts.push(...(await openUnsealed(run, source, backupId, own.keys)));
    if (previous !== undefined) break;
  }
  return new Known(run, previous, attempts);
}

/** One attempt's entries. */
interface Attempt {
  readonly from: KnownBackup;
  entries(): AsyncIterable<readonly ManifestEntry[]>;
  /** Else they are from a journal. */
  readonly isManifest: boolean;
}

async function openSealed(
  run: TaskRun,
  source: string,
  backupId: string,
  own: BackupKeys,
): Promise<PreviousFiles["previous"]> {
  return passOver(run, backupId, async () => {
    const keys = await openEarlierKeys(run, backupId, own);
    const metadata = await readMetadata(run, backupId, keys);
    return isSamePlace(metadata.components.files?.source ?? "", source)
      ? { backupId, keys, metadata }
      : undefined;
  });
}

/**
 * Where lc2 encrypts, what it encrypted is all that counts: whoever can write the repository could have put a folder
 * there whose store was to encrypt, with contents that nothing authenticates.
 */
async function openEarlierKeys(run: TaskRun, backupId: string, own: BackupKeys): Promise<BackupKeys> {
  const keys = await openBackupKeys(run, backupId);
  if (own.encryption === "server" || keys.encryption === "client") return keys;
  throw new Failure("encryption-differs", "Its store was to encrypt, and this repository's does not.");
}

async function openUnsealed(
  run: TaskRun,
  source: string,
  backupId: string,
  own: BackupKeys,
): Promise<Attempt[]> {
  const found = await passOver(run, backupId, async () => {
    const attempts: number[] = [];
    for await (const folder of run.store.listFolders(backupPrefix(run.context.projectId, backupId))) {
      const number = /^a(\d+)$/.exec(folder)?.[1];
      if (number !== undefined) attempts.push(Number(number));
    }
    if (attempts.length === 0) return [];
    const from = { backupId, keys: await openEarlierKeys(run, backupId, own) };
    return openAttempts(
      run,
      source,
      from,
      attempts.sort((a, b) => b - a),
    );
  });
  return found ?? [];
}

async function listOwnAttempts(
  run: TaskRun,
  source: string,
  own: { readonly backupId: string; readonly attempt: number; readonly keys: BackupKeys },
): Promise<Attempt[]> {
  const earlier = Array.from({ length: own.attempt - 1 }, (_, index) => own.attempt - 1 - index);
  return (await passOver(run, own.backupId, () => openAttempts(run, source, own, earlier))) ?? [];
}

async function openAttempts(
  run: TaskRun,
  source: string,
  from: KnownBackup,
  attempts: readonly number[],
): Promise<Attempt[]> {
  const opened: Attempt[] = [];
  for (const attempt of attempts) {
    const one = await openAttempt(run, source, from, attempt);
    if (one !== undefined) opened.push(one);
  }
  return opened;
}

/** An attempt that got as far as its evidence has a manifest; any other has a journal, or nothing. */
async function openAttempt(
  run: TaskRun,
  source: string,
  from: KnownBackup,
  attempt: number,
): Promise<Attempt | undefined> {
  const { backupId, keys } = from;
  const evidence = await findEvidence<FilesComponent>(run, backupId, evidenceName(attempt, "files"), keys);
  if (evidence !== undefined) {
    if (!isSamePlace(evidence.source, source)) return undefined;
    const entries = () => manifestBatches(run, backupId, evidence.manifest, keys);
    return { from, entries, isManifest: true };
  }
  const place = { store: run.store, projectId: run.context.projectId, backupId, key: keys.journal };
  const parts = await listJournalParts(place, `${attemptName(attempt)}/files/`);
  const [first] = parts;
  if (first === undefined || !isSamePlace(await readJournalSource(place, first), source)) return undefined;
  return { from, entries: () => readJournal(place, parts), isManifest: false };
}

/** Undefined, with a warning, where something of it is damaged, missing or cannot be opened. */
async function passOver<T>(run: TaskRun, backupId: string, open: () => Promise<T>): Promise<T | undefined> {
  try {
    return await open();
  } catch (error) {
    if (!isPassable(error)) throw error;
    warn(run, `${backupId} is not used to save reading: ${error.message}`);
    return undefined;
  }
}

function isPassable(error: unknown): error is Error {
  if (error instanceof SyntaxError) return true;
  return error instanceof Failure && (error.kind === "integrity" || error.kind === "refused");
}

function warn(run: TaskRun, message: string): void {
  run.report({ type: "log", level: "warn", message });
}

class Known implements PreviousFiles {
  readonly previous: PreviousFiles["previous"];
  readonly #run: TaskRun;
  readonly #attempts: readonly Attempt[];
  #damaged = false;

  constructor(run: TaskRun, previous: PreviousFiles["previous"], attempts: readonly Attempt[]) {
    this.#run = run;
    this.previous = previous;
    this.#attempts = attempts;
  }

  isPreviousDamaged(): boolean {
    return this.#damaged;
  }

  batches(): AsyncIterable<readonly KnownFile[]> {
    let known = this.#previousFiles();
    // Oldest first, so that the newest ends up in front.
    for (const attempt of [...this.#attempts].reverse()) known = this.#merge(known, attempt);
    return known;
  }

  async *#previousFiles(): AsyncGenerator<readonly KnownFile[], void, undefined> {
    if (this.previous === undefined) return;
    const { backupId, keys, metadata } = this.previous;
    const manifest = metadata.components.files?.manifest;
    if (manifest === undefined) return;
    const onDamage = (): void => {
      this.#damaged = true;
    };
    const read = () => manifestLines(this.#run, backupId, manifest, keys);
    for await (const batch of this.#usable({ backupId, keys }, read, true, onDamage)) {
      yield batch.map((line) => ({ key: line.key, previous: line, attempts: noAttempts }));
    }
  }

  async *#merge(
    known: AsyncIterable<readonly KnownFile[]>,
    { from, entries, isManifest }: Attempt,
  ): AsyncGenerator<readonly KnownFile[], void, undefined> {
    const usable = this.#usable(from, entries, isManifest, () => undefined);
    for await (const batch of mergeJoin(known, usable)) {
      yield batch.map(({ key, left, right }) => {
        if (right === undefined && left !== undefined) return left;
        const attempts = left?.attempts ?? [];
        return {
          key,
          previous: left?.previous,
          attempts: right === undefined ? attempts : [{ entry: right, from }, ...attempts],
        };
      });
    }
  }

  /**
   * What can be believed. A manifest that the store encrypted is authentic only when all of it has been read: it is read
   * once for that, and whoever changes it after that fails the backup, whose lines these are.
   */
  async *#usable<T>(
    { backupId, keys }: KnownBackup,
    read: () => AsyncIterable<readonly T[]>,
    isManifest: boolean,
    onDamage: () => void,
  ): AsyncGenerator<readonly T[], void, undefined> {
    if (!isManifest || keys.data !== "by-store") {
      yield* this.#untilDamage(backupId, read(), onDamage);
      return;
    }
    let isDamaged = false;
    const noteDamage = (): void => {
      isDamaged = true;
      onDamage();
    };
    for await (const lines of this.#untilDamage(backupId, read(), noteDamage)) void lines;
    if (!isDamaged) yield* read();
  }

  /** What came before a damage is authentic; what would have come after is read from the source instead. */
  async *#untilDamage<T>(
    backupId: string,
    entries: AsyncIterable<readonly T[]>,
    onDamage: () => void,
  ): AsyncGenerator<readonly T[], void, undefined> {
    try {
      yield* entries;
    } catch (error) {
      if (!isPassable(error)) throw error;
      onDamage();
      warn(this.#run, `From here on ${backupId} is not used to save reading: ${error.message}`);
    }
  }
}
