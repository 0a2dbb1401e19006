import { lstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { Failure } from "../../core/failure.ts";
import type { ListOptions, SourceEntry } from "../../core/ports/file-source.ts";
import { encodeKey, showKey, type FileKey } from "../../core/repository/manifest.ts";
import { describe, hasCode, reasonOf, toPath } from "./file-facts.ts";

/** A folder whose names are being worked through. */
interface OpenFolder {
  /** Binary string, with a slash at its end. */
  readonly path: string;
  readonly key: FileKey;
  /** In order; a folder's name ends with a slash. */
  readonly names: readonly string[];
  index: number;
}

/** How far a walk came: all that another one needs to go on. */
export interface WalkPosition {
  readonly device: bigint;
  /** Devices of other file systems that were spoken of already. */
  readonly others: Set<bigint>;
  /** The folders on the way, the root's first. */
  readonly stack: OpenFolder[];
}

/**
 * Walks a folder in byte order of keys, with the facts of one `lstat` of each object. Calls are synchronous: on
 * local disks four times as fast as asking the thread pool. Memory: the names in the folders on the way, about 50
 * bytes each.
 *
 * Names are binary strings (Node's `latin1`), so those that are not UTF-8 survive. Not followed: symlinks.
 */
export class FolderWalk {
  readonly #options: ListOptions;
  readonly position: WalkPosition;

  /** Throws `source-not-found` or `source-unreadable` when the root cannot be listed. */
  static begin(root: string, options: ListOptions): FolderWalk {
    const path = `${encodeKey(root).replace(/\/+$/, "")}/`;
    try {
      const { dev: device } = statSync(root, { bigint: true });
      const stack = [{ path, key: "", names: listNames(path), index: 0 }];
      return new FolderWalk({ device, others: new Set(), stack }, options);
    } catch (error) {
      throw rootFailure(error, root);
    }
  }

  /** Goes on where another walk is, which must not be used any more. */
  constructor(position: WalkPosition, options: ListOptions) {
    this.position = position;
    this.#options = options;
  }

  /** Goes to the next object, and adds it to `batch` where it belongs there; false at the end. */
  step(batch: SourceEntry[]): boolean {
    const { stack } = this.position;
    const folder = stack.at(-1);
    if (folder === undefined) return false;
    const name = folder.names[folder.index++];
    if (name === undefined) stack.pop();
    else this.#visit(folder, name, batch);
    return true;
  }

  #visit(folder: OpenFolder, name: string, batch: SourceEntry[]): void {
    const key = folder.key + name;
    const decision = name.endsWith("/") ? this.#options.filter.folder(key) : undefined;
    if (decision === "leave-out" || (decision === undefined && !this.#options.filter.includes(key))) {
      this.#options.onLeftOut?.(key);
      return;
    }
    const entry = lookAt(folder.path + name, key);
    if (entry === undefined) return;
    if (decision === undefined || entry.problem !== undefined || entry.kind !== "directory") {
      batch.push(entry);
      return;
    }
    if (decision === "keep-empty") this.#options.onLeftOut?.(`${key}*`);
    batch.push(decision === "enter" ? this.#enter(folder.path + name, key, entry) : entry);
  }

  #enter(path: string, key: FileKey, entry: SourceEntry & { device?: bigint }): SourceEntry {
    const { device, ...facts } = entry;
    if (device !== undefined && device !== this.position.device && !this.position.others.has(device)) {
      this.position.others.add(device);
      this.#options.onNote?.(
        `${showKey(key)} is on another file system; its content belongs to the backup all the same.`,
      );
    }
    try {
      this.position.stack.push({ path, key, names: listNames(path), index: 0 });
      return facts;
    } catch (error) {
      // It went away, or became something else, after it was looked at: what was in it counts as gone.
      if (hasCode(error, "ENOENT", "ENOTDIR", "ELOOP")) return facts;
      return { ...facts, problem: { reason: "unreadable", message: reasonOf(error) } };
    }
  }
}

/** Names in a folder in byte order, a folder's with a slash at its end (which is its place in the order). */
function listNames(path: string): string[] {
  const folder = toPath(path);
  let names: string[];
  try {
    const entries = readdirSync(folder, { withFileTypes: true, encoding: "latin1" });
    names = entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
  } catch (error) {
    if (hasCode(error) && syscallOf(error) !== "lstat" && !hasCode(error, "ERR_INVALID_ARG_TYPE"))
      throw error;
    // A file system that does not say what its names are: Node looks for itself, under wrongly decoded names.
    names = readdirSync(folder, { encoding: "latin1" }).map((name) =>
      isFolder(path + name) ? `${name}/` : name,
    );
  }
  return names.sort(byBytes);
}

const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function isFolder(path: string): boolean {
  return lstatSync(toPath(path), { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The object's facts; undefined when it is not there any more. `device` for folders only. */
function lookAt(path: string, key: FileKey): (SourceEntry & { device?: bigint }) | undefined {
  try {
    const facts = lstatSync(toPath(path), { bigint: true, throwIfNoEntry: false });
    if (facts === undefined) return undefined;
    const entry = describe(key, facts);
    if (entry.kind === "symlink")
      return { ...entry, target: readlinkSync(toPath(path), { encoding: "latin1" }) };
    return entry.kind === "directory" ? { ...entry, device: facts.dev } : entry;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EINVAL")) return undefined;
    const problem = { reason: "unreadable" as const, message: reasonOf(error) };
    return { key, kind: "special", sizeBytes: 0, mtimeNs: "0", mode: 0, problem };
  }
}

const syscallOf = (error: unknown): string | undefined =>
  error instanceof Error && "syscall" in error ? String(error.syscall) : undefined;

function rootFailure(error: unknown, root: string): Failure {
  if (hasCode(error, "ENOENT", "ENOTDIR")) {
    return new Failure(
      "source-not-found",
      `There is no folder ${root} to back up. Check the path and whether it is mounted.`,
      {
        cause: error,
      },
    );
  }
  return new Failure(
    "source-unreadable",
    `The folder ${root} cannot be listed (${reasonOf(error)}). Give this user read and search rights.`,
    { cause: error },
  );
}
