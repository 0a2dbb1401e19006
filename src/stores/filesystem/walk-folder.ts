import { lstatSync, readdirSync, readlinkSync, statSync, type BigIntStats, type PathLike } from "node:fs";
import { Failure } from "../../core/failure.ts";
import type { ListOptions, SourceEntry } from "../../core/ports/file-source.ts";
import { encodeKey, showKey, type FileKey } from "../../core/repository/manifest.ts";

const batchEntries = 64;

/**
 * Walks a folder in byte order of keys and yields what it finds, in batches, with the facts of one `lstat`
 * each. Calls are synchronous: on local disks four times as fast as asking the thread pool, and a worker
 * has nothing else to do meanwhile. Memory: the names in the folders on the way, about 50 bytes each.
 *
 * Names are binary strings (Node's `latin1`), so those that are not UTF-8 survive. Not followed: symlinks.
 * Rejects with `source-not-found` or `source-unreadable` when the root cannot be listed.
 */
export async function* walkFolder(
  root: string,
  options: ListOptions,
): AsyncGenerator<readonly SourceEntry[], void, undefined> {
  const walk = new Walk(root, options);
  for (let batch = walk.nextBatch(); batch.length > 0; batch = walk.nextBatch()) yield batch;
}

/** A folder whose names are being worked through. */
interface OpenFolder {
  /** Binary string, with a slash at its end. */
  readonly path: string;
  readonly key: FileKey;
  /** In order; a folder's name ends with a slash. */
  readonly names: readonly string[];
  index: number;
}

class Walk {
  readonly #options: ListOptions;
  readonly #stack: OpenFolder[] = [];
  readonly #device: bigint;
  /** Devices of other file systems that were spoken of already. */
  readonly #others = new Set<bigint>();

  constructor(root: string, options: ListOptions) {
    this.#options = options;
    const path = `${encodeKey(root).replace(/\/+$/, "")}/`;
    try {
      this.#device = statSync(root, { bigint: true }).dev;
      this.#stack.push({ path, key: "", names: listNames(path), index: 0 });
    } catch (error) {
      throw rootFailure(error, root);
    }
  }

  /** Empty at the end, and only then. */
  nextBatch(): SourceEntry[] {
    const batch: SourceEntry[] = [];
    while (batch.length < batchEntries) {
      const folder = this.#stack.at(-1);
      if (folder === undefined) break;
      const name = folder.names[folder.index++];
      if (name === undefined) this.#stack.pop();
      else this.#visit(folder, name, batch);
    }
    return batch;
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
    if (device !== undefined && device !== this.#device && !this.#others.has(device)) {
      this.#others.add(device);
      this.#options.onNote?.(
        `${showKey(key)} is on another file system; its content belongs to the backup all the same.`,
      );
    }
    try {
      this.#stack.push({ path, key, names: listNames(path), index: 0 });
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

/** An entry of a stat's facts. Its key must have the slash that a folder's key has. */
export function describe(key: FileKey, facts: BigIntStats): SourceEntry {
  const kind = kindOf(Number(facts.mode));
  const isFile = kind === "file";
  const entry: SourceEntry = {
    key,
    kind: key.endsWith("/") === (kind === "directory") ? kind : "special",
    sizeBytes: isFile ? Number(facts.size) : 0,
    mtimeNs: String(facts.mtimeNs),
    mode: Number(facts.mode) & 0o7777,
    uid: Number(facts.uid),
    gid: Number(facts.gid),
    version: `${facts.ctimeNs}:${facts.ino}`,
  };
  if (entry.kind !== "special") return entry;
  const message =
    kind === "special" ? specialName(Number(facts.mode)) : "its kind changed while the folder was listed";
  return { ...entry, problem: { reason: kind === "special" ? "special" : "changing", message } };
}

const typeBits = 0o170000;

function kindOf(mode: number): SourceEntry["kind"] {
  switch (mode & typeBits) {
    case 0o100000:
      return "file";
    case 0o040000:
      return "directory";
    case 0o120000:
      return "symlink";
    default:
      return "special";
  }
}

function specialName(mode: number): string {
  const names: Record<number, string> = {
    0o140000: "socket",
    0o010000: "FIFO",
    0o020000: "character device",
  };
  return names[mode & typeBits] ?? ((mode & typeBits) === 0o060000 ? "block device" : "no file");
}

/** A path for the system: bytes as they are. ASCII, the common case, needs no buffer. */
export function toPath(binary: string): PathLike {
  return /[\x80-\xff]/.test(binary) ? Buffer.from(binary, "latin1") : binary;
}

/** Whether it is an error of the system (or of Node) with one of these codes; with any code for none. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return codes.length === 0 || codes.includes(String(error.code));
}

const syscallOf = (error: unknown): string | undefined =>
  error instanceof Error && "syscall" in error ? String(error.syscall) : undefined;

/** `EACCES: permission denied`, without the path, which the message around it names. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(", ")[0] ?? message;
}

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
