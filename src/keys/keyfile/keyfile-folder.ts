/**
 * The folder of keyfiles, `{projectId}.key` each. Losing a key loses every backup, so a keyfile is durable
 * before anything is encrypted with it, is never half written, and two processes never overwrite each
 * other's. The files are some hundred bytes: they are read and written synchronously, which also lets a
 * change be made under an operating-system lock without other work of this process in between.
 */
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { Failure } from "../../core/failure.ts";
import { projectIdPattern } from "../../core/repository/layout.ts";
import { recoveryPublicHalf } from "./key-wrapping.ts";
import type { Keyfile } from "./keyfile-text.ts";
import { parseKeyText, printKeyfile } from "./keyfile-text.ts";

const maximumKeyfileBytes = 1 << 20;
const lockTimeoutMs = 10_000;

export class KeyfileFolder {
  readonly directory: string;
  readonly #onNotice: (message: string) => void;

  /** `onNotice` is told what was put right on the way (permissions). */
  constructor(directory: string, onNotice: (message: string) => void) {
    this.directory = resolve(directory);
    this.#onNotice = onNotice;
  }

  path(projectId: string): string {
    // The id becomes a file name.
    if (!projectIdPattern.test(projectId)) throw new RangeError(`"${projectId}" is not a project id`);
    return join(this.directory, `${projectId}.key`);
  }

  /** The project's keyfile, or undefined where there is none. Rejects with `keyfile-invalid`. */
  read(projectId: string): Keyfile | undefined {
    const path = this.path(projectId);
    const text = withReason(`The keyfile ${path} cannot be read`, () => this.#readText(path));
    if (text === undefined) return undefined;
    const keyfile = parseKeyText(text, `The keyfile ${path}`, recoveryPublicHalf);
    if (keyfile.projectId === projectId) return keyfile;
    throw new Failure(
      "keyfile-invalid",
      `The keyfile ${path} holds the keys of ${keyfile.projectId}. Give it its own name back.`,
    );
  }

  /**
   * Creates the keyfile if there is none; whoever comes second gets what the first one wrote. Durable
   * when it returns.
   */
  createIfAbsent(keyfile: Keyfile): { keyfile: Keyfile; created: boolean } {
    const path = this.path(keyfile.projectId);
    const created = withReason(`The keyfile ${path} cannot be written`, () => {
      this.#ensureFolder();
      return this.#writeBeside(keyfile, (temporary) => linkIfAbsent(temporary, path));
    });
    if (created) return { keyfile, created };
    const winner = this.read(keyfile.projectId);
    if (winner === undefined)
      throw new Failure("store-failed", `The keyfile ${path} vanished while it was read.`);
    return { keyfile: winner, created: false };
  }

  /**
   * Changes the keyfile under a lock that excludes other processes: `change` gets what is there and
   * returns what shall be there, or undefined to leave it. Durable when it returns.
   */
  update(
    projectId: string,
    change: (existing: Keyfile | undefined) => Keyfile | undefined,
  ): Keyfile | undefined {
    const path = this.path(projectId);
    withReason(`The folder ${this.directory} cannot be made`, () => this.#ensureFolder());
    return this.#locked(() => {
      const existing = this.read(projectId);
      const changed = change(existing);
      if (changed === undefined) return existing;
      if (existing === undefined) {
        // A process that creates does not take the lock; merge with what it made.
        const { keyfile, created } = this.createIfAbsent(changed);
        if (created) return keyfile;
      }
      const merged = existing === undefined ? change(this.read(projectId)) : changed;
      if (merged === undefined) return this.read(projectId);
      withReason(`The keyfile ${path} cannot be written`, () =>
        this.#writeBeside(merged, (temporary) => renameSync(temporary, path)),
      );
      return merged;
    });
  }

  #readText(path: string): string | undefined {
    let file: number;
    try {
      file = openSync(path, "r");
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
    try {
      const facts = fstatSync(file);
      if (!facts.isFile() || facts.size > maximumKeyfileBytes) {
        throw new Failure(
          "keyfile-invalid",
          `${path} is not a keyfile: it is a folder, a device or far too large.`,
        );
      }
      this.#tighten(path, facts.mode);
      return readFileSync(file, "utf8");
    } finally {
      closeSync(file);
    }
  }

  /**
   * A keyfile that others can read is closed to them, and said so: refusing it instead would undo
   * nothing, and would stand in the way of a restore at night. Where we may not close it, it is refused.
   */
  #tighten(path: string, mode: number): void {
    if ((mode & 0o077) === 0) return;
    const seen = `The keyfile ${path} could be read or changed by others (mode ${(mode & 0o777).toString(8)})`;
    try {
      chmodSync(path, 0o600);
    } catch (cause) {
      throw new Failure(
        "keyfile-exposed",
        `${seen}, and this user may not change that. Run: chmod 600 '${path}'`,
        { cause },
      );
    }
    this.#onNotice(`${seen}; it is 600 now. If somebody else may have read it: lc2 key rotate.`);
  }

  #ensureFolder(): void {
    const first = mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    // A folder's name is durable when its parent is.
    for (let made = this.directory; made.length >= first.length; made = dirname(made))
      syncFolder(dirname(made));
  }

  /** Writes a temporary file durably, lets `place` give it its name, and makes that durable. */
  #writeBeside<T>(keyfile: Keyfile, place: (temporary: string) => T): T {
    const temporary = join(this.directory, `.${keyfile.projectId}.${randomBytes(8).toString("hex")}.tmp`);
    const file = openSync(temporary, "wx", 0o600);
    try {
      try {
        writeFileSync(file, printKeyfile(keyfile));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      const result = place(temporary);
      syncFolder(this.directory);
      return result;
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  /** Node has no file locks; SQLite has, and the system drops them when the process dies. */
  #locked<T>(work: () => T): T {
    const lock = join(this.directory, ".lock");
    const database = withReason(
      `${lock} cannot be opened`,
      () => new DatabaseSync(lock, { timeout: lockTimeoutMs }),
    );
    try {
      withReason(`${lock} is held by another process`, () => database.exec("BEGIN EXCLUSIVE"));
      return work();
    } finally {
      database.close();
    }
  }
}

function linkIfAbsent(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** System errors as failures that say on what. */
function withReason<T>(problem: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof Failure || !(cause instanceof Error)) throw cause;
    const code = hasCode(cause, "ENOSPC") || hasCode(cause, "EDQUOT") ? "disk-full" : "store-failed";
    throw new Failure(
      code,
      `${problem}: ${cause.message}. Check the folder's owner, permissions and free space.`,
      { cause },
    );
  }
}
