import { backupPrefix } from "../../core/repository/layout.ts";
import { isPackName, type StoredAt } from "../../core/repository/manifest.ts";
import type { KnownBackup } from "../backup/previous-files.ts";
import type { OpenedKey } from "../keys/keyring-entries.ts";
import type { TaskRun } from "../task.ts";

/**
 * Decides whether stored bytes may be referred to: the file is there, long enough, and its key can be had.
 * Collects the keys of what was referred to. Memory: one name per pack.
 */
export class ReferenceChecker {
  readonly #run: TaskRun;
  readonly #backupId: string;
  readonly #packSizes = new Map<string, number>();
  /** Files keys of other backups that were referred to. */
  readonly keys = new Map<string, OpenedKey>();
  /** Entries whose bytes an earlier backup should have, but the repository has not. */
  lost = 0;

  constructor(run: TaskRun, backupId: string) {
    this.#run = run;
    this.#backupId = backupId;
  }

  /**
   * A place of bytes, as an earlier backup has it, as this backup writes it; undefined where it cannot be referred to. Gives a
   * promise only when the store must be asked.
   */
  refer(
    stored: StoredAt | undefined,
    from: KnownBackup,
  ): StoredAt | undefined | Promise<StoredAt | undefined> {
    if (stored === undefined) return undefined;
    const owner = stored.backup ?? from.backupId;
    const name = `${backupPrefix(this.#run.context.projectId, owner)}${stored.file}`;
    const known = this.#packSizes.get(name);
    if (known !== undefined) return this.#accept(stored, owner, from, stored.offset + stored.length <= known);
    return this.#ask(name, stored, owner, from);
  }

  async #ask(
    name: string,
    stored: StoredAt,
    owner: string,
    from: KnownBackup,
  ): Promise<StoredAt | undefined> {
    const size = (await this.#run.store.head(name))?.sizeBytes ?? -1;
    if (isPackName(stored.file)) this.#packSizes.set(name, size);
    const isThere = isPackName(stored.file) ? stored.offset + stored.length <= size : stored.length === size;
    return this.#accept(stored, owner, from, isThere);
  }

  #accept(stored: StoredAt, owner: string, from: KnownBackup, isThere: boolean): StoredAt | undefined {
    if (isThere && this.#hasKey(owner, from)) {
      const { file, offset, length, codec } = stored;
      return owner === this.#backupId
        ? { file, offset, length, codec }
        : { backup: owner, file, offset, length, codec };
    }
    this.lost += 1;
    return undefined;
  }

  #hasKey(owner: string, from: KnownBackup): boolean {
    if (owner === this.#backupId || this.keys.has(owner)) return true;
    try {
      const key = from.keys.filesKeyOf(owner);
      if (key === undefined) return false;
      this.keys.set(owner, key);
      return true;
    } catch {
      return false; // that one entry of the keyring is damaged
    }
  }
}
