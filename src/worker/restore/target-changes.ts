import { createHash } from "node:crypto";
import { compileFilter, narrowFilter, wholeSource } from "../../core/files/filter.ts";
import { mergeJoin } from "../../core/files/merge-join.ts";
import { SourceError, type SourceEntry } from "../../core/ports/file-source.ts";
import type { FileTarget, MaybePromise } from "../../core/ports/file-target.ts";
import { showKey, type FileKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import { compareFacts, compareWithTarget } from "../../core/restore/compare-files.ts";
import { Breather } from "../breather.ts";
import { nothing, type ChangeOptions, type FileChange } from "./file-change.ts";
import { findObjectChanges } from "./object-changes.ts";
import { refuseRepository } from "./refuse-repository.ts";

/**
 * Compares a target with what is wanted there and says, in an order in which it can be done, what has to change.
 * Only reads. The target may be changed, as said, while the rest is being found out: nothing is concluded from
 * what was listed before without looking again. Memory: one batch of each side and the folders on the way.
 */
export async function* findChanges(
  target: FileTarget,
  wanted: AsyncIterable<readonly ManifestEntry[]>,
  options: ChangeOptions,
): AsyncGenerator<FileChange[], void, undefined> {
  if (!target.keeps.folders) return yield* findObjectChanges(target, wanted, options);
  const finder = new ChangeFinder(target, options);
  const notes = options.onNote === undefined ? {} : { onNote: options.onNote };
  const listed = options.listsTarget ? target.list({ filter: options.filter, ...notes }) : nothing();
  for await (const batch of mergeJoin(wanted, listed)) {
    const changes: FileChange[] = [];
    for (const { key, left, right } of batch) await finder.take(key, left, right, changes);
    yield changes;
  }
  const rest: FileChange[] = [];
  finder.end(rest);
  if (rest.length > 0) yield rest;
}

/** A folder of the backup on the way to the key at hand. */
interface WantedFolder {
  readonly entry: ManifestEntry;
  /** It is there, or has been said to be placed. */
  isEnsured: boolean;
}

class ChangeFinder {
  readonly #target: FileTarget;
  readonly #options: ChangeOptions;
  readonly #breather: Breather;
  readonly #folders: WantedFolder[] = [];
  /** Folders of the target to be removed once everything in them has been dealt with. */
  readonly #doomed: SourceEntry[] = [];
  /** Folders that gave way to a file: what the target's list still says of them is over. */
  readonly #cleared: FileKey[] = [];
  /** A folder that was not there: nothing below it is, either. */
  #absent: FileKey | undefined;

  constructor(target: FileTarget, options: ChangeOptions) {
    this.#target = target;
    this.#options = options;
    this.#breather = new Breather(options.signal);
  }

  async take(
    key: FileKey,
    wanted: ManifestEntry | undefined,
    listed: SourceEntry | undefined,
    changes: FileChange[],
  ): Promise<void> {
    if (this.#breather.isDue()) await this.#breather.breathe();
    this.#leaveFolders(key, changes);
    if (wanted !== undefined && this.#options.isIncluded(key)) {
      await this.#takeWanted(wanted, listed, changes);
    } else if (listed !== undefined && wanted === undefined) {
      this.#takeOther(listed, changes);
    }
    if (wanted?.kind === "directory") {
      const isIncluded = this.#options.isIncluded(key);
      this.#folders.push({ entry: wanted, isEnsured: isIncluded || listed?.kind === "directory" });
    }
  }

  end(changes: FileChange[]): void {
    this.#leaveFolders(undefined, changes);
  }

  /** Folders that `key` is not in any more: with undefined, all. */
  #leaveFolders(key: FileKey | undefined, changes: FileChange[]): void {
    const isOver = (folder: FileKey) => key === undefined || !key.startsWith(folder);
    while (this.#folders.length > 0 && isOver((this.#folders.at(-1) as WantedFolder).entry.key))
      this.#folders.pop();
    while (this.#doomed.length > 0 && isOver((this.#doomed.at(-1) as SourceEntry).key)) {
      const found = this.#doomed.pop() as SourceEntry;
      changes.push({ do: "remove", key: found.key, found });
    }
  }

  async #takeWanted(
    wanted: ManifestEntry,
    listed: SourceEntry | undefined,
    changes: FileChange[],
  ): Promise<void> {
    const { key } = wanted;
    const found = listed ?? (await this.#lookAgain(key));
    if (found === undefined || found.kind !== wanted.kind || found.problem?.reason === "special") {
      await this.#ensureFolders(wanted, changes);
      await this.#makeRoom(wanted, found, changes);
      return;
    }
    const change = await this.#compare(wanted, found);
    if (change.do === "place") await this.#ensureFolders(wanted, changes);
    changes.push(change);
  }

  /** What is there under this name, whatever its kind; the list has it under another key, or came too early. */
  #lookAgain(key: FileKey): MaybePromise<SourceEntry | undefined> {
    return this.#absent !== undefined && key.startsWith(this.#absent) ? undefined : this.#target.look(key);
  }

  /** Something of another kind, or nothing, is where the object is wanted. */
  async #makeRoom(
    wanted: ManifestEntry,
    found: SourceEntry | undefined,
    changes: FileChange[],
  ): Promise<void> {
    const { key } = wanted;
    if (found?.kind === "directory") {
      for await (const removal of this.#removeTree(found)) changes.push(removal);
      this.#cleared.push(found.key);
      changes.push({ do: "place", key, wanted });
    } else if (found !== undefined && wanted.kind === "directory") {
      this.#giveWay(found, changes);
      changes.push({ do: "place", key, wanted });
    } else {
      changes.push({ do: "place", key, wanted, ...(found === undefined ? {} : { found }) });
    }
    if (wanted.kind === "directory") this.#noteAbsent(key);
  }

  /** A file or symlink where a folder has to be. In a mirror it came by before, as one that is not wanted. */
  #giveWay(found: SourceEntry, changes: FileChange[]): void {
    if (this.#options.mode === "mirror" && this.#options.isIncluded(found.key)) return;
    changes.push({ do: "remove", key: found.key, found });
  }

  #noteAbsent(key: FileKey): void {
    if (this.#absent === undefined || !key.startsWith(this.#absent)) this.#absent = key;
  }

  async *#removeTree(folder: SourceEntry): AsyncGenerator<FileChange, void, undefined> {
    const prefix = folder.key;
    const inside = narrowFilter(compileFilter(wholeSource), prefix);
    const open: SourceEntry[] = [];
    for await (const batch of this.#target.list({ filter: inside })) {
      for (const entry of batch) {
        if (!entry.key.startsWith(prefix)) continue;
        while (open.length > 0 && !entry.key.startsWith((open.at(-1) as SourceEntry).key))
          yield removal(open.pop());
        if (entry.kind === "directory") open.push(entry);
        else yield removal(entry);
      }
    }
    while (open.length > 0) yield removal(open.pop());
  }

  /** Folders above an object that is to be placed, which were not asked for themselves. */
  async #ensureFolders(wanted: ManifestEntry, changes: FileChange[]): Promise<void> {
    const path = wanted.key.endsWith("/") ? wanted.key.slice(0, -1) : wanted.key;
    const nearest = this.#folders.at(-1);
    // Those above it are ensured, too.
    if (nearest?.isEnsured && nearest.entry.key.length === path.lastIndexOf("/") + 1) return;
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      const key = path.slice(0, slash + 1);
      const known = this.#folders.find(({ entry }) => entry.key === key);
      if (known?.isEnsured) continue;
      const entry = known?.entry ?? { ...plainFolder, key, mtimeNs: wanted.mtimeNs };
      const found = await this.#lookAgain(key);
      if (found?.kind !== "directory") {
        if (found !== undefined) this.#giveWay(found, changes);
        changes.push({ do: "place", key, wanted: entry });
        this.#noteAbsent(key);
      }
      if (known === undefined) this.#insertFolder({ entry, isEnsured: true });
      else known.isEnsured = true;
    }
  }

  #insertFolder(folder: WantedFolder): void {
    this.#folders.push(folder);
    this.#folders.sort((a, b) => a.entry.key.length - b.entry.key.length);
  }

  async #compare(wanted: ManifestEntry, found: SourceEntry): Promise<FileChange> {
    const { key } = wanted;
    const options = { owners: this.#target.keeps.owners };
    let comparison = compareWithTarget(wanted, found, options);
    if (comparison === "look-inside") {
      comparison = (await this.#hasContent(wanted)) ? compareFacts(wanted, found, options) : "different";
    }
    switch (comparison) {
      case "same":
        return { do: "keep", key, wanted };
      case "facts-differ":
      case "time-differs":
        return { do: "set-facts", key, wanted, found, isFolderTimeOnly: comparison === "time-differs" };
      default:
        return { do: "place", key, wanted, found };
    }
  }

  async #hasContent(wanted: ManifestEntry): Promise<boolean> {
    try {
      const content = await this.#target.open(wanted.key);
      try {
        const sha256 = createHash("sha256");
        for (let length = await content.read(buffer); length > 0; length = await content.read(buffer)) {
          sha256.update(buffer.subarray(0, length));
          this.#options.onBytesCompared?.(length);
          if (this.#breather.isDue()) await this.#breather.breathe();
        }
        return sha256.digest("hex") === wanted.sha256;
      } finally {
        await content.close();
      }
    } catch (error) {
      // What cannot be read is not what is wanted; whether it can be replaced will be seen.
      if (error instanceof SourceError) return false;
      throw error;
    }
  }

  /** In the target, not in the backup. */
  #takeOther(listed: SourceEntry, changes: FileChange[]): void {
    if (this.#options.mode === "merge" || !this.#options.isIncluded(listed.key)) return;
    if (this.#cleared.some((folder) => listed.key.startsWith(folder))) return;
    if (!this.#options.isCovered(listed.key)) {
      // The folders it is in stay for its sake.
      const isAbove = (folder: SourceEntry) => listed.key.startsWith(folder.key);
      while (this.#doomed.length > 0 && isAbove(this.#doomed.at(-1) as SourceEntry)) this.#doomed.pop();
    } else if (listed.problem?.reason === "special") {
      this.#options.onNote?.(
        `${showKey(listed.key)} is a ${listed.problem.message}, which could not be put back: it stays.`,
      );
    } else if (listed.kind === "directory") this.#doomed.push(listed);
    else {
      refuseRepository(this.#target, listed.key);
      changes.push({ do: "remove", key: listed.key, found: listed });
    }
  }
}

const buffer = Buffer.allocUnsafeSlow(1 << 20);

const plainFolder = { kind: "directory" as const, sizeBytes: 0, mode: 0o755 };

const removal = (found: SourceEntry | undefined): FileChange => {
  if (found === undefined) throw new Error("no entry to remove");
  return { do: "remove", key: found.key, found };
};
