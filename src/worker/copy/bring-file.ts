import { createHash } from "node:crypto";
import type { FileAmount } from "../../contract/worker-task.ts";
import { Failure } from "../../core/failure.ts";
import type { StoredFile } from "../../core/repository/metadata.ts";
import { RateLimiter } from "../rate-limiter.ts";
import type { ProgressReporter } from "../report-progress.ts";
import { assertEncrypted } from "../streams/stream-encryption.ts";
import type { TaskRun } from "../task.ts";

/** A stored file that the destination is to have. */
export interface WantedFile {
  /** Full name, the same in both repositories. */
  readonly name: string;
  /** Where metadata.json states it: compared as the bytes pass, before anything is visible. */
  readonly stated?: StoredFile;
  /** Reads it back from the destination; rejects with an integrity failure where it is not what it must be. */
  readonly verify: () => Promise<void>;
  /** The backup that it belongs to is sealed in the destination: what lies there is not given up for the unproved. */
  readonly isSealed: boolean;
  /**
   * Reads it in the source; rejects with an integrity failure where any of it is not what it must be. Not needed
   * where it is `stated`; without both nothing tells whether it is good.
   */
  readonly prove?: () => Promise<void>;
}

/**
 * Copies stored files between two repositories, as they are, and believes no store: what was written is read back
 * and verified before anybody relies on it. What lies there already, of a run that was stopped, is verified and
 * not copied again.
 */
export class FileBringer {
  readonly #from: TaskRun;
  readonly #to: TaskRun;
  readonly #isByStore: boolean;
  readonly #progress: ProgressReporter;
  readonly #limiter: RateLimiter;
  /** A file that is wanted twice is brought once at a time. */
  readonly #busy = new Map<string, Promise<void>>();
  copied: FileAmount = { files: 0, sizeBytes: 0 };
  found: FileAmount = { files: 0, sizeBytes: 0 };

  /** `isByStore`: what is copied is encrypted by nobody but the stores, and the destination's has to say that it does. */
  constructor(from: TaskRun, to: TaskRun, progress: ProgressReporter, isByStore = false) {
    this.#isByStore = isByStore;
    this.#from = from;
    this.#to = to;
    this.#progress = progress;
    this.#limiter = new RateLimiter(from.context.maxRateBytesPerSecond, from.signal);
  }

  /**
   * Resolves when the destination has the file whole. Rejects naming the file; then the destination is without it, or,
   * where it is of a sealed backup, has it as it was, or as the store kept the good bytes that it was sent.
   */
  async bring(file: WantedFile): Promise<void> {
    const before = this.#busy.get(file.name);
    const bringing = (before ?? Promise.resolve()).then(() => this.#bring(file));
    this.#busy.set(file.name, bringing);
    try {
      await bringing;
    } finally {
      if (this.#busy.get(file.name) === bringing) this.#busy.delete(file.name);
    }
  }

  /** Notes a file that the destination has, and has had verified before. */
  noteFound(sizeBytes: number): void {
    this.found = { files: this.found.files + 1, sizeBytes: this.found.sizeBytes + sizeBytes };
    this.#progress.add(0, 1);
  }

  async #bring(file: WantedFile): Promise<void> {
    const there = await this.#to.store.head(file.name);
    if (there !== undefined && (await isWhole(file))) return this.noteFound(there.sizeBytes);
    const proved = there !== undefined && file.isSealed ? await this.#prove(file) : file.stated?.sha256;
    const sent = await this.#send(file, proved);
    try {
      await file.verify();
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== "integrity") throw error;
      const arrived = await hashObject(this.#to, file.name).catch(() => undefined);
      if (!file.isSealed) await this.#to.store.delete(file.name);
      throw arrived === sent ? this.#damagedInSource(file.name, error) : this.#changed(file, error);
    }
  }

  /** SHA-256 of the source's good bytes, which may take the place of what is damaged in the destination. */
  async #prove({ name, stated, prove }: WantedFile): Promise<string> {
    if (stated !== undefined) return stated.sha256;
    if (prove === undefined) {
      const unknown = "Nothing tells which of the two is good.";
      throw this.#unproved(name, new Failure("data-damaged", unknown));
    }
    try {
      const sha256 = await hashObject(this.#from, name);
      await prove();
      return sha256;
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== "integrity") throw error;
      throw this.#unproved(name, error);
    }
  }

  /** Copies the bytes and makes them visible, if they are the proved ones; gives the SHA-256 of what was sent. */
  async #send(file: WantedFile, proved: string | undefined): Promise<string> {
    const { name, stated } = file;
    const writer = await this.#to.store.write(name);
    try {
      const sha256 = createHash("sha256");
      let sizeBytes = 0;
      for await (const chunk of this.#from.store.read(name)) {
        this.#from.signal.throwIfAborted();
        await this.#limiter.take(chunk.length);
        sha256.update(chunk);
        sizeBytes += chunk.length;
        await writer.write(chunk);
        this.#progress.add(chunk.length);
      }
      const sent = sha256.digest("hex");
      if ((stated !== undefined && stated.sizeBytes !== sizeBytes) || sent !== (proved ?? sent)) {
        const other = new Failure(
          "data-damaged",
          stated === undefined
            ? "It was read twice, and is not the same."
            : "It has another size or SHA-256 than metadata.json states.",
        );
        throw file.isSealed ? this.#unproved(name, other) : this.#damagedInSource(name, other);
      }
      const stored = await writer.commit();
      if (stored.sizeBytes !== sizeBytes) {
        if (!file.isSealed) await this.#to.store.delete(name);
        throw this.#changed(file, `it took ${sizeBytes} bytes and has ${stored.sizeBytes}`);
      }
      if (this.#isByStore) await assertEncrypted(this.#to.store, name, stored);
      this.copied = { files: this.copied.files + 1, sizeBytes: this.copied.sizeBytes + sizeBytes };
      this.#progress.add(0, 1);
      return sent;
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  #damagedInSource(name: string, cause: Failure): Failure {
    return new Failure(
      cause.code,
      `${name} is damaged in ${this.#from.store.url}, so the backup was not copied: ${cause.message} ` +
        "The destination is without it. `lc2 backup verify` lists all damage; copy another backup, or mend the source " +
        "from another copy and run again: what arrived whole is not copied again.",
      { cause },
    );
  }

  #unproved(name: string, cause: Failure): Failure {
    return new Failure(
      cause.code,
      `${name} belongs to a backup that is sealed in ${this.#to.store.url}; it is missing or damaged there, and what ` +
        `${this.#from.store.url} has cannot take its place: ${cause.message} Nothing was changed there. ` +
        "`lc2 backup verify` lists all damage in each repository; put the file back from another copy and run again.",
      { cause },
    );
  }

  #changed({ name, isSealed }: WantedFile, problem: unknown): Failure {
    const outcome = isSealed ? "It is damaged there now." : "It was removed there, and nothing was sealed.";
    const said = problem instanceof Error ? problem.message : String(problem);
    return new Failure(
      "store-failed",
      `${this.#to.store.url} did not keep ${name} as it was written: ${said} ${outcome} ` +
        "Check the store, its disks and what is between it and this machine.",
      { cause: problem, retry: "backoff" },
    );
  }
}

async function isWhole(file: WantedFile): Promise<boolean> {
  try {
    await file.verify();
    return true;
  } catch (error) {
    if (error instanceof Failure && error.kind === "integrity") return false;
    throw error;
  }
}

/** SHA-256 of an object's bytes as the store gives them. */
export async function hashObject(run: TaskRun, name: string): Promise<string> {
  const sha256 = createHash("sha256");
  for await (const chunk of run.store.read(name)) {
    run.signal.throwIfAborted();
    sha256.update(chunk);
  }
  return sha256.digest("hex");
}
