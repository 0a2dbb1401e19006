import { execFile } from "node:child_process";
import { createHash, hash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  statfsSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { Failure } from "../../core/failure.ts";
import {
  SourceError,
  type ListOptions,
  type SourceContent,
  type SourceEntry,
} from "../../core/ports/file-source.ts";
import type { FileTarget, FileWish, TargetFacts, TargetState } from "../../core/ports/file-target.ts";
import { showKey, type FileKey, type ManifestEntry } from "../../core/repository/manifest.ts";
import { assertRestorable } from "../../core/restore/restorable-key.ts";
import { openFileContent } from "./folder-source.ts";
import { OpenFolders } from "./open-folders.ts";
import { describe, hasCode, reasonOf, toPath } from "./file-facts.ts";
import { walkFolder } from "./walk-folder.ts";

const run = promisify(execFile);
const readBackBytes = 1 << 20;

/**
 * The folder of a `file:///…` URL as a target of a restore. `temporaryName` is the name under which files
 * are written before they are put in place; nobody else may use it.
 */
export function openFolderTarget(url: string, temporaryName: string): FileTarget {
  return new FolderTarget(fileURLToPath(url).replace(/(?<=[^/])\/+$/, ""), temporaryName);
}

class FolderTarget implements FileTarget {
  readonly url: string;
  readonly keeps = {
    owners: process.getuid?.() === 0,
    modesAndTimes: true,
    folders: true,
    symlinks: true,
    objectFacts: false,
  };
  /** The file system's own order of steps is what makes a power cut harmless. */
  readonly changesAtOnce = 1;
  readonly #root: string;
  readonly #temporaryName: string;
  readonly #folders: OpenFolders;
  readonly #buffer = Buffer.allocUnsafeSlow(readBackBytes);

  constructor(root: string, temporaryName: string) {
    this.#root = root;
    this.url = pathToFileURL(root).href;
    this.#temporaryName = temporaryName;
    this.#folders = new OpenFolders(root);
  }

  inspect(): TargetState {
    let path = this.#root;
    let found = statSync(path, { throwIfNoEntry: false });
    const state = found === undefined ? "missing" : "there";
    while (found === undefined) {
      path = dirname(path);
      found = statSync(path, { throwIfNoEntry: false });
    }
    if (!found.isDirectory()) {
      const message = `${this.url} is not a folder, or a part of its path is not.`;
      return { state: "other", problem: { code: "target-not-a-folder", message }, notes: [] };
    }
    const { bavail, bsize } = statfsSync(path);
    const freeBytes = bavail * bsize;
    if (isWritable(path)) return { state, freeBytes, notes: [] };
    const message = `This user may not write to ${this.url}. Give write and search rights, or run as its owner.`;
    return { state, freeBytes, problem: { code: "target-not-writable", message }, notes: [] };
  }

  async *list(options: ListOptions): AsyncGenerator<readonly SourceEntry[], void, undefined> {
    if (statSync(this.#root, { throwIfNoEntry: false }) !== undefined) yield* walkFolder(this.#root, options);
  }

  look(key: FileKey): SourceEntry | undefined {
    const path = this.#find(key);
    if (path === undefined) return undefined;
    return this.#try("look at", key, () => {
      const facts = lstatSync(toPath(path), { bigint: true, throwIfNoEntry: false });
      if (facts === undefined) return undefined;
      const bare = key.endsWith("/") ? key.slice(0, -1) : key;
      const entry = describe(facts.isDirectory() ? `${bare}/` : bare, facts);
      if (entry.kind !== "symlink") return entry;
      return { ...entry, target: readlinkSync(toPath(path), { encoding: "latin1" }) };
    });
  }

  open(key: FileKey): SourceContent {
    const path = this.#find(key);
    if (path === undefined) throw new SourceError("gone", "its folder is not there any more");
    return openFileContent(path, key);
  }

  create(): void {
    this.#try("create", "", () => mkdirSync(this.#root, { recursive: true }));
  }

  async writeFile(
    key: FileKey,
    pieces: AsyncIterable<Uint8Array>,
    file: TargetFacts & FileWish,
  ): Promise<void> {
    const path = this.#place(key);
    const temporary = this.#temporaryIn(path);
    const fd = this.#try("write", key, () => openNew(temporary));
    try {
      let position = 0;
      for await (const piece of pieces) {
        for (let from = 0; from < piece.length;) {
          const written = this.#try("write", key, () =>
            writeSync(fd, piece, from, piece.length - from, position),
          );
          from += written;
          position += written;
        }
      }
      this.#try("write", key, () => {
        this.#setOpenFacts(fd, file);
        if (file.durable) fsyncSync(fd);
      });
      this.#readBack(fd, key, position, file.sha256);
      this.#try("put in place", key, () => renameSync(toPath(temporary), toPath(path)));
      if (file.durable) this.#try("put in place", key, () => syncFolderOf(path));
    } catch (error) {
      unlinkIfThere(temporary);
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  writeSymlink(key: FileKey, target: string, facts: TargetFacts): void {
    const path = this.#place(key);
    const temporary = this.#temporaryIn(path);
    this.#try("write", key, () => {
      unlinkIfThere(temporary);
      symlinkSync(toPath(target), toPath(temporary));
      this.#setLinkFacts(temporary, facts);
      renameSync(toPath(temporary), toPath(path));
    });
  }

  makeFolder(key: FileKey): boolean {
    const path = this.#place(key);
    return this.#try("create", key, () => {
      try {
        mkdirSync(toPath(path), 0o700);
        return true;
      } catch (error) {
        if (hasCode(error, "EEXIST") && lstatSync(toPath(path)).isDirectory()) return false;
        throw error;
      }
    });
  }

  setFacts(key: FileKey, facts: TargetFacts): void {
    const path = this.#place(key);
    this.#try("set the facts of", key, () => {
      const found = lstatSync(toPath(path));
      if (found.isSymbolicLink()) return this.#setLinkFacts(path, facts);
      const { uid, gid, mode } = facts;
      const isOwned = found.uid === uid && found.gid === gid;
      let modeNow = found.mode;
      if (this.keeps.owners && uid !== undefined && gid !== undefined && !isOwned) {
        lchownSync(toPath(path), uid, gid);
        // Another owner clears set-user-id bits.
        modeNow = lstatSync(toPath(path)).mode;
      }
      if ((modeNow & 0o7777) !== mode) chmodWithoutFollowing(path, mode);
      try {
        lutimesSync(toPath(path), secondsOf(facts), secondsOf(facts));
      } catch (error) {
        // Somebody else's folder that we may write in: its time is not worth failing for.
        if (!found.isDirectory() || !hasCode(error, "EPERM")) throw error;
      }
    });
  }

  remove(key: FileKey): boolean {
    const path = this.#find(key);
    if (path === undefined) return false;
    this.#folders.forget(key);
    return this.#try("remove", key, () => {
      try {
        if (key.endsWith("/")) rmdirSync(toPath(path));
        else unlinkSync(toPath(path));
        return true;
      } catch (error) {
        if (hasCode(error, "ENOENT", "ENOTEMPTY", "EEXIST")) return false;
        throw error;
      }
    });
  }

  removeTemporary(files: readonly Pick<ManifestEntry, "key">[]): void {
    let cleaned: FileKey | undefined;
    for (const { key } of files) {
      const folder = key.slice(0, key.lastIndexOf("/", key.length - 2) + 1);
      if (folder === cleaned) continue;
      cleaned = folder;
      const path = this.#find(key);
      if (path !== undefined) this.#try("clean up beside", key, () => unlinkIfThere(this.#temporaryIn(path)));
    }
  }

  async sync(): Promise<void> {
    try {
      await run("sync", ["-f", this.#root]);
    } catch {
      // No such program, or none that knows -f: everything, then.
      await run("sync").catch(() => undefined);
    }
  }

  close(): void {
    this.#folders.close();
  }

  #find(key: FileKey): string | undefined {
    assertRestorable(key);
    return this.#try("look at", key, () => this.#folders.find(key));
  }

  /** A path to write at: its folder must be there. */
  #place(key: FileKey): string {
    const path = this.#find(key);
    if (path !== undefined) return path;
    throw new Failure(
      "restore-target-changed",
      `The folder of ${showKey(key)} in ${this.url} went away or became something else while files were restored. ` +
        "Stop what changes the target and run the restore again, or undo it.",
    );
  }

  #temporaryIn(path: string): string {
    return path.slice(0, path.lastIndexOf("/") + 1) + this.#temporaryName;
  }

  /** Owner first: changing it clears set-user-id bits. */
  #setOpenFacts(fd: number, facts: TargetFacts): void {
    const { uid, gid, mode } = facts;
    if (this.keeps.owners && uid !== undefined && gid !== undefined) fchownSync(fd, uid, gid);
    fchmodSync(fd, mode);
    futimesSync(fd, secondsOf(facts), secondsOf(facts));
  }

  #setLinkFacts(path: string, facts: TargetFacts): void {
    const { uid, gid } = facts;
    if (this.keeps.owners && uid !== undefined && gid !== undefined) lchownSync(toPath(path), uid, gid);
    lutimesSync(toPath(path), secondsOf(facts), secondsOf(facts));
  }

  #readBack(fd: number, key: FileKey, sizeBytes: number, sha256: string): void {
    const read = (position: number): Buffer => {
      const wanted = Math.min(this.#buffer.length, sizeBytes - position);
      const length = this.#try("read back", key, () => readSync(fd, this.#buffer, 0, wanted, position));
      return this.#buffer.subarray(0, length);
    };
    if (hashOf(read, sizeBytes) === sha256) return;
    throw new Failure(
      "store-failed",
      `${showKey(key)} was written to ${this.url} and read back with another content. The disk or file system ` +
        "there is faulty; the file was not put in place.",
    );
  }

  /** Runs a step on the system; its refusal becomes a sentence. */
  #try<T>(verb: string, key: FileKey, step: () => T): T {
    try {
      return step();
    } catch (error) {
      throw targetFailure(error, verb, key === "" ? this.#root : `${showKey(key)} in ${this.url}`);
    }
  }
}

/** Of `sizeBytes` bytes, or as many as come. What comes at once, as nearly every file does, is hashed at once. */
function hashOf(read: (position: number) => Buffer, sizeBytes: number): string {
  const first = read(0);
  if (first.length === sizeBytes) return hash("sha256", first);
  const sha256 = createHash("sha256");
  let position = 0;
  for (let piece = first; piece.length > 0; piece = read(position)) {
    sha256.update(piece);
    position += piece.length;
  }
  return sha256.digest("hex");
}

/** A new file that only we may read. What a killed process left under this name goes away. */
function openNew(path: string): number {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  try {
    return openSync(toPath(path), flags, 0o600);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    unlinkSync(toPath(path));
    return openSync(toPath(path), flags, 0o600);
  }
}

/** Linux's O_PATH, which Node does not name: needs no right to read the file. */
const openPathOnly = 0o10000000;
const canChmodByDescriptor = process.platform === "linux" && existsSync("/proc/self/fd");

/** A symlink that takes the object's place in this moment is refused; its target's mode stays. */
export function chmodWithoutFollowing(path: string, mode: number): void {
  if (!canChmodByDescriptor) return chmodSync(toPath(path), mode);
  const fd = openSync(toPath(path), openPathOnly | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeSync(fd);
  }
}

function syncFolderOf(path: string): void {
  const fd = openSync(toPath(path.slice(0, path.lastIndexOf("/") + 1)), constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(toPath(path));
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}

/** Node takes times as doubles, which are a quarter of a microsecond apart. */
function secondsOf({ mtimeNs }: TargetFacts): number {
  return Number(BigInt(mtimeNs)) / 1e9;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function targetFailure(error: unknown, verb: string, what: string): Failure {
  if (error instanceof Failure) return error;
  if (hasCode(error, "ENOSPC", "EDQUOT")) {
    return new Failure(
      "disk-full",
      `There is no space left to ${verb} ${what}. Free some space and run the restore again, or undo it.`,
      { cause: error },
    );
  }
  return new Failure(
    "restore-target-failed",
    `Cannot ${verb} ${what}: ${reasonOf(error)}. Check owner, permissions and mount options there, then run the ` +
      "restore again, or undo it.",
    { cause: error },
  );
}
