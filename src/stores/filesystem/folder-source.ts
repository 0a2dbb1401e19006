import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  SourceError,
  type FileSource,
  type ListOptions,
  type SourceContent,
  type SourceEntry,
} from "../../core/ports/file-source.ts";
import { encodeKey, type FileKey } from "../../core/repository/manifest.ts";
import { describe, hasCode, reasonOf, toPath } from "./file-facts.ts";
import { walkFolder } from "./walk-folder.ts";

/** The folder of a `file:///…` URL as a source of files. Only the folder itself may be a symlink. */
export function openFolderSource(url: string): FileSource {
  return new FolderSource(fileURLToPath(url));
}

/** `file:///srv/liferay/document_library`, without a slash at its end, however it was spelled. */
export function canonicalFolderUrl(url: string): string {
  return pathToFileURL(fileURLToPath(url).replace(/(?<=[^/])\/+$/, "")).href;
}

/** O_NONBLOCK: a FIFO that took a file's place must not stop the walk for ever. */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

class FolderSource implements FileSource {
  readonly url: string;
  readonly #root: string;
  /** Binary string with a slash at its end. */
  readonly #prefix: string;

  constructor(root: string) {
    this.#root = root;
    this.url = canonicalFolderUrl(pathToFileURL(root).href);
    this.#prefix = `${encodeKey(root).replace(/\/+$/, "")}/`;
  }

  list(options: ListOptions): AsyncIterable<readonly SourceEntry[]> {
    return walkFolder(this.#root, options);
  }

  open(key: FileKey): SourceContent {
    return openFileContent(this.#prefix + key, key);
  }

  hasRoomFor(key: FileKey): boolean {
    const path = key.endsWith("/") ? key.slice(0, -1) : key;
    try {
      const found = lstatSync(toPath(this.#prefix + path), { throwIfNoEntry: false });
      return found === undefined || found.isDirectory() === key.endsWith("/");
    } catch (error) {
      if (hasCode(error, "ENOTDIR", "ELOOP")) return false;
      return true;
    }
  }
}

/** Opens the file at a path (binary string), following no symlink at its end. Throws a `SourceError`. */
export function openFileContent(path: string, key: FileKey): SourceContent & { readonly facts: SourceEntry } {
  let fd: number;
  try {
    fd = openSync(toPath(path), readFlags);
  } catch (error) {
    throw sourceError(error);
  }
  try {
    const facts = describe(key, fstatSync(fd, { bigint: true }));
    if (facts.kind !== "file") throw new SourceError("gone", "it is no file any more");
    return new OpenFile(fd, facts);
  } catch (error) {
    closeSync(fd);
    throw sourceError(error);
  }
}

class OpenFile implements SourceContent {
  readonly facts: SourceEntry;
  readonly #fd: number;
  #position = 0;

  constructor(fd: number, facts: SourceEntry) {
    this.#fd = fd;
    this.facts = facts;
  }

  read(into: Uint8Array): number {
    // One byte more than there should be shows that there is no more; asking for much more costs a small file
    // five times its time.
    const length = Math.min(into.length, Math.max(1, this.facts.sizeBytes - this.#position + 1));
    try {
      const read = readSync(this.#fd, into, 0, length, null);
      this.#position += read;
      return read;
    } catch (error) {
      throw sourceError(error);
    }
  }

  factsNow(): SourceEntry {
    return describe(this.facts.key, fstatSync(this.#fd, { bigint: true }));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function sourceError(error: unknown): SourceError {
  if (error instanceof SourceError) return error;
  if (hasCode(error, "ENOENT", "ENOTDIR", "ELOOP", "ENXIO"))
    return new SourceError("gone", reasonOf(error), error);
  return new SourceError("unreadable", reasonOf(error), error);
}
