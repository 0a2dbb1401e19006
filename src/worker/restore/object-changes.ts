import { createHash } from "node:crypto";
import { mergeJoin } from "../../core/files/merge-join.ts";
import { SourceError, type SourceEntry } from "../../core/ports/file-source.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import { showKey, type FileKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import { haveSameObjectFacts } from "../../core/restore/compare-objects.ts";
import { isHeld } from "../../core/restore/held-entries.ts";
import { forEachAtOnce } from "../at-once.ts";
import { nothing, type ChangeOptions, type FileChange } from "./file-change.ts";
import { NeighbourList } from "./neighbour-list.ts";
import { refuseRepository } from "./refuse-repository.ts";

/**
 * `findChanges` for a target without folders: every key stands for itself, so many are looked at at once. Entries
 * that such a target cannot hold (folders, symlinks) are left out.
 */
export async function* findObjectChanges(
  target: FileTarget,
  wanted: AsyncIterable<readonly ManifestEntry[]>,
  options: ChangeOptions,
): AsyncGenerator<FileChange[], void, undefined> {
  const finder = new ObjectChangeFinder(target, options);
  const neighbours = new NeighbourList(target, options);
  const notes = options.onNote === undefined ? {} : { onNote: options.onNote };
  const listed = options.listsTarget ? target.list({ filter: options.filter, ...notes }) : nothing();
  for await (const batch of mergeJoin(held(wanted), listed)) {
    const changes: (FileChange | undefined)[] = [];
    const toLookAt: {
      readonly index: number;
      readonly wanted: ManifestEntry;
      readonly listed?: SourceEntry;
    }[] = [];
    const known = await neighbours.find(wantedKeys(batch, options));
    batch.forEach(({ key, left, right }, index) => {
      if (left === undefined) changes[index] = right === undefined ? undefined : finder.takeOther(right);
      else if (options.isIncluded(key)) {
        // Of what is there an object says more than a list.
        const isAbsent = known.has(key) && known.get(key) === undefined;
        changes[index] = isAbsent ? { do: "place", key, wanted: left } : finder.compareListed(left, right);
        if (changes[index] === undefined)
          toLookAt.push({ index, wanted: left, ...(right === undefined ? {} : { listed: right }) });
      }
    });
    await forEachAtOnce(toLookAt, target.changesAtOnce, async ({ index, wanted: one, listed: right }) => {
      options.signal.throwIfAborted();
      changes[index] = await finder.compare(one, right);
    });
    yield changes.filter((change) => change !== undefined);
  }
}

const wantedKeys = (
  batch: readonly { readonly key: FileKey; readonly left: ManifestEntry | undefined }[],
  { isIncluded }: ChangeOptions,
): FileKey[] => batch.flatMap(({ key, left }) => (left !== undefined && isIncluded(key) ? [key] : []));

async function* held(
  entries: AsyncIterable<readonly ManifestEntry[]>,
): AsyncGenerator<readonly ManifestEntry[], void, undefined> {
  for await (const batch of entries) yield batch.filter(isHeld);
}

class ObjectChangeFinder {
  readonly #target: FileTarget;
  readonly #options: ChangeOptions;

  constructor(target: FileTarget, options: ChangeOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** What the list alone says; undefined where the object itself has to be asked. */
  compareListed(wanted: ManifestEntry, listed: SourceEntry | undefined): FileChange | undefined {
    const { key } = wanted;
    if (listed === undefined) return this.#options.listsTarget ? { do: "place", key, wanted } : undefined;
    if (isOther(wanted, listed)) return { do: "place", key, wanted, found: listed };
    // Its headers cannot be changed without its time, so they are as they were. Tags can: that is not noticed.
    return this.#isUntouched(wanted, listed) ? { do: "keep", key, wanted } : undefined;
  }

  async compare(wanted: ManifestEntry, listed: SourceEntry | undefined): Promise<FileChange> {
    const { key } = wanted;
    const found = listed ?? (await this.#target.look(key));
    if (found === undefined) return { do: "place", key, wanted };
    if (isOther(wanted, found)) return { do: "place", key, wanted, found };
    if (listed === undefined && this.#isUntouched(wanted, found)) return this.#compareFacts(wanted, found);
    if (wanted.sizeBytes === 0) {
      const facts = await this.#target.look(key);
      if (facts === undefined) return { do: "place", key, wanted };
      return isOther(wanted, facts) ? { do: "place", key, wanted, found } : this.#compareFacts(wanted, facts);
    }
    const facts = await this.#factsIfContentIs(wanted);
    return facts === undefined ? { do: "place", key, wanted, found } : this.#compareFacts(wanted, facts);
  }

  /** In the target, not in the backup. */
  takeOther(listed: SourceEntry): FileChange | undefined {
    const { mode, isIncluded, isCovered, onNote } = this.#options;
    if (mode === "merge" || !isIncluded(listed.key) || !isCovered(listed.key)) return undefined;
    refuseRepository(this.#target, listed.key);
    if (listed.problem === undefined) return { do: "remove", key: listed.key, found: listed };
    onNote?.(`${showKey(listed.key)} could not be put back (${listed.problem.message}): it stays.`);
    return undefined;
  }

  /**
   * An ETag is no checksum. But the bucket that was backed up gave it, and this time, to exactly this content; what
   * was written there later has another time.
   */
  #isUntouched(wanted: ManifestEntry, found: SourceEntry): boolean {
    return (
      this.#options.isSource &&
      wanted.version !== undefined &&
      wanted.version === found.version &&
      wanted.mtimeNs === found.mtimeNs
    );
  }

  #compareFacts(wanted: ManifestEntry, found: SourceEntry): FileChange {
    const { key } = wanted;
    return haveSameObjectFacts(wanted.object, found.object)
      ? { do: "keep", key, wanted }
      : { do: "set-facts", key, wanted, found, isFolderTimeOnly: false };
  }

  /** All of the object's facts when its content is the wanted one. */
  async #factsIfContentIs(wanted: ManifestEntry): Promise<SourceEntry | undefined> {
    try {
      const content = await this.#target.open(wanted.key);
      try {
        if (content.facts.sizeBytes !== wanted.sizeBytes) return undefined;
        const sha256 = createHash("sha256");
        const buffer = Buffer.allocUnsafe(Math.min(wanted.sizeBytes + 1, longestRead));
        for (let length = await content.read(buffer); length > 0; length = await content.read(buffer)) {
          sha256.update(buffer.subarray(0, length));
          this.#options.onBytesCompared?.(length);
        }
        return sha256.digest("hex") === wanted.sha256 ? content.facts : undefined;
      } finally {
        await content.close();
      }
    } catch (error) {
      // What cannot be read is not what is wanted; whether it can be replaced will be seen.
      if (error instanceof SourceError) return undefined;
      throw error;
    }
  }
}

const longestRead = 256 << 10;

const isOther = (wanted: ManifestEntry, found: SourceEntry): boolean =>
  wanted.kind !== found.kind || wanted.sizeBytes !== found.sizeBytes;
