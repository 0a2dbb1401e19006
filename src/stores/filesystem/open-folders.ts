import { closeSync, constants, existsSync, lstatSync, openSync } from "node:fs";
import { encodeKey, type FileKey } from "../../core/repository/manifest.ts";
import { hasCode, toPath } from "./file-facts.ts";

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Names below `/proc/self/fd/N/` are looked up in the very folder that was opened: what `openat` does. */
const canOpenAt = existsSync("/proc/self/fd");

interface OpenFolder {
  readonly key: FileKey;
  readonly fd: number;
  /** What paths in this folder begin with; a binary string. */
  readonly prefix: string;
}

/**
 * Finds the folders of keys from a root without ever following a symlink, by opening them one in the other and
 * naming things relative to the open folder. The folders of the last key stay open, which is cheap for keys in
 * order.
 *
 * Where the system has no `/proc`, each folder is looked at just before instead; a program that puts a symlink
 * in its place in that very moment is then not noticed.
 */
export class OpenFolders {
  readonly #root: string;
  readonly #stack: OpenFolder[] = [];

  constructor(root: string) {
    this.#root = `${encodeKey(root).replace(/\/+$/, "")}/`;
  }

  /** The system's path for the object at `key` (a slash at its end is ignored); undefined when a folder on the
   * way is missing, or is something else. */
  find(key: FileKey): string | undefined {
    const path = key.endsWith("/") ? key.slice(0, -1) : key;
    const slash = path.lastIndexOf("/") + 1;
    const folder = this.#open(path.slice(0, slash));
    return folder === undefined ? undefined : folder.prefix + path.slice(slash);
  }

  /** Forgets open folders at and below `key`, before something happens to them. */
  forget(key: FileKey): void {
    while (this.#stack.length > 0 && (this.#stack.at(-1) as OpenFolder).key.startsWith(key)) this.#pop();
  }

  close(): void {
    while (this.#stack.length > 0) this.#pop();
  }

  #open(folderKey: FileKey): OpenFolder | undefined {
    while (this.#stack.length > 0 && !folderKey.startsWith((this.#stack.at(-1) as OpenFolder).key))
      this.#pop();
    for (;;) {
      const top = this.#stack.at(-1);
      if (top === undefined) {
        if (!this.#push("", this.#root, true)) return undefined;
        continue;
      }
      if (top.key === folderKey) return top;
      const next = folderKey.indexOf("/", top.key.length) + 1;
      if (
        !this.#push(folderKey.slice(0, next), top.prefix + folderKey.slice(top.key.length, next - 1), false)
      ) {
        return undefined;
      }
    }
  }

  /** Only the root itself may be a symlink. */
  #push(key: FileKey, path: string, isRoot: boolean): boolean {
    try {
      if (!canOpenAt) {
        if (!isRoot && !lstatSync(toPath(path)).isDirectory()) return false;
        this.#stack.push({ key, fd: -1, prefix: path.endsWith("/") ? path : `${path}/` });
        return true;
      }
      const fd = openSync(toPath(path), isRoot ? folderFlags & ~constants.O_NOFOLLOW : folderFlags);
      this.#stack.push({ key, fd, prefix: `/proc/self/fd/${fd}/` });
      return true;
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR", "ELOOP")) return false;
      throw error;
    }
  }

  #pop(): void {
    const folder = this.#stack.pop();
    if (folder !== undefined && folder.fd >= 0) closeSync(folder.fd);
  }
}
