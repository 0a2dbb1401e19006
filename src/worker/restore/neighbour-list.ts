import { narrowFilter } from "../../core/files/filter.ts";
import type { SourceEntry } from "../../core/ports/file-source.ts";
import type { FileTarget } from "../../core/ports/file-target.ts";
import type { FileKey } from "../../core/repository/manifest.ts";
import type { ChangeOptions } from "./file-change.ts";

/** For fewer keys a request for each takes no longer. */
const fewKeys = 16;
/** A page of a list has a thousand objects and takes as long as some tens of requests for one each. */
const listedForEachKey = 16;

/**
 * Tells of some objects of a large target whether they are there, by listing what lies around them where they lie close
 * together: a folder of 500 objects is one request instead of 500. Gives up, for good, where too much else lies
 * between them. Memory: the keys asked for.
 */
export class NeighbourList {
  readonly #target: FileTarget;
  readonly #options: ChangeOptions;
  #isWorthwhile: boolean;

  constructor(target: FileTarget, options: ChangeOptions) {
    this.#target = target;
    this.#options = options;
    this.#isWorthwhile = !options.listsTarget && !target.keeps.folders;
  }

  /** Keys in order. By key, as listed, or `undefined` where nothing is; of a key that is not in it nothing is known. */
  async find(asked: readonly FileKey[]): Promise<ReadonlyMap<FileKey, SourceEntry | undefined>> {
    const found = new Map<FileKey, SourceEntry | undefined>();
    if (!this.#isWorthwhile) return found;
    // What is never listed is not for that reason missing.
    const keys = asked.filter((key) => this.#options.filter.includes(key));
    const [first, last] = [keys[0], keys.at(-1)];
    if (keys.length < fewKeys || first === undefined || last === undefined) return found;
    const filter = narrowFilter(this.#options.filter, commonFolder(first, last));
    let next = 0;
    let listed = 0;
    for await (const batch of this.#target.list({ filter })) {
      listed += batch.length;
      for (const entry of batch) {
        for (let key = keys[next]; key !== undefined && key <= entry.key; key = keys[(next += 1)])
          found.set(key, key === entry.key ? entry : undefined);
      }
      if (next === keys.length) return found;
      this.#isWorthwhile = listed < keys.length * listedForEachKey;
      if (!this.#isWorthwhile) return found;
    }
    for (const key of keys.slice(next)) found.set(key, undefined);
    return found;
  }
}

/** The folder that all keys from `first` to `last` lie in; empty where there is none. */
function commonFolder(first: FileKey, last: FileKey): FileKey {
  let length = 0;
  while (length < first.length && first[length] === last[length]) length += 1;
  return first.slice(0, first.lastIndexOf("/", length - 1) + 1);
}
