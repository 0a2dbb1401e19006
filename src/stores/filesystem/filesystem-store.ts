import { randomBytes } from "node:crypto";
import { constants, type Dirent } from "node:fs";
import { link, mkdir, open, readdir, rename, rmdir, stat, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Failure } from "../../core/failure.ts";
import type { ByteRange, ObjectStore, ObjectWriter, StoredObject } from "../../core/ports/object-store.ts";
import { assertObjectName } from "../../core/repository/object-name.ts";

const readChunkBytes = 1024 * 1024;
/** Unfinished writes: never listed, removed by a sweep. */
const temporaryMark = ".lc2-tmp-";

/**
 * Objects as files below a folder. A new object is written under a temporary name beside its place, synced,
 * and renamed or linked into it; the folder is synced after it. So an object is visible only when it is
 * whole, and survives a power cut once its promise has resolved.
 */
export function openFilesystemStore(root: string): ObjectStore {
  return new FilesystemStore(root);
}

class FilesystemStore implements ObjectStore {
  readonly url: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.url = pathToFileURL(root).href.replace(/\/$/, "");
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    // Walk only the deepest folder that the prefix names whole; filter the rest.
    const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    yield* this.#walk(folder, prefix);
  }

  async *#walk(folder: string, prefix: string): AsyncIterable<StoredObject> {
    for (const entry of await this.#entries(folder)) {
      const name = folder + entry.name;
      if (entry.isDirectory()) {
        const below = `${name}/`;
        if (below.startsWith(prefix) || prefix.startsWith(below)) yield* this.#walk(below, prefix);
      } else if (entry.isFile() && name.startsWith(prefix)) {
        const object = await this.head(name);
        if (object !== undefined) yield object;
      }
    }
  }

  async *listUnfinished(folder = ""): AsyncIterable<StoredObject> {
    for (const entry of await this.#allEntries(folder)) {
      const name = folder + entry.name;
      if (entry.isDirectory()) yield* this.listUnfinished(`${name}/`);
      else if (entry.isFile() && entry.name.includes(temporaryMark)) {
        const object = await this.head(name);
        if (object !== undefined) yield object;
      }
    }
  }

  async *listFolders(prefix: string): AsyncIterable<string> {
    for (const entry of await this.#entries(prefix)) if (entry.isDirectory()) yield entry.name;
  }

  /** In byte order of whole names: a folder sorts as if its name ended with a slash. */
  async #entries(folder: string): Promise<Dirent[]> {
    const entries = await this.#allEntries(folder);
    const order = (entry: Dirent) => (entry.isDirectory() ? `${entry.name}/` : entry.name);
    return entries
      .filter((entry) => !entry.name.includes(temporaryMark))
      .sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  async #allEntries(folder: string): Promise<Dirent[]> {
    try {
      return await readdir(this.#path(folder), { withFileTypes: true });
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
      throw storeFailure(error, "list", this.#path(folder));
    }
  }

  async head(name: string): Promise<StoredObject | undefined> {
    assertObjectName(name);
    try {
      const facts = await stat(this.#path(name));
      if (!facts.isFile()) return undefined;
      return { name, sizeBytes: facts.size, modifiedAtMs: Math.trunc(facts.mtimeMs) };
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
      throw storeFailure(error, "look at", this.#path(name));
    }
  }

  async *read(name: string, range: ByteRange = { offset: 0 }): AsyncIterable<Uint8Array> {
    assertObjectName(name);
    const path = this.#path(name);
    let file: FileHandle;
    try {
      file = await open(path, constants.O_RDONLY);
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) {
        throw new Failure("backup-incomplete", `${name} is missing in ${this.url}.`, { cause: error });
      }
      throw storeFailure(error, "read", path);
    }
    try {
      const size = (await file.stat()).size;
      const end = range.length === undefined ? size : range.offset + range.length;
      if (end > size) {
        throw new Failure(
          "backup-incomplete",
          `${name} in ${this.url} has ${size} bytes; ${end} are needed.`,
        );
      }
      const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(readChunkBytes, end - range.offset)));
      for (let position = range.offset; position < end;) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - position), position);
        if (bytesRead === 0) throw new Failure("backup-incomplete", `${name} in ${this.url} became shorter.`);
        yield buffer.subarray(0, bytesRead);
        position += bytesRead;
      }
    } catch (error) {
      throw storeFailure(error, "read", path);
    } finally {
      await file.close();
    }
  }

  async write(name: string): Promise<ObjectWriter> {
    assertObjectName(name);
    const path = this.#path(name);
    const temporary = `${path}${temporaryMark}${randomBytes(6).toString("hex")}`;
    try {
      return new FilesystemWriter(name, path, temporary, await openNew(temporary));
    } catch (error) {
      throw storeFailure(error, "write", path);
    }
  }

  async createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    return this.#writeSmall(name, bytes, async (temporary, path) => {
      try {
        // link() is the conditional create: it never replaces.
        await link(temporary, path);
        return true;
      } catch (error) {
        if (hasCode(error, "EEXIST")) return false;
        throw error;
      } finally {
        await unlink(temporary);
      }
    });
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    await this.#writeSmall(name, bytes, async (temporary, path) => {
      await rename(temporary, path);
      return true;
    });
  }

  async #writeSmall(
    name: string,
    bytes: Uint8Array,
    place: (temporary: string, path: string) => Promise<boolean>,
  ): Promise<boolean> {
    assertObjectName(name);
    const path = this.#path(name);
    const temporary = `${path}${temporaryMark}${randomBytes(6).toString("hex")}`;
    try {
      const file = await openNew(temporary);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      const placed = await place(temporary, path);
      await syncFolder(dirname(path));
      return placed;
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw storeFailure(error, "write", path);
    }
  }

  async delete(name: string): Promise<boolean> {
    assertObjectName(name);
    const path = this.#path(name);
    try {
      await unlink(path);
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return false;
      throw storeFailure(error, "delete", path);
    }
    await syncFolder(dirname(path));
    await this.#removeEmptyFolders(dirname(name));
    return true;
  }

  /** Folders are not objects: one that holds nothing any more goes away, as a prefix does in a bucket. */
  async #removeEmptyFolders(folder: string): Promise<void> {
    for (let name = folder; name !== "." && name !== ""; name = dirname(name)) {
      try {
        await rmdir(this.#path(name));
      } catch {
        return;
      }
    }
  }

  #path(name: string): string {
    return join(this.#root, name);
  }
}

class FilesystemWriter implements ObjectWriter {
  readonly #name: string;
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  #written = 0;
  #ended = false;

  constructor(name: string, path: string, temporary: string, file: FileHandle) {
    this.#name = name;
    this.#path = path;
    this.#temporary = temporary;
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let offset = 0; offset < bytes.length;) {
        const { bytesWritten } = await this.#file.write(bytes, offset, bytes.length - offset);
        offset += bytesWritten;
      }
      this.#written += bytes.length;
    } catch (error) {
      throw storeFailure(error, "write", this.#path);
    }
  }

  async commit(): Promise<StoredObject> {
    try {
      await this.#file.sync();
      const facts = await this.#file.stat();
      if (facts.size !== this.#written) {
        throw new Failure(
          "store-failed",
          `${this.#path} has ${facts.size} bytes after ${this.#written} were written.`,
        );
      }
      this.#ended = true;
      await this.#file.close();
      await rename(this.#temporary, this.#path);
      await syncFolder(dirname(this.#path));
      return { name: this.#name, sizeBytes: facts.size, modifiedAtMs: Math.trunc(facts.mtimeMs) };
    } catch (error) {
      throw storeFailure(error, "write", this.#path);
    }
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#file.close().catch(() => undefined);
    await unlink(this.#temporary).catch(() => undefined);
  }
}

/** Opens a new file, its folders made; a folder that a delete just found empty and removed is made again. */
async function openNew(path: string): Promise<FileHandle> {
  for (let attempt = 1; ; attempt += 1) {
    await makeFolders(dirname(path));
    try {
      return await open(path, "wx", 0o600);
    } catch (error) {
      if (attempt === 5 || !hasCode(error, "ENOENT")) throw error;
    }
  }
}

/** Node's own recursive mkdir says ENOENT where a file system is read-only. */
async function makeFolders(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (hasCode(error, "EEXIST")) return;
    if (!hasCode(error, "ENOENT") || dirname(path) === path) throw error;
    await makeFolders(dirname(path));
    await mkdir(path, { mode: 0o700 }).catch((again: unknown) => {
      if (!hasCode(again, "EEXIST")) throw again;
    });
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

/** The system's refusal as a sentence with the next step. */
export function storeFailure(error: unknown, verb: string, path: string): Failure {
  if (error instanceof Failure) return error;
  const reason = error instanceof Error ? error.message : String(error);
  if (hasCode(error, "ENOSPC", "EDQUOT")) {
    return new Failure(
      "disk-full",
      `There is no space left to ${verb} ${path}. Free some space and run again; earlier backups are untouched.`,
      { cause: error },
    );
  }
  if (hasCode(error, "EROFS") || (verb !== "read" && hasCode(error, "EACCES", "EPERM"))) {
    return new Failure(
      "repository-read-only",
      `Cannot ${verb} ${path}: ${reason}. Check owner, permissions and mount options of the folder.`,
      { cause: error },
    );
  }
  return new Failure("store-failed", `Cannot ${verb} ${path}: ${reason}.`, { cause: error });
}
