import { Failure } from "../../core/failure.ts";
import { SourceError, type SourceEntry } from "../../core/ports/file-source.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import { showKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import { forEachAtOnce } from "../at-once.ts";
import { ChangingError, smallFileBytes, SourceReader } from "../backup/read-source-file.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { StoredBytesWriter, type Placement } from "../streams/stored-bytes-writer.ts";
import type { TaskRun } from "../task.ts";
import type { UndoPlace } from "./undo-journal.ts";

/** An object that is going to be replaced or removed, and what the journal will say of it. */
export interface OldObject {
  readonly found: SourceEntry;
  /** Undefined until it is kept, and for what cannot be put back. */
  entry: ManifestEntry | undefined;
}

export interface OldContentsInput {
  readonly target: FileTarget;
  readonly undo: UndoPlace;
  /** Number of this run of the restore. */
  readonly undoRun: number;
  readonly run: TaskRun;
}

/** Each holds a MiB. */
const readersAtMost = 16;

/** Copies what a restore is going to overwrite or remove into its undo folder. */
export class OldContents {
  readonly #in: OldContentsInput;
  readonly #writer: StoredBytesWriter;
  readonly #readers: SourceReader[] = [];

  constructor(input: OldContentsInput) {
    const { undo, undoRun, target } = input;
    this.#in = input;
    this.#writer = new StoredBytesWriter(undo.run, undo.restoreId, undoRun, undo.keys, target.url);
  }

  /**
   * Keeps these and sets their entries; durable when it resolves. Rejects with `restore-target-changed` where a
   * present content is not to be had.
   */
  async keep(olds: readonly OldObject[]): Promise<void> {
    if (olds.length === 0) return;
    const atOnce = Math.min(this.#in.target.changesAtOnce, readersAtMost);
    const placements = new Map<OldObject, Placement>();
    const large: OldObject[] = [];
    await forEachAtOnce(olds, atOnce, async (old) => {
      this.#in.run.signal.throwIfAborted();
      await this.#refuseChange(old, async () => {
        if (!(await this.#keepSmall(old, placements))) large.push(old);
      });
    });
    for (const old of large) await this.#refuseChange(old, () => this.#keepLarge(old));
    await this.#writer.finish();
    for (const [old, { stored }] of placements) {
      if (stored === undefined || old.entry === undefined) throw new Error("a stored content has no place");
      old.entry = { ...old.entry, stored };
    }
  }

  /** Ends what is under way. */
  async abort(): Promise<void> {
    await this.#writer.abort();
  }

  /** False when it is not small. */
  async #keepSmall(old: OldObject, placements: Map<OldObject, Placement>): Promise<boolean> {
    const { found } = old;
    if (found.kind === "special") {
      const message = `${showKey(found.key)} is a ${found.problem?.message ?? "special file"}; an undo cannot bring it back.`;
      this.#in.run.report({ type: "log", level: "warn", message });
      return true;
    }
    if (found.kind !== "file" || found.sizeBytes === 0) {
      old.entry = await this.#factsOf(found);
      return true;
    }
    if (found.sizeBytes >= smallFileBytes) return false;
    const reader = this.#takeReader();
    const read = await reader.readSmall(found, (content) =>
      // One that became empty meanwhile needs no place.
      content.length === 0 ? undefined : this.#writer.storeSmall(content),
    );
    this.#readers.push(reader);
    if (read === undefined) return false;
    old.entry = { ...toEntry(read.facts), sha256: read.sha256 };
    if (read.content !== undefined) placements.set(old, read.content);
    await this.#writer.room();
    return true;
  }

  async #keepLarge(old: OldObject): Promise<void> {
    const reader = this.#takeReader();
    const read = await reader.readLarge(old.found, (pieces) => this.#writer.storeLarge(pieces));
    this.#readers.push(reader);
    old.entry = { ...toEntry(read.facts), sha256: read.sha256, stored: read.content };
  }

  /** A list of a bucket says next to nothing of an object: all is needed to put it back. */
  async #factsOf(found: SourceEntry): Promise<ManifestEntry | undefined> {
    if (!this.#in.target.keeps.objectFacts) return toEntry(found);
    const facts = await this.#in.target.look(found.key);
    return facts === undefined ? undefined : toEntry(facts);
  }

  #takeReader(): SourceReader {
    const { target, run } = this.#in;
    const source = { open: (key: string) => target.open(key) };
    return (
      this.#readers.pop() ?? new SourceReader(source, new RateLimiter(undefined, run.signal), run.signal)
    );
  }

  async #refuseChange(old: OldObject, keep: () => Promise<void>): Promise<void> {
    try {
      await keep();
    } catch (cause) {
      if (!(cause instanceof ChangingError || cause instanceof SourceError)) throw cause;
      throw new Failure(
        "restore-target-changed",
        `${showKey(old.found.key)} in ${this.#in.target.url} would be replaced, but its present content cannot be ` +
          `kept: ${cause.message}. Nothing of it was changed. Stop what writes there and run the restore again, or ` +
          "undo it.",
        { cause },
      );
    }
  }
}

export function toEntry(found: SourceEntry): ManifestEntry {
  const { problem: _problem, kind, ...facts } = found;
  if (kind === "special") throw new Error("a special file has no entry");
  return { ...facts, kind };
}
