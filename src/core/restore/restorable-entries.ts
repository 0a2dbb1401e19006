import { decodeKey, type FileKey, type ManifestEntry } from "../repository/manifest.ts";
import { isHeld } from "./held-entries.ts";
import { whyNotRestorable } from "./restorable-key.ts";

/** S3 allows a key so many bytes of UTF-8. */
const longestBucketKey = 1024;

/** What kind of place the entries are restored to. */
export interface TargetForm {
  /** It has folders; otherwise it is a bucket. */
  readonly folders: boolean;
  /** Bytes of text before every key of a bucket. */
  readonly prefixBytes: number;
}

/**
 * Says of the entries of a backup, given in order of keys, which of them the target cannot hold. Memory: the keys
 * that a key begins with.
 */
export class RestorableEntries {
  readonly #form: TargetForm;
  /** Files whose keys the last key began with. */
  readonly #files: FileKey[] = [];

  constructor(form: TargetForm) {
    this.#form = form;
  }

  /** Why an entry cannot be restored; undefined when it can, or need not be (`isHeld`). */
  whyNot(entry: ManifestEntry): string | undefined {
    return this.#form.folders ? this.#whyNotInFolder(entry) : this.#whyNotInBucket(entry);
  }

  #whyNotInFolder({ key, kind }: ManifestEntry): string | undefined {
    while (this.#files.length > 0 && !key.startsWith(this.#files.at(-1) as FileKey)) this.#files.pop();
    const isBelowFile = this.#files.some((file) => key[file.length] === "/");
    if (kind === "file") this.#files.push(key);
    const why = whyNotRestorable(key);
    if (why !== undefined) return why;
    if (kind !== "directory" && key.endsWith("/"))
      return "it has content, and a name that only a folder can have";
    return isBelowFile ? "there is an object of the name of the folder that it would be in" : undefined;
  }

  #whyNotInBucket(entry: ManifestEntry): string | undefined {
    if (!isHeld(entry)) return undefined;
    const bytes = this.#form.prefixBytes + entry.key.length;
    if (bytes > longestBucketKey)
      return `its key would have ${bytes} bytes, and at most ${longestBucketKey} are allowed`;
    return decodeKey(entry.key) === undefined
      ? "its name is not UTF-8, which the keys of a bucket are"
      : undefined;
  }
}
