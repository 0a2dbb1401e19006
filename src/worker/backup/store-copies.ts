import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../../core/failure.ts";
import {
  SourceError,
  type FileSource,
  type LocatedObject,
  type SourceEntry,
} from "../../core/ports/file-source.ts";
import type { CopiedObject } from "../../core/ports/object-store.ts";
import { backupPrefix } from "../../core/repository/layout.ts";
import { emptySha256, type CopyProof, type FileKey, type StoredAt } from "../../core/repository/manifest.ts";
import type { BackupKeys } from "../keys/backup-keys.ts";
import type { RateLimiter } from "../rate-limiter.ts";
import { assertEncrypted } from "../streams/stream-encryption.ts";
import type { StoredBytesWriter } from "../streams/stored-bytes-writer.ts";
import type { TaskRun } from "../task.ts";
import { changingPausesMs, ChangingError, smallFileBytes, type ReadFile } from "./read-source-file.ts";

/** An object whose own store copied it into the repository. */
export interface CopiedFile extends ReadFile<StoredAt | undefined> {
  /** Absent of an object that is empty by now, as `object` is. */
  readonly proof?: CopyProof;
  readonly object?: CopiedObject;
}

const ratePieceBytes = 1 << 20;

type LocatingSource = FileSource & Required<Pick<FileSource, "locate">>;

export interface StoreCopiesInput {
  readonly source: FileSource;
  readonly run: TaskRun;
  readonly backupId: string;
  readonly keys: BackupKeys;
  readonly bytes: StoredBytesWriter;
  readonly rate: RateLimiter;
  /** Told while the store copies, and while the rate holds a copy back. */
  readonly onActivity: (amount: number) => void;
}

/**
 * In server mode: large objects of a bucket of the repository's own store are copied by that store, several at once
 * and ahead of their turn. Small ones are not: reading many into one pack takes fewer requests than copying each.
 *
 * What was copied is one state of the object (`If-Match`), and its content's SHA-256 is known: by the store where it
 * computed it while it copied, else from reading the copy once.
 */
export class StoreCopies {
  readonly #in: StoreCopiesInput & { readonly source: LocatingSource };
  readonly #atOnce: number;
  readonly #started = new Map<FileKey, Promise<CopiedFile | undefined>>();
  #waiting: SourceEntry[] = [];
  #active = 0;
  #isRefused = false;

  /** Undefined where nothing is copied so; says why where one could expect it. */
  static open(input: StoreCopiesInput): StoreCopies | undefined {
    const { source, run, keys } = input;
    const { locate } = source;
    if (keys.files !== "by-store" || locate === undefined) return undefined;
    if (run.store.copyIn === undefined || run.store.canCopyFrom?.(source.url) !== true) {
      const message =
        `${source.url} and ${run.store.url} are not of one store, or are not reached with the same credentials, so the ` +
        "store cannot copy between them: every object passes through this machine.";
      run.report({ type: "log", level: "info", message });
      return undefined;
    }
    return new StoreCopies({ ...input, source: { ...source, locate } });
  }

  private constructor(input: StoreCopiesInput & { readonly source: LocatingSource }) {
    this.#in = input;
    this.#atOnce = input.source.opensAtOnce ?? 1;
  }

  wants(entry: SourceEntry): boolean {
    return !this.#isRefused && entry.kind === "file" && entry.sizeBytes >= smallFileBytes;
  }

  /** It is going to be taken, in this order. */
  expect(entry: SourceEntry): void {
    this.#waiting.push(entry);
    this.#startMore();
  }

  /**
   * The copy of an object; undefined where the store does not copy it, and it has to be read. Throws as opening and
   * reading it would.
   */
  async take(entry: SourceEntry): Promise<CopiedFile | undefined> {
    this.#waiting = this.#waiting.filter(({ key }) => key > entry.key);
    const copy = this.#started.get(entry.key) ?? this.#start(entry);
    this.#started.delete(entry.key);
    return copy;
  }

  /** Nothing is on its way any more when it resolves. What was copied and not taken is left to a sweep. */
  async settle(): Promise<void> {
    this.#waiting = [];
    await Promise.allSettled(this.#started.values());
  }

  #startMore(): void {
    while (this.#active < this.#atOnce && !this.#isRefused) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      void this.#start(next);
    }
  }

  #start(entry: SourceEntry): Promise<CopiedFile | undefined> {
    this.#active += 1;
    const copy = this.#copyPatiently(entry).finally(() => {
      this.#active -= 1;
      this.#startMore();
    });
    // Whoever takes it is told.
    copy.catch(() => undefined);
    this.#started.set(entry.key, copy);
    return copy;
  }

  async #copyPatiently({ key }: SourceEntry): Promise<CopiedFile | undefined> {
    for (let attempt = 0; ; attempt += 1) {
      const located = await this.#in.source.locate(key);
      try {
        return await this.#copy(located);
      } catch (error) {
        if (isRefusal(error)) return this.#noteRefusal(error);
        if (!(error instanceof SourceError) || error.reason !== "changed") throw error;
      }
      const pauseMs = changingPausesMs[attempt];
      if (pauseMs === undefined) throw new ChangingError();
      await delay(pauseMs, undefined, { signal: this.#in.run.signal });
    }
  }

  async #copy({ facts, openedAtMs, origin }: LocatedObject): Promise<CopiedFile> {
    const { run, backupId, bytes, onActivity } = this.#in;
    if (facts.sizeBytes === 0) return { facts, openedAtMs, sha256: emptySha256, content: undefined };
    await this.#takeRate(facts.sizeBytes);
    run.signal.throwIfAborted();
    const file = bytes.nameLarge();
    const name = backupPrefix(run.context.projectId, backupId) + file;
    const copied = (await run.store.copyIn?.(origin, name, onActivity)) as CopiedObject;
    await assertEncrypted(run.store, `${file} of ${backupId}`, copied);
    const sha256 = copied.sha256 ?? (await this.#hash(name));
    const content: StoredAt = { file, offset: 0, length: facts.sizeBytes, codec: "none" };
    return {
      facts,
      openedAtMs,
      sha256,
      content,
      object: copied,
      proof: copied.sha256 === undefined ? "read-back" : "store",
    };
  }

  /** In pieces: a large object's whole time would look as if nothing went on. */
  async #takeRate(sizeBytes: number): Promise<void> {
    const { rate, onActivity } = this.#in;
    for (let left = sizeBytes; left > 0; left -= ratePieceBytes) {
      const taken = rate.take(Math.min(left, ratePieceBytes));
      if (taken === undefined) return;
      await taken;
      onActivity(Math.min(left, ratePieceBytes));
    }
  }

  async #hash(name: string): Promise<string> {
    const sha256 = createHash("sha256");
    for await (const chunk of this.#in.run.store.read(name)) {
      this.#in.run.signal.throwIfAborted();
      sha256.update(chunk);
      this.#in.onActivity(chunk.length);
    }
    return sha256.digest("hex");
  }

  /** Rights to read are not always rights to copy: then the objects take the usual way. */
  #noteRefusal(error: Error): undefined {
    if (this.#isRefused) return;
    this.#isRefused = true;
    const message = `The store does not copy objects by itself, so they pass through this machine. ${error.message}`;
    this.#in.run.report({ type: "log", level: "warn", message });
  }
}

/** That the store is not encrypting, and what may pass, is no refusal to copy. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof SourceError) return error.reason === "unreadable";
  return error instanceof Failure && error.code === "store-failed";
}
